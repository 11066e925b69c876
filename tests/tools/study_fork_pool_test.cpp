// Many children of one snapshot: every job comes back once, whatever became of its process.

#include <gmock/gmock.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <csignal>
#include <set>
#include <thread>

#include "tools/rpsim/study/fork_pool.h"

namespace rpsim::tool {
namespace {

using namespace std::chrono_literals;
using kind = job_end::kind;

std::map<std::uint64_t, job_end> all_of(fork_pool& pool) {
  std::map<std::uint64_t, job_end> ends;
  while (pool.outstanding() != 0) {
    for (job_end& e : pool.take(5000ms)) {
      EXPECT_FALSE(ends.contains(e.job)) << "job " << e.job << " ended twice";
      ends[e.job] = std::move(e);
    }
  }
  return ends;
}

fork_pool::prepare returning(fork_pool::work work) {
  return [work = std::move(work)](std::string& about) {
    about = "ready";
    return work;
  };
}

TEST(fork_pool, every_job_sees_the_snapshot_and_comes_back_once) {
  for (const unsigned workers : {1u, 3u}) {
    int common = 0;
    fork_pool pool(
        [&](std::string& about) {
          common = 40;  // what is common to all is done in the snapshot, not here
          about = "prefix done";
          return [&](std::uint64_t job) {
            common += static_cast<int>(job);  // and a job never sees what another did
            return std::to_string(common);
          };
        },
        {.workers = workers});
    EXPECT_EQ(common, 0);
    EXPECT_EQ(pool.about(), "prefix done");
    for (std::uint64_t n = 0; n < 100; n += 10) pool.give({n, 10});
    const auto ends = all_of(pool);
    ASSERT_EQ(ends.size(), 100u);
    for (const auto& [job, e] : ends) EXPECT_EQ(e.result, std::to_string(40 + job));
  }
}

TEST(fork_pool, long_results_of_several_workers_do_not_mix) {
  fork_pool pool(returning([](std::uint64_t job) { return std::string(30'000, static_cast<char>('a' + job)); }),
                 {.workers = 4});
  for (std::uint64_t n = 0; n < 20; ++n) pool.give({n, 1});
  const auto ends = all_of(pool);
  ASSERT_EQ(ends.size(), 20u);
  for (const auto& [job, e] : ends) EXPECT_EQ(e.result, std::string(30'000, static_cast<char>('a' + job)));
}

TEST(fork_pool, a_child_that_dies_is_reported_and_the_others_go_on) {
  fork_pool pool(returning([](std::uint64_t job) -> std::string {
                   if (job == 1) {
                     std::signal(SIGSEGV, SIG_DFL);  // a sanitizer has a handler of its own
                     ::raise(SIGSEGV);
                   }
                   if (job == 2) ::_exit(7);
                   if (job == 3) throw std::runtime_error("no luck");
                   if (job == 4) {
                     for (;;) ::pause();
                   }
                   return "fine";
                 }),
                 {.workers = 2, .limit = 200ms});
  pool.give({0, 6});
  auto ends = all_of(pool);
  ASSERT_EQ(ends.size(), 6u);
  EXPECT_EQ(ends[0].result, "fine");
  EXPECT_EQ(ends[5].result, "fine");
  EXPECT_EQ(ends[1].how, kind::killed);
  EXPECT_EQ(reason(ends[1]), "killed by signal 11 (Segmentation fault)");
  EXPECT_EQ(ends[2].how, kind::exited);
  EXPECT_EQ(reason(ends[2]), "ended with status 7");
  EXPECT_EQ(ends[3].how, kind::failed);
  EXPECT_EQ(reason(ends[3]), "internal error: no luck");
  EXPECT_EQ(ends[4].how, kind::out_of_time);
}

TEST(fork_pool, a_child_that_dies_after_its_result_has_ended_once) {
  // Strict seccomp leaves a process read, write and _exit; exit_group, which _exit() is, kills it.
  fork_pool pool(returning([](std::uint64_t) -> std::string {
                   ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT);
                   return "fine";
                 }),
                 {.workers = 2});
  pool.give({0, 20});
  const auto ends = all_of(pool);
  ASSERT_EQ(ends.size(), 20u);
  for (const auto& [job, e] : ends) EXPECT_EQ(e.how, kind::finished) << job;
}

TEST(fork_pool, a_prefix_that_fails_says_why) {
  try {
    fork_pool pool([](std::string&) -> fork_pool::work { throw std::runtime_error("there is no such scenario"); }, {});
    FAIL();
  } catch (const snapshot_failed& e) {
    EXPECT_STREQ(e.what(), "there is no such scenario");
  }
}

TEST(fork_pool, a_prefix_that_dies_is_an_error_and_no_hang) {
  EXPECT_THROW(fork_pool([](std::string&) -> fork_pool::work { ::_exit(1); }, {}), snapshot_failed);
}

TEST(fork_pool, a_worker_that_is_killed_is_an_error_and_no_hang) {
  fork_pool pool(returning([](std::uint64_t) -> std::string {
                   ::kill(::getppid(), SIGKILL);  // as the kernel does when memory runs out
                   for (;;) ::pause();
                 }),
                 {});
  pool.give({0, 2});
  EXPECT_THROW(all_of(pool), snapshot_failed);
}

TEST(fork_pool, a_worker_that_ends_is_an_error_and_no_hang) {
  fork_pool pool(returning([](std::uint64_t) { return std::string(); }),
                 {.workers = 2, .before_fork = [](std::uint64_t job) {
                    if (job == 1) ::_exit(5);
                  }});
  pool.give({0, 3});
  try {
    all_of(pool);
    FAIL();
  } catch (const snapshot_failed& e) {
    EXPECT_STREQ(e.what(), "a worker ended with status 5");
  }
}

TEST(fork_pool, its_end_ends_what_still_runs) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  {
    fork_pool pool(returning([](std::uint64_t) -> std::string {
                     for (;;) ::pause();
                   }),
                   {.workers = 2});
    pool.give({0, 1});
    pool.give({1, 1});
    EXPECT_TRUE(pool.take(50ms).empty());
  }
  ::close(ends[1]);
  char byte;
  EXPECT_EQ(::read(ends[0], &byte, 1), 0);  // the end of file comes when the last holder of the other end has gone
}

}  // namespace
}  // namespace rpsim::tool
