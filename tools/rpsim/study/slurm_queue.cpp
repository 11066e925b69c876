#include "tools/rpsim/study/slurm_queue.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <sstream>

#include "models/common/subprocess.h"

namespace rpsim::tool {

namespace {

constexpr std::uint64_t MOST_TASKS = 1000;  // MaxArraySize is 1001 unless the site says otherwise (slurm.conf(5))

/// timeout(1) bounds what waits for a controller, and its process group is not the terminal's: Ctrl-C is ours alone.
subprocess_result ask(std::vector<std::string> words, const char* seconds = "30") {
  words.insert(words.begin(), {"timeout", "--kill-after=5", seconds});
  return run_subprocess(words);
}

/// The last thing said, in one line.
std::string said(const subprocess_result& r) {
  std::string text = r.err.empty() ? r.out : r.err;
  while (text.ends_with('\n')) text.pop_back();
  const std::size_t line = text.rfind('\n');
  if (line != std::string::npos) text.erase(0, line + 1);
  return text.empty() ? (r.status == 124 ? "no answer within its time" : fmt::format("exit status {}", r.status))
                      : text;
}

std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t n = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return n;
}

}  // namespace

slurm_queue::slurm_queue() {
  // At once, whereas sbatch and squeue go on trying for ten seconds.
  const subprocess_result ping = ask({"scontrol", "ping"}, "20");
  if (ping.status == 127)
    throw slurm_refused(
        "--engine slurm: Slurm's programs (scontrol, sbatch, squeue, scancel) are not in PATH; run this where they are "
        "(Debian: slurm-client), or on this machine alone with --engine local");
  if (ping.out.find(" is UP") == std::string::npos) {
    std::string first = ping.out.empty() ? said(ping) : ping.out.substr(0, ping.out.find('\n'));
    throw slurm_refused(
        fmt::format("--engine slurm: the controller of Slurm does not answer ({}); see `scontrol ping` and SLURM_CONF, "
                    "or run on this machine alone with --engine local",
                    first));
  }
  const subprocess_result limits = ask({"scontrol", "show", "config"});
  most_tasks_ = MOST_TASKS;
  std::istringstream lines(limits.out);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("MaxArraySize")) continue;
    const std::size_t value = line.find_last_of(" =");
    most_tasks_ = std::min(most_tasks_, number(line.substr(value + 1)).value_or(MOST_TASKS));
  }
  if (most_tasks_ == 0) throw slurm_refused("--engine slurm: this Slurm takes no job arrays (MaxArraySize = 0)");
}

std::uint64_t slurm_queue::submit(const std::string& directory, std::uint64_t tasks,
                                  const std::vector<std::string>& options) {
  std::vector<std::string> words{"sbatch"};
  words.insert(words.end(), options.begin(), options.end());
  // The last one counts. The log's name is seen from the directory: a % in that is none of sbatch's.
  for (std::string word : {std::string("--parsable"), fmt::format("--array=0-{}", tasks - 1), "--chdir=" + directory,
                           std::string("--output=task-%a.log"), std::string("--error=task-%a.log"),
                           std::string("--open-mode=append"), directory + "/task.sh"})
    words.push_back(std::move(word));
  const subprocess_result r = ask(words);
  if (r.status == 127) throw slurm_refused("--engine slurm: there is no sbatch in PATH");
  std::string answer = r.out;
  while (answer.ends_with('\n')) answer.pop_back();
  answer.erase(0, answer.rfind('\n') + 1);  // 0 if there is none
  const std::size_t semicolon = answer.find(';');
  if (semicolon != std::string::npos) cluster_ = answer.substr(semicolon + 1);
  const auto job = number(answer.substr(0, semicolon));
  if (r.status != 0 || !job) throw slurm_refused(fmt::format("--engine slurm: sbatch refuses the job: {}", said(r)));
  return *job;
}

bool slurm_queue::task::ended() const {
  // squeue(1), "Job state codes": all others are on their way, or come back.
  static constexpr std::array ENDED{"BOOT_FAIL", "CANCELLED",     "COMPLETED", "DEADLINE", "FAILED",
                                    "NODE_FAIL", "OUT_OF_MEMORY", "PREEMPTED", "REVOKED",  "TIMEOUT"};
  return std::ranges::find(ENDED, state) != ENDED.end();
}

std::optional<std::vector<slurm_queue::task>> slurm_queue::tasks() const {
  std::vector<std::string> words{"squeue",
                                 "--noheader",
                                 "--array",
                                 "--states=all",
                                 "--user",
                                 fmt::format("{}", ::getuid()),
                                 "--format=%F|%K|%T|%r|%Z"};
  if (!cluster_.empty()) words.push_back("--clusters=" + cluster_);
  const subprocess_result r = ask(words);
  if (r.status != 0) return std::nullopt;
  std::vector<task> all;
  std::istringstream lines(r.out);
  for (std::string line; std::getline(lines, line);) {
    std::array<std::string, 4> words_of;
    std::size_t at = 0;
    for (std::string& w : words_of) {
      const std::size_t end = std::min(line.find('|', at), line.size());
      w = line.substr(at, end - at);
      at = std::min(end + 1, line.size());
    }
    const auto job = number(words_of[0]), index = number(words_of[1]);
    if (job && index) all.push_back({*job, *index, words_of[2], words_of[3], line.substr(at)});
  }
  return all;
}

std::string slurm_queue::accounting(std::uint64_t job, std::uint64_t index) const {
  std::vector<std::string> words{"sacct",
                                 "--noheader",
                                 "--parsable2",
                                 "--allocations",
                                 "--format=State,ExitCode",
                                 fmt::format("--jobs={}_{}", job, index)};
  if (!cluster_.empty()) words.push_back("--clusters=" + cluster_);
  const subprocess_result r = ask(words);
  if (r.status != 0) return {};
  const std::string line = r.out.substr(0, r.out.find('\n'));
  const std::size_t bar = line.find('|');
  return bar == std::string::npos ? "" : fmt::format("{}, exit {}", line.substr(0, bar), line.substr(bar + 1));
}

void slurm_queue::cancel(std::uint64_t job) const {
  std::vector<std::string> words{"scancel", "--quiet", fmt::format("{}", job)};
  if (!cluster_.empty()) words.insert(words.begin() + 1, "--clusters=" + cluster_);
  (void)ask(words);  // whether it was, the queue tells
}

}  // namespace rpsim::tool
