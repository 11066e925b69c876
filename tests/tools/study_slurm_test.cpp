// `rpsim study --engine slurm`: against programs that answer as Slurm's do, and against Slurm itself where it can
// start.

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <netinet/in.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <random>
#include <sstream>

#include "tests/tools/study_program.h"
#include "tools/rpsim/resources.h"
#include "tools/rpsim/study/chunk_file.h"

namespace rpsim {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::HasSubstr;
using testing::MatchesRegex;
using testing::Not;
using namespace std::chrono_literals;
using tool::chunk_writer;
using tool::job_end;
using tool::read_chunk;

// ---- the file that a task leaves

class chunk_file : public study_program {
 protected:
  chunk_file() {
    chunk_writer w(file("part"), ORDER);
    w.add(ENDS);
    w.finish(file("whole"));
  }
  void put(const std::string& bytes) { std::ofstream(file("damaged"), std::ios::binary) << bytes; }

  static constexpr std::uint32_t ORDER = 7;
  const std::vector<job_end> ENDS{{3, job_end::kind::finished, 0, "a result"},
                                  {4, job_end::kind::killed, 11, ""},
                                  {9, job_end::kind::failed, 0, std::string(10'000, 'x')}};
};

TEST_F(chunk_file, gives_back_what_was_put_in) {
  EXPECT_FALSE(fs::exists(file("part")));
  const auto c = read_chunk(file("whole"), ORDER);
  EXPECT_EQ(c.damage, "");
  ASSERT_EQ(c.ended.size(), ENDS.size());
  for (std::size_t i = 0; i < ENDS.size(); ++i) {
    EXPECT_EQ(c.ended[i].job, ENDS[i].job);
    EXPECT_EQ(c.ended[i].how, ENDS[i].how);
    EXPECT_EQ(c.ended[i].code, ENDS[i].code);
    EXPECT_EQ(c.ended[i].result, ENDS[i].result);
  }
}

TEST_F(chunk_file, cut_anywhere_keeps_what_is_before) {
  const std::string bytes = content("whole");
  std::size_t most = 0;
  for (std::size_t size = 0; size < bytes.size(); size += size < 200 ? 1 : 997) {
    put(bytes.substr(0, size));
    const auto c = read_chunk(file("damaged"), ORDER);
    EXPECT_LT(c.ended.size(), ENDS.size()) << size;
    EXPECT_GE(c.ended.size(), most) << size;  // never less of a longer one
    most = c.ended.size();
    // At the end of a record nothing shows that there was more: whoever reads knows how many it wants.
    for (std::size_t i = 0; i < c.ended.size(); ++i) EXPECT_EQ(c.ended[i].result, ENDS[i].result);
  }
  EXPECT_EQ(most, 2u);
}

TEST_F(chunk_file, any_byte_that_changed_is_found) {
  const std::string bytes = content("whole");
  for (std::size_t at = 0; at < bytes.size(); at += at < 200 ? 1 : 997) {
    std::string other = bytes;
    other[at] = static_cast<char>(other[at] ^ 0x10);
    put(other);
    const auto c = read_chunk(file("damaged"), ORDER);
    EXPECT_NE(c.damage, "") << at;
    for (std::size_t i = 0; i < c.ended.size(); ++i) EXPECT_EQ(c.ended[i].result, ENDS[i].result) << at;
  }
}

TEST_F(chunk_file, of_another_study_holds_nothing) {
  const auto c = read_chunk(file("whole"), ORDER + 1);
  EXPECT_TRUE(c.ended.empty());
  EXPECT_THAT(c.damage, HasSubstr("holds no results of this study"));
  EXPECT_THAT(read_chunk(file("nowhere"), ORDER).damage, HasSubstr("cannot be read"));
}

// ---- programs that answer as Slurm's do

/// sbatch runs the tasks one after another before it answers; the functions of `hook` say what goes wrong.
constexpr const char* SLURM = R"sh(#!/bin/bash
run_task() { SLURM_ARRAY_TASK_ID=$1 SLURM_CPUS_ON_NODE=2 sh task.sh >>"task-$1.log" 2>&1; }
state_of() { echo "$([ "$2" = 0 ] && echo 'COMPLETED|None' || echo 'FAILED|NonZeroExitCode')";
}
before() { :;
}
after() { :;
}
. "$FAKE/hook"
case ${0##*/} in
  scontrol)
    [ "$1" = ping ] && [ -e "$FAKE/down" ] && { echo "Slurmctld(primary) at nowhere is DOWN"; exit 1; }
    [ "$1" = ping ] && echo "Slurmctld(primary) at here is UP"
    [ "$1" = show ] && echo "MaxArraySize            = ${MAX_ARRAY_SIZE:-1001}"
    ;;
  sbatch)
    printf '%s\n' "$@" >"$FAKE/arguments"
    [ -e "$FAKE/refuse" ] && { echo "sbatch: error: Batch job submission failed: Invalid partition name specified" >&2; exit 1; }
    for word; do  # of two, the last counts
      case $word in
        --chdir=*) directory=${word#*=} ;;
        --array=0-*) last=${word##*-} ;;
      esac
    done
    job=$(($(cat "$FAKE/job" 2>/dev/null || echo 40) + 1))
    echo $job >"$FAKE/job"
    cd "$directory" || exit 1
    before
    for ((i = 0; i <= last; ++i)); do
      run_task "$i"
      echo "$job|$i|$(state_of "$i" $?)|$directory" >>"$FAKE/queue"
    done
    after
    echo $job
    ;;
  squeue) cat "$FAKE/queue" ;;
  *) exit 1 ;;
esac
)sh";

class like_slurm : public study_program {
 protected:
  like_slurm() {
    fs::create_directories(file("bin"));
    std::ofstream(file("bin/scontrol")) << SLURM;
    fs::permissions(file("bin/scontrol"), fs::perms::owner_all);
    for (const char* name : {"sbatch", "squeue", "scancel", "sacct"})
      fs::create_symlink("scontrol", file("bin/" + std::string(name)));
    hook("");
    std::ofstream(file("queue"));
    ::setenv("FAKE", directory_.c_str(), 1);
    ::setenv("PATH", (file("bin") + ":" + std::getenv("PATH")).c_str(), 1);
  }
  void hook(const std::string& functions) { std::ofstream(file("hook")) << functions; }
  subprocess_result run_slurm(const std::string& what, const std::string& to, std::vector<std::string> more = {}) {
    more.insert(more.begin(), {"--engine", "slurm"});
    return run(what, to, more);
  }
  void expect_equal(const std::string& one, const std::string& other) {
    for (const char* name : {"/points.csv", "/study.json"}) EXPECT_EQ(content(one + name), content(other + name));
    EXPECT_FALSE(fs::exists(file(one + "/slurm")));  // nothing is left but what a run on one machine leaves
  }
};

TEST_F(like_slurm, the_table_is_that_of_one_machine) {
  const std::string s = study(
      "vary_from: 99ms\nvariants: { after: {}, before: { m4f.fw.shutdown: ack-before-deinit } }\n"
      "parameters: { ack_delay: \"uniform(50us, 150us)\", dm.pm_latency: [50us, 90us] }\nsamples: 6\n"
      "find: [{ largest: deinit_time, between: [0us, 10ms], step: 1ms, for_which: succeeds }]\n"
      "questions: [\"share(ok) = 1\"]\n");
  const auto here = run(s, "here", {"--sensitivity"});
  // 24 points, and for each variant 5 and 24 more; the sixth chunk has points of both variants.
  const auto there = run_slurm(s, "there",
                               {"--sensitivity", "--chunk", "7", "-j", "1", "--sbatch",
                                "--partition=short --comment='two words' --array=1-2", "-p", "dm.lpsc_time=20us"});
  EXPECT_EQ(here.status, 0) << here.err;
  EXPECT_EQ(there.status, 0) << there.err;
  EXPECT_NE(here.out, there.out);  // its power management is slower
  const auto same = run(s, "same", {"--sensitivity", "-p", "dm.lpsc_time=20us"});
  EXPECT_EQ(there.out, same.out);
  expect_equal("there", "same");
  // What rpsim has to have comes last, and so counts.
  const std::string arguments = content("arguments");
  EXPECT_THAT(arguments, HasSubstr("--cpus-per-task=1\n--partition=short\n--comment=two words\n--array=1-2\n"));
  EXPECT_THAT(arguments, HasSubstr("--array=0-11\n--chdir="));
}

TEST_F(like_slurm, there_are_never_more_than_1000_tasks) {
  hook("run_task() { false; }");
  const auto r = run_slurm(stops(1001), "r", {"--chunk", "1"});
  EXPECT_THAT(content("arguments"), HasSubstr("--array=0-667\n"));  // 2002 points, three each
  EXPECT_EQ(r.status, 3);
  EXPECT_THAT(r.err, HasSubstr("further tasks are not shown"));
  EXPECT_THAT(r.err, HasSubstr("2002 of 2002 points did not run"));
  hook("run_task() { false; }\nMAX_ARRAY_SIZE=11");
  (void)run_slurm(stops(1001), "other", {"--chunk", "1"});
  EXPECT_THAT(content("arguments"), HasSubstr("--array=0-10\n"));
}

TEST_F(like_slurm, a_task_that_ends_early_is_reported_with_its_points_and_resume_runs_no_other) {
  const std::string s = stops(20);
  hook(R"sh(
run_task() {
  [ "$1" != 1 ] || return 1
  SLURM_ARRAY_TASK_ID=$1 sh task.sh >>"task-$1.log" 2>&1
}
state_of() { [ "$1" = 1 ] && echo "TIMEOUT|TimeLimit" || echo "COMPLETED|None"; })sh");
  const auto r = run_slurm(s, "r", {"--chunk", "10"});
  EXPECT_EQ(r.status, 3) << r.err;
  EXPECT_THAT(r.err,
              HasSubstr("task 1 of job 41 ended as TIMEOUT (TimeLimit): 10 of its points did not run (10–19); it "
                        "left no log: is " +
                        file("r/slurm/1") + " on a file system that the nodes share?"));
  EXPECT_THAT(r.err, HasSubstr("10 of 40 points did not run; --resume runs them, and nothing else"));
  EXPECT_THAT(r.out, HasSubstr("30 of 40 points"));
  hook("");
  const auto again = run_slurm(s, "r", {"--chunk", "10", "--resume"});
  EXPECT_EQ(again.status, 0) << again.err;
  EXPECT_THAT(content("arguments"), HasSubstr("--array=0-0\n"));
  ASSERT_EQ(run(s, "here").status, 0);
  expect_equal("r", "here");
}

TEST_F(like_slurm, a_task_that_was_killed_goes_on_where_it_was_when_slurm_starts_it_again) {
  const std::string s = stops(150);
  hook(R"sh(
run_task() {
  SLURM_ARRAY_TASK_ID=$1 sh task.sh & local pid=$!
  for ((n = 0; n < 4000; ++n)); do
    [ -e "task-$1.part-0" ] && [ "$(stat -c %s "task-$1.part-0")" -gt 2000 ] && break
    sleep 0.005
  done
  kill -9 $pid
  wait $pid
  stat -c %s "task-$1.part-0" >"$FAKE/kept"
  SLURM_RESTART_COUNT=1 SLURM_ARRAY_TASK_ID=$1 sh task.sh
  [ -e "task-$1.part-0" ] && [ -e "task-$1.results" ] && [ ! -e "task-$1.part-1" ] && echo yes >"$FAKE/whole"
})sh");
  const auto r = run_slurm(s, "r");
  EXPECT_EQ(r.status, 0) << r.err;
  EXPECT_GT(std::stoi(content("kept")), 2000);
  EXPECT_EQ(content("whole"), "yes\n");
  ASSERT_EQ(run(s, "here").status, 0);
  expect_equal("r", "here");
}

TEST_F(like_slurm, results_that_are_damaged_are_reported_and_run_again) {
  const std::string s = stops(20);
  hook(R"sh(after() {
  truncate -s -7 task-0.results
  printf 'xxxxxxxx' | dd of=task-2.results bs=1 seek=2000 conv=notrunc status=none
})sh");
  const auto r = run_slurm(s, "r", {"--chunk", "10"});
  EXPECT_EQ(r.status, 3);
  EXPECT_THAT(r.err, HasSubstr("task-0.results ends in the middle of a record"));
  EXPECT_THAT(r.err, HasSubstr("task 0 of job 41 left damaged results: 1 of its points did not run"));
  EXPECT_THAT(r.err, HasSubstr("task-2.results is damaged at byte "));
  EXPECT_THAT(r.err, HasSubstr("task 2 of job 41 left damaged results"));
  EXPECT_THAT(r.err, Not(HasSubstr("task 1 of")));
  hook("");
  EXPECT_EQ(run_slurm(s, "r", {"--resume"}).status, 0);
  ASSERT_EQ(run(s, "here").status, 0);
  expect_equal("r", "here");
}

TEST_F(like_slurm, results_of_a_coordinator_that_was_killed_are_taken_in) {
  const std::string s = stops(20);
  // sbatch's parent is timeout, and that one's rpsim.
  hook(R"sh(after() { kill -9 "$(cut -d' ' -f4 /proc/$PPID/stat)"; sleep 0.2; })sh");
  EXPECT_EQ(run_slurm(s, "r", {"--chunk", "10"}).status, 128 + SIGKILL);
  EXPECT_EQ(ask("r", "SELECT count(*) FROM points"), "0");
  fs::remove(file("arguments"));
  hook("");
  const auto r = run_slurm(s, "r", {"--resume"});
  EXPECT_EQ(r.status, 0) << r.err;
  EXPECT_FALSE(fs::exists(file("arguments")));  // nothing was submitted
  ASSERT_EQ(run(s, "here").status, 0);
  expect_equal("r", "here");
}

TEST_F(like_slurm, a_task_does_not_run_another_study) {
  const std::string s = stops(4);
  hook("before() { echo '# later' >>\"" + s + "\"; }");
  const auto r = run_slurm(s, "r");
  EXPECT_EQ(r.status, 3);
  EXPECT_THAT(r.err, HasSubstr("s.yaml has changed since the study was submitted"));
  // Nor one of another program: here, with another story up to vary_from.
  hook("before() { sed -i 's/\"prefixes\":\\[\"./\"prefixes\":[\"?/' order.json; }");
  const auto other = run_slurm(stops(4), "other");
  EXPECT_EQ(other.status, 3);
  EXPECT_THAT(other.err, HasSubstr("the run up to vary_from is another one here"));
}

TEST_F(like_slurm, a_task_that_cannot_write_says_so) {
  hook("before() { mkdir task-0.part-0; }");
  const auto r = run_slurm(stops(20), "r");
  EXPECT_EQ(r.status, 3);
  EXPECT_THAT(r.err, HasSubstr("task-0.part-0: Is a directory"));
  EXPECT_THAT(r.err, HasSubstr("ended as FAILED (NonZeroExitCode): 40 of its points did not run"));
}

TEST_F(like_slurm, without_slurm_it_is_refused_and_says_what_to_do) {
  const std::string s = stops(2);
  std::ofstream(file("down"));
  auto r = run_slurm(s, "r");
  EXPECT_EQ(r.status, 2);
  EXPECT_THAT(r.err, HasSubstr("the controller of Slurm does not answer (Slurmctld(primary) at nowhere is DOWN)"));
  EXPECT_THAT(r.err, HasSubstr("--engine local"));
  fs::remove(file("down"));
  std::ofstream(file("refuse"));
  r = run_slurm(s, "r");
  EXPECT_EQ(r.status, 2);
  EXPECT_THAT(r.err,
              HasSubstr("sbatch refuses the job: sbatch: error: Batch job submission failed: Invalid partition"));
  EXPECT_FALSE(fs::exists(file("r/results.sqlite")));  // a second try needs no --resume
  EXPECT_FALSE(fs::exists(file("r/slurm")));
  for (const char* name : {"scontrol", "sbatch", "squeue", "scancel", "sacct"})
    fs::remove(file("bin/" + std::string(name)));
  fs::create_symlink("/usr/bin/timeout", file("bin/timeout"));
  ::setenv("PATH", file("bin").c_str(), 1);
  r = run_slurm(s, "r");
  EXPECT_EQ(r.status, 2);
  EXPECT_THAT(r.err, HasSubstr("Slurm's programs (scontrol, sbatch, squeue, scancel) are not in PATH"));
}

TEST_F(like_slurm, options_that_make_no_sense_are_refused) {
  const std::string s = stops(2);
  EXPECT_EQ(run(s, "r", {"--engine", "slrm"}).status, 2);
  const auto r = run(s, "r", {"--sbatch", "--time=1"});
  EXPECT_EQ(r.status, 2);
  EXPECT_THAT(r.err, HasSubstr("--sbatch and --chunk are for --engine slurm"));
  EXPECT_THAT(run_slurm("-", "r").err, HasSubstr("tasks cannot read standard input"));
  EXPECT_EQ(rpsim({"study-task", file("nowhere"), "0"}).status, 2);
}

// ---- Slurm itself

/// munged, slurmctld and slurmd of one's own, on loopback. They end with the test, however that ends.
class cluster {
 public:
  explicit cluster(const fs::path& directory) : directory_(directory) {
    // Debian has the daemons where a user's PATH does not look.
    ::setenv("PATH", (std::string(std::getenv("PATH")) + ":/usr/sbin:/sbin").c_str(), 1);
    ::setenv("SLURM_CONF", (directory_ / "slurm.conf").c_str(), 1);
    for (const char* name : {"log", "state", "spool"}) fs::create_directories(directory_ / name);
    fs::permissions(directory_, fs::perms(0755));
    const fs::path key = directory_ / "munge.key";
    {
      std::random_device random;
      std::ofstream out(key, std::ios::binary);
      for (int i = 0; i < 1024; ++i) out.put(static_cast<char>(random()));
    }
    fs::permissions(key, fs::perms(0600));
    write_configuration();
    const auto in = [&](const char* name) { return (directory_ / name).string(); };
    if (!start({"munged", "--foreground", "--key-file=" + in("munge.key"), "--socket=" + in("munge.socket"),
                "--pid-file=" + in("munge.pid"), "--log-file=" + in("log/munged"), "--seed-file=" + in("munge.seed"),
                "--num-threads=2"},
               [&] { return fs::exists(directory_ / "munge.socket"); }))
      return;
    const auto sinfo = [](const char* what) { return run_subprocess({"timeout", "5", "sinfo", "-h", "-o", what}); };
    if (!start({"slurmctld", "-D", "-c"}, [&] { return sinfo("%P").status == 0; })) return;
    start({"slurmd", "-D", "-N", "localhost"}, [&] { return sinfo("%T").out == "idle\n"; });
  }
  ~cluster() {
    if (why_not_.empty()) {
      (void)run_subprocess({"timeout", "5", "scancel", "--user", fmt::format("{}", ::getuid())});
      const auto until = std::chrono::steady_clock::now() + 5s;
      while (std::chrono::steady_clock::now() < until && !running().empty()) std::this_thread::sleep_for(50ms);
    }
    for (auto d = daemons_.rbegin(); d != daemons_.rend(); ++d) {
      ::kill(*d, SIGTERM);
      bool gone = false;
      for (int i = 0; i < 300 && !gone; ++i) {
        gone = ::waitpid(*d, nullptr, WNOHANG) == *d;
        if (!gone) std::this_thread::sleep_for(10ms);
      }
      if (gone) continue;
      ::kill(*d, SIGKILL);
      ::waitpid(*d, nullptr, 0);
    }
  }
  cluster(const cluster&) = delete;
  cluster& operator=(const cluster&) = delete;

  /// Empty: it runs.
  const std::string& why_not() const { return why_not_; }
  /// squeue's line for each task that has not ended.
  static std::string running() {
    return run_subprocess({"timeout", "5", "squeue", "--noheader", "--array", "--format=%F_%K %T"}).out;
  }

 private:
  void write_configuration() {
    const passwd* user = ::getpwuid(::getuid());
    std::ofstream(directory_ / "slurm.conf")
        << "ClusterName=test\nSlurmctldHost=localhost(127.0.0.1)\n"
        << "SlurmUser=" << (user != nullptr ? user->pw_name : "root")
        << "\nSlurmdUser=" << (user != nullptr ? user->pw_name : "root") << "\nSlurmctldPort=" << free_port()
        << "\nSlurmdPort=" << free_port()
        << "\nAuthType=auth/munge\nCredType=cred/munge\nAuthInfo=socket=" << (directory_ / "munge.socket").string()
        << "\nStateSaveLocation=" << (directory_ / "state").string()
        << "\nSlurmdSpoolDir=" << (directory_ / "spool").string()
        << "\nSlurmctldPidFile=" << (directory_ / "slurmctld.pid").string()
        << "\nSlurmdPidFile=" << (directory_ / "slurmd.pid").string()
        << "\nSlurmctldLogFile=" << (directory_ / "log/slurmctld").string()
        << "\nSlurmdLogFile=" << (directory_ / "log/slurmd").string()
        << "\nProctrackType=proctrack/pgid\nTaskPlugin=task/none\nSwitchType=switch/none\nMpiDefault=none\n"
           "JobAcctGatherType=jobacct_gather/none\nAccountingStorageType=accounting_storage/none\n"
           "SelectType=select/cons_tres\nSelectTypeParameters=CR_CPU\nSlurmdParameters=config_overrides\n"
           "SchedulerType=sched/backfill\nSchedulerParameters=bf_interval=1,sched_interval=1,batch_sched_delay=0\n"
           "PropagateResourceLimits=NONE\nReturnToService=2\nKillWait=2\n"
           "NodeName=localhost NodeAddr=127.0.0.1 CPUs=4\nPartitionName=test Nodes=localhost Default=YES State=UP\n";
  }
  static unsigned free_port() {
    const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = ::htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof at;
    ::bind(fd, reinterpret_cast<sockaddr*>(&at), sizeof at);
    ::getsockname(fd, reinterpret_cast<sockaddr*>(&at), &size);
    ::close(fd);
    return ::ntohs(at.sin_port);
  }
  bool start(std::vector<std::string> words, const std::function<bool()>& up) {
    const std::string log = (directory_ / "log" / (words[0] + ".out")).string();
    std::vector<char*> arguments;
    for (std::string& w : words) arguments.push_back(w.data());
    arguments.push_back(nullptr);
    const pid_t pid = ::fork();
    if (pid == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      const int out = ::open(log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
      ::dup2(out, STDOUT_FILENO);
      ::dup2(out, STDERR_FILENO);
      ::execvp(arguments[0], arguments.data());
      ::dprintf(STDERR_FILENO, "%s: %s\n", arguments[0], ::strerror(errno));
      ::_exit(127);
    }
    daemons_.push_back(pid);
    const auto until = std::chrono::steady_clock::now() + 10s;
    bool ended = false;
    while (!ended && std::chrono::steady_clock::now() < until) {
      if (up()) return true;
      std::this_thread::sleep_for(50ms);
      ended = ::waitpid(pid, nullptr, WNOHANG) == pid;
    }
    if (ended) daemons_.pop_back();
    std::string last = "it says nothing";
    for (const std::string& name : {(directory_ / "log" / words[0]).string(), log}) {
      std::ifstream in(name);
      for (std::string line; std::getline(in, line);) {
        if (!line.empty()) last = line;
      }
    }
    why_not_ = fmt::format("{} {}: {}", words[0], ended ? "does not start" : "does not come up", last);
    return false;
  }

  fs::path directory_;
  std::vector<pid_t> daemons_;
  std::string why_not_;
};

class on_slurm : public study_program {
 protected:
  on_slurm() : slurm_(directory_ / "cluster") {}
  std::vector<std::string> words(const std::string& study, const std::string& chunk,
                                 std::vector<std::string> more = {}) {
    std::vector<std::string> all{RPSIM_PROGRAM, "study",   study, "--engine", "slurm",  "-j",
                                 "1",           "--chunk", chunk, "-o",       file("r")};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  /// In the background, what it says in a file.
  pid_t start_saying(const std::vector<std::string>& what, const std::string& to) {
    std::string line = "exec >" + file(to) + ".out 2>" + file(to) + ".err;exec";
    for (const std::string& w : what) line += " '" + w + "'";
    return start({"/bin/sh", "-c", line});
  }
  /// A process that Slurm started for a task; 0: none.
  static pid_t task_process(const std::string& directory) {
    const std::string wanted = fmt::format("study-task{}{}{}", '\0', directory, '\0');
    for (const auto& p : fs::directory_iterator("/proc")) {
      // Any of them may end while it is looked at.
      if (tool::read_file(p.path() / "cmdline").value_or("").find(wanted) == std::string::npos) continue;
      // Its children have the same words; it leads the group that they are in.
      const pid_t pid = std::stoi(p.path().filename().string());
      if (::getpgid(pid) == pid) return pid;
    }
    return 0;
  }
  cluster slurm_;
};

TEST_F(on_slurm, a_study_gives_the_table_of_one_machine_whatever_happens_to_its_tasks_and_its_coordinator) {
  if (!slurm_.why_not().empty()) GTEST_SKIP() << slurm_.why_not();
  const std::string s = stops(200);
  ASSERT_EQ(run(s, "here").status, 0);

  // Stopped: the job is cancelled, what has come is kept.
  pid_t pid = start_saying(words(s, "50"), "stopped");
  ASSERT_TRUE(
      comes([&] { return content("stopped.err").find("job 1: 400 points in 8 tasks\n") != std::string::npos; }, 10))
      << content("stopped.err");
  ASSERT_TRUE(comes([&] { return task_process(file("r/slurm/1")) != 0; }, 10));
  ::kill(pid, SIGINT);
  EXPECT_EQ(end_of(pid), 130) << content("stopped.err");
  EXPECT_THAT(content("stopped.err"), HasSubstr("cancelling job 1\n"));
  EXPECT_EQ(slurm_.running(), "");
  const int kept = std::stoi(ask("r", "SELECT count(*) FROM points"));
  ASSERT_LE(kept, 400 - 8);

  // One task is cancelled, others are killed until one of them was not at its end by then. They are held, so that
  // nothing happens before its time.
  const auto job_of = [&](const std::string& name) {
    EXPECT_TRUE(comes([&] { return content(name + ".err").find(" points in ") != std::string::npos; }, 10));
    const std::string said = content(name + ".err");
    return said.substr(4, said.find(':') - 4);  // "job 9: …"
  };
  const auto release = [](const std::string& of) {
    const auto r = run_subprocess({"scontrol", "release", of});
    EXPECT_EQ(r.status, 0) << r.out << r.err;
  };
  pid = start_saying(words(s, std::to_string((400 - kept) / 8), {"--resume", "--sbatch", "--hold"}), "hurt");
  std::string job = job_of("hurt");
  ASSERT_EQ(run_subprocess({"scancel", job + "_6"}).status, 0);
  release(job);
  const auto killed_in_time = [&] {
    if (content("hurt.err").find(" of job " + job + " ended as FAILED") != std::string::npos) return true;
    if (const pid_t task = task_process(file("r/slurm/1")); task != 0)
      ::kill(task, SIGKILL);  // the first array is gone
    return false;
  };
  EXPECT_TRUE(comes(killed_in_time, 20)) << content("hurt.err");
  EXPECT_EQ(end_of(pid), 3);
  EXPECT_THAT(content("hurt.err"), HasSubstr("task 6 of job " + job + " was cancelled before it began"));
  EXPECT_THAT(content("hurt.err"), HasSubstr("points did not run; --resume runs them"));

  // The coordinator is killed: its job goes on, and the next one waits for it.
  pid = start_saying(words(s, "400", {"--resume", "--sbatch", "--hold"}), "killed");
  job = job_of("killed");
  ::kill(pid, SIGKILL);
  EXPECT_EQ(end_of(pid), 128 + SIGKILL);
  pid = start_saying(words(s, "400", {"--resume"}), "whole");
  const std::string waits = "job " + job + " still has 1 task\njob " + job + " waits in the queue: JobHeldUser\n";
  EXPECT_TRUE(comes([&] { return content("whole.err") == waits; }, 20)) << content("whole.err");
  release(job);
  EXPECT_EQ(end_of(pid), 0) << content("whole.err");
  EXPECT_THAT(content("whole.err"), Not(HasSubstr(" points in ")));  // nothing was submitted twice
  for (const char* name : {"/points.csv", "/study.json"})
    EXPECT_EQ(content("r" + std::string(name)), content("here" + std::string(name)));
  EXPECT_FALSE(fs::exists(file("r/slurm")));
}

TEST_F(on_slurm, what_slurm_refuses_is_refused) {
  if (!slurm_.why_not().empty()) GTEST_SKIP() << slurm_.why_not();
  const auto r = run(stops(2), "r", {"--engine", "slurm", "--sbatch", "--partition=nowhere"});
  EXPECT_EQ(r.status, 2);
  EXPECT_THAT(r.err, HasSubstr("Invalid partition name specified"));
}

}  // namespace
}  // namespace rpsim
