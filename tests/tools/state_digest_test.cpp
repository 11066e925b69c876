// Digests of forks of one simulation: equal where the same is to come, however it was come to; different where
// something else is, be it a picosecond.

#include "tools/rpsim/explore/state_digest.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <systemc>
#include <vector>

namespace rpsim::tool {
namespace {

struct world : sc_core::sc_module {
  SC_HAS_PROCESS(world);
  explicit world(sc_core::sc_module_name name) : sc_module(name), line("line") { SC_THREAD(work); }

  void work() {
    for (;;) {
      wait(poke);
      ++rounds;
    }
  }

  sc_core::sc_event poke, later;
  sc_core::sc_signal<bool> line;
  unsigned rounds = 0;
  std::string left, right;
  std::vector<std::unique_ptr<std::string>> more;
};

class state_digest_of : public testing::Test {
 protected:
  state_digest_of() : world_("world") { sc_core::sc_start(sc_core::sc_time(10, sc_core::SC_NS)); }

  void run(double ns) { sc_core::sc_start(sc_core::sc_time(ns, sc_core::SC_NS), sc_core::SC_RUN_TO_TIME); }

  /// Of a fork that did that, 100 ns on.
  digest after(const std::function<void(world&)>& what) {
    int ends[2];
    EXPECT_EQ(::pipe(ends), 0);
    const pid_t pid = ::fork();
    if (pid == 0) {
      what(world_);
      run(100 - (sc_core::sc_time_stamp().to_seconds() * 1e9 - 10));
      const auto d = state_digest({&notes_}, {&count_});
      if (d) (void)!::write(ends[1], d->data(), d->size());
      ::_exit(d ? 0 : 1);
    }
    ::close(ends[1]);
    digest d{};
    const ssize_t got = ::read(ends[0], d.data(), d.size());
    ::close(ends[0]);
    int status = 0;
    ::waitpid(pid, &status, 0);
    if (got != static_cast<ssize_t>(d.size())) known_ = false;
    return d;
  }

  journal notes_;
  std::uint64_t count_ = 0;
  bool known_ = true;  // false: this build has no digests
  world world_;
};

// The strings fill what malloc() gives: what it had before is not in the way.
TEST_F(state_digest_of, what_was_done_in_another_order_and_at_another_time_is_the_same) {
  const digest one = after([](world& w) {
    w.left = std::string(39, 'l');
    w.right = std::string(55, 'r');
    w.poke.notify(sc_core::SC_ZERO_TIME);
  });
  if (!known_) GTEST_SKIP() << "no digests in this build";
  const digest other = after([this](world& w) {
    run(30);
    w.right = std::string(55, 'r');
    w.left = std::string(39, 'l');
    std::make_unique<std::string>(1000, 'x').reset();
    w.poke.notify(sc_core::SC_ZERO_TIME);
    count_ = 7;
    notes_.line("not seen");
  });
  EXPECT_EQ(one, other);
}

TEST_F(state_digest_of, an_event_to_come_a_picosecond_later_is_another_state) {
  const auto pending = [this](double ns) {
    return after([ns](world& w) { w.later.notify(sc_core::sc_time(ns, sc_core::SC_NS)); });
  };
  const digest d = pending(500);
  if (!known_) GTEST_SKIP() << "no digests in this build";
  EXPECT_EQ(d, pending(500));
  EXPECT_NE(d, pending(500.001));
  EXPECT_NE(d, after([](world&) {}));
}

TEST_F(state_digest_of, how_often_a_thread_ran_a_bit_on_the_heap_and_a_line_are_seen) {
  const digest d = after([](world&) {});
  if (!known_) GTEST_SKIP() << "no digests in this build";
  EXPECT_NE(d, after([](world& w) { w.poke.notify(sc_core::sc_time(1, sc_core::SC_NS)); }));
  const auto kept = [this](const char* text) {
    return after([text](world& w) { w.more.push_back(std::make_unique<std::string>(text)); });
  };
  EXPECT_EQ(kept("kept"), kept("kept"));
  EXPECT_NE(kept("kept"), kept("kepu"));
  EXPECT_NE(d, after([](world& w) { w.line.write(true); }));
}

TEST_F(state_digest_of, who_has_which_of_two_things_is_seen) {
  const auto given = [this](bool swapped) {
    return after([swapped](world& w) {
      w.more.push_back(std::make_unique<std::string>("one"));
      w.more.push_back(std::make_unique<std::string>("two"));
      if (swapped) std::swap(w.more[0], w.more[1]);
    });
  };
  const digest d = given(false);
  if (!known_) GTEST_SKIP() << "no digests in this build";
  EXPECT_NE(d, given(true));
}

TEST_F(state_digest_of, taking_one_changes_nothing) {
  const digest d = after([](world&) {});
  if (!known_) GTEST_SKIP() << "no digests in this build";
  EXPECT_EQ(d, after([this](world&) {
              (void)state_digest({&notes_}, {&count_});
              run(50);
              (void)state_digest({&notes_}, {&count_});
            }));
}

}  // namespace
}  // namespace rpsim::tool
