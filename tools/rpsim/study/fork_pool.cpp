#include "tools/rpsim/study/fork_pool.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <malloc.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cinttypes>
#include <climits>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <systemc>

namespace rpsim::tool {

namespace {

/// What goes up the pipe. A frame is written whole or not at all (PIPE_BUF), so frames of several writers do not mix.
struct frame_head {
  enum kind : std::uint8_t { ready, refused, broken, part, finished, failed, exited, killed, out_of_time };
  std::uint64_t job = 0;
  std::uint16_t size = 0;
  kind what = ready;
  std::uint8_t code = 0;
};
constexpr std::size_t PAYLOAD = PIPE_BUF - sizeof(frame_head);
constexpr int RESULT_PIPE_BYTES = 1 << 20;

bool write_all(int fd, const void* from, std::size_t size) {
  const char* at = static_cast<const char*>(from);
  while (size != 0) {
    const ssize_t done = ::write(fd, at, size);
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) return false;
    at += done;
    size -= static_cast<std::size_t>(done);
  }
  return true;
}

/// False: nobody listens any more.
bool send(int fd, std::uint64_t job, frame_head::kind last, std::string_view text, int code = 0) {
  char buffer[PIPE_BUF];
  do {
    const std::string_view now = text.substr(0, PAYLOAD);
    text.remove_prefix(now.size());
    frame_head head;
    head.job = job;
    head.size = static_cast<std::uint16_t>(now.size());
    head.what = text.empty() ? last : frame_head::part;
    head.code = static_cast<std::uint8_t>(code);
    std::memcpy(buffer, &head, sizeof head);
    std::copy(now.begin(), now.end(), buffer + sizeof head);
    if (!write_all(fd, buffer, sizeof head + now.size())) return false;
  } while (!text.empty());
  return true;
}

int wait_for(pid_t child) {
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

/// Ends with whoever started it, so that nothing is left when that one is killed.
void end_with_parent() { ::prctl(PR_SET_PDEATHSIG, SIGKILL); }

[[noreturn]] void child(const fork_pool::work& work, std::uint64_t job, int results, const itimerval& limit) {
  end_with_parent();
  ::setitimer(ITIMER_REAL, &limit, nullptr);  // SIGALRM ends the process, wherever it is
  bool sent = false;
  try {
    sent = send(results, job, frame_head::finished, work(job));
  } catch (const std::exception& e) {
    sent = send(results, job, frame_head::failed, e.what());
  }
  ::_exit(sent ? 0 : 1);
}

[[noreturn]] void worker(const fork_pool::work& work, const fork_pool::options& o, int jobs, int results,
                         const itimerval& limit) {
  end_with_parent();
  job_range range;
  while (::read(jobs, &range, sizeof range) == sizeof range) {
    for (std::uint64_t job = range.first; job < range.first + range.count; ++job) {
      try {
        if (o.before_fork) o.before_fork(job);
      } catch (const std::exception& e) {
        send(results, job, frame_head::failed, e.what());
        continue;
      }
      const pid_t pid = ::fork();
      if (pid == 0) child(work, job, results, limit);
      if (pid < 0) {
        send(results, job, frame_head::failed, fmt::format("fork: {}", std::strerror(errno)));
        continue;
      }
      const int status = wait_for(pid);
      bool heard = true;
      if (WIFSIGNALED(status)) {
        const int signal = WTERMSIG(status);
        heard = send(results, job, signal == SIGALRM ? frame_head::out_of_time : frame_head::killed, {}, signal);
      } else if (WEXITSTATUS(status) != 0) {
        heard = send(results, job, frame_head::exited, {}, WEXITSTATUS(status));
      }
      if (!heard) ::_exit(1);
    }
  }
  ::_exit(0);
}

/// SystemC's pool for the temporaries of its arithmetic types, which nothing here uses: 3 MiB that it fills with zeros
/// when the program starts. They are as much zero after they are given back.
void give_back_systemc_pool() {
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto from = (reinterpret_cast<std::uintptr_t>(sc_core::sc_temp_heap.m_bgn_p) + page - 1) / page * page;
  const auto to = reinterpret_cast<std::uintptr_t>(sc_core::sc_temp_heap.m_end_p) / page * page;
  if (from < to) ::madvise(reinterpret_cast<void*>(from), to - from, MADV_DONTNEED);
}

/// Linux leaves out the page tables of a file's mapping when it forks, unless the mapping has a page of its own; every
/// child then takes a fault for each 64 KiB of code and constants that it comes to. So each such mapping gets a page:
/// its first byte is written with what it is. Where that is not allowed, the faults remain.
void let_children_inherit_files() {
  const int memory = ::open("/proc/self/mem", O_RDWR | O_CLOEXEC);
  if (memory < 0) return;
  std::ifstream maps("/proc/self/maps");
  std::string line;
  while (std::getline(maps, line)) {
    std::uintptr_t from = 0;
    char access[5];
    if (std::sscanf(line.c_str(), "%" SCNxPTR "-%*x %4s", &from, access) != 2) continue;
    const bool constant = std::strcmp(access, "r-xp") == 0 || std::strcmp(access, "r--p") == 0;
    if (!constant || line.find(" /") == std::string::npos) continue;
    const char first = *reinterpret_cast<const volatile char*>(from);
    if (::pwrite(memory, &first, 1, static_cast<off_t>(from)) != 1) break;
  }
  ::close(memory);
}

/// A fork copies the tables of every page that is there.
void make_small() {
  ::malloc_trim(0);
  give_back_systemc_pool();
  let_children_inherit_files();
}

[[noreturn]] void snapshot(const fork_pool::prepare& make, const fork_pool::options& o, int jobs, int results) {
  end_with_parent();
  std::signal(SIGINT, SIG_IGN);  // the terminal sends it to everybody; the caller decides what it means
  fork_pool::work work;
  try {
    std::string about;
    work = make(about);
    make_small();
    send(results, 0, frame_head::ready, about);
  } catch (const std::exception& e) {
    send(results, 0, frame_head::refused, e.what());
    ::_exit(0);
  }
  itimerval limit{};
  limit.it_value.tv_sec = o.limit.count() / 1000;
  limit.it_value.tv_usec = o.limit.count() % 1000 * 1000;
  for (unsigned i = 0; i < o.workers; ++i) {
    const pid_t pid = ::fork();
    if (pid == 0) worker(work, o, jobs, results, limit);
    if (pid < 0) {
      send(results, 0, frame_head::broken, fmt::format("fork: {}", std::strerror(errno)));
      ::_exit(1);
    }
  }
  int status = 0;
  for (pid_t pid = ::wait(&status); pid > 0 || errno == EINTR; pid = ::wait(&status)) {
    if (pid <= 0 || status == 0) continue;
    send(results, 0, frame_head::broken,
         WIFSIGNALED(status)
             ? fmt::format("a worker was killed by signal {} ({})", WTERMSIG(status), ::strsignal(WTERMSIG(status)))
             : fmt::format("a worker ended with status {}", WEXITSTATUS(status)));
  }
  ::_exit(0);
}

void close_fd(int& fd) {
  if (fd >= 0) ::close(fd);
  fd = -1;
}

}  // namespace

std::string reason(const job_end& e) {
  switch (e.how) {
    case job_end::kind::finished:
      return "";
    case job_end::kind::failed:
      return fmt::format("internal error: {}", e.result);
    case job_end::kind::exited:
      return fmt::format("ended with status {}", e.code);
    case job_end::kind::killed:
      return fmt::format("killed by signal {} ({})", e.code, ::strsignal(e.code));
    case job_end::kind::out_of_time:
      return "out of time";
  }
  return "?";
}

void bind_all_calls(char** argv) {
  constexpr const char* BIND_NOW = "LD_BIND_NOW";  // ld.so(8)
  if (std::getenv(BIND_NOW) != nullptr) {
    ::unsetenv(BIND_NOW);  // Slurm's programs do not find their plugins under it
    return;
  }
  std::error_code error;
  const std::string self = std::filesystem::read_symlink("/proc/self/exe", error).string();
  ::setenv(BIND_NOW, "1", 1);
  ::execv(self.c_str(), argv);
  ::unsetenv(BIND_NOW);
}

fork_pool::fork_pool(const prepare& make, const options& o) {
  int jobs[2], results[2];
  if (::pipe2(jobs, O_CLOEXEC) != 0 || ::pipe2(results, O_CLOEXEC) != 0)
    throw snapshot_failed(fmt::format("pipe: {}", std::strerror(errno)));
  ::fcntl(results[1], F_SETPIPE_SZ, RESULT_PIPE_BYTES);  // a hint
  snapshot_ = ::fork();
  if (snapshot_ < 0) throw snapshot_failed(fmt::format("fork: {}", std::strerror(errno)));
  if (snapshot_ == 0) {
    ::close(jobs[1]);
    ::close(results[0]);
    snapshot(make, o, jobs[0], results[1]);
  }
  ::close(jobs[0]);
  ::close(results[1]);
  jobs_ = jobs[1];
  results_ = results[0];
  std::vector<job_end> none;
  try {
    while (about_.empty()) receive(none);
  } catch (...) {
    close_fd(jobs_);
    close_fd(results_);
    wait_for(snapshot_);
    throw;
  }
  about_.pop_back();  // see receive()
}

fork_pool::~fork_pool() {
  // Its workers and their children end with it. The end of the jobs would not reach them: a pool that was made after
  // this one has inherited the other end of that pipe.
  ::kill(snapshot_, SIGKILL);
  close_fd(jobs_);
  close_fd(results_);
  wait_for(snapshot_);
}

void fork_pool::give(job_range jobs) {
  if (jobs.count == 0) return;
  for (std::uint64_t i = 0; i < jobs.count; ++i) open_.insert(jobs.first + i);
  if (!write_all(jobs_, &jobs, sizeof jobs)) throw snapshot_failed("the workers are gone");
}

std::vector<job_end> fork_pool::take(std::chrono::milliseconds patience) {
  std::vector<job_end> ended;
  pollfd fd{results_, POLLIN, 0};
  if (::poll(&fd, 1, static_cast<int>(patience.count())) > 0) receive(ended);
  // A child may die after it has said everything; its worker says so, and that is no second end.
  std::erase_if(ended, [&](const job_end& e) { return open_.erase(e.job) == 0; });
  return ended;
}

void fork_pool::receive(std::vector<job_end>& ended) {
  char buffer[65536];
  const ssize_t got = ::read(results_, buffer, sizeof buffer);
  if (got < 0 && errno == EINTR) return;
  if (got <= 0) throw snapshot_failed("the process that holds the snapshot ended");
  received_.append(buffer, static_cast<std::size_t>(got));
  std::size_t at = 0;
  while (received_.size() - at >= sizeof(frame_head)) {
    frame_head head;
    std::memcpy(&head, received_.data() + at, sizeof head);
    if (received_.size() - at < sizeof head + head.size) break;
    std::string text = received_.substr(at + sizeof head, head.size);
    at += sizeof head + head.size;
    if (head.what == frame_head::part) {
      parts_[head.job] += text;
      continue;
    }
    if (const auto before = parts_.find(head.job); before != parts_.end()) {
      // What a child said before it died is no result.
      if (head.what < frame_head::exited) text = before->second + text;
      parts_.erase(before);
    }
    switch (head.what) {
      case frame_head::ready:
        about_ = text + '\n';  // never empty
        break;
      case frame_head::refused:
      case frame_head::broken:
        throw snapshot_failed(text);
      case frame_head::finished:
        ended.push_back({head.job, job_end::kind::finished, 0, std::move(text)});
        break;
      case frame_head::failed:
        ended.push_back({head.job, job_end::kind::failed, 0, std::move(text)});
        break;
      case frame_head::exited:
        ended.push_back({head.job, job_end::kind::exited, head.code, {}});
        break;
      case frame_head::killed:
        ended.push_back({head.job, job_end::kind::killed, head.code, {}});
        break;
      default:
        ended.push_back({head.job, job_end::kind::out_of_time, head.code, {}});
    }
  }
  received_.erase(0, at);
}

}  // namespace rpsim::tool
