#include "models/common/subprocess.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <system_error>

extern char** environ;

namespace rpsim {

namespace {
struct channel {
  int read = -1, write = -1;
  channel() {
    std::array<int, 2> ends{};
    if (pipe2(ends.data(), O_CLOEXEC) != 0) throw std::system_error(errno, std::generic_category(), "pipe");
    read = ends[0];
    write = ends[1];
  }
  ~channel() {
    close_end(read);
    close_end(write);
  }
  channel(const channel&) = delete;
  channel& operator=(const channel&) = delete;
  static void close_end(int& fd) {
    if (fd >= 0) close(fd);
    fd = -1;
  }
};
}  // namespace

subprocess_result run_subprocess(const std::vector<std::string>& argv, const std::string& input) {
  channel in, out, err;
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in.read, 0);
  posix_spawn_file_actions_adddup2(&actions, out.write, 1);
  posix_spawn_file_actions_adddup2(&actions, err.write, 2);
  std::vector<char*> arguments;
  for (const std::string& a : argv) arguments.push_back(const_cast<char*>(a.c_str()));
  arguments.push_back(nullptr);
  pid_t pid = 0;
  const int failed = posix_spawnp(&pid, arguments[0], &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  subprocess_result result;
  if (failed != 0) {
    result.status = 127;
    result.err = std::strerror(failed);
    return result;
  }
  channel::close_end(in.read);
  channel::close_end(out.write);
  channel::close_end(err.write);
  fcntl(in.write, F_SETFL, O_NONBLOCK);

  // A child that stops reading must end its own input, not this process.
  struct sigaction ignore {
  }, before{};
  ignore.sa_handler = SIG_IGN;
  sigaction(SIGPIPE, &ignore, &before);
  std::size_t written = 0;
  if (input.empty()) channel::close_end(in.write);
  while (out.read >= 0 || err.read >= 0) {
    std::array<pollfd, 3> waits{{{out.read, POLLIN, 0}, {err.read, POLLIN, 0}, {in.write, POLLOUT, 0}}};
    if (poll(waits.data(), waits.size(), -1) < 0 && errno != EINTR) break;
    const auto drain = [](const pollfd& p, int& fd, std::string& to) {
      if (fd < 0 || p.revents == 0) return;
      std::array<char, 65536> buffer;
      const ssize_t n = read(fd, buffer.data(), buffer.size());
      if (n > 0) {
        to.append(buffer.data(), static_cast<std::size_t>(n));
      } else if (n == 0 || errno != EINTR) {
        channel::close_end(fd);
      }
    };
    drain(waits[0], out.read, result.out);
    drain(waits[1], err.read, result.err);
    if (in.write >= 0 && waits[2].revents != 0) {
      const ssize_t n = write(in.write, input.data() + written, input.size() - written);
      if (n > 0) written += static_cast<std::size_t>(n);
      if ((n < 0 && errno != EAGAIN && errno != EINTR) || written == input.size()) channel::close_end(in.write);
    }
  }
  sigaction(SIGPIPE, &before, nullptr);
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  result.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return result;
}

}  // namespace rpsim
