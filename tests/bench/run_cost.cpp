// run_cost N COMMAND…: runs a command N times, output discarded; prints the best wall time and the largest resident
// size of any process of it (wait4's maximum over the tree).

#include <fcntl.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>

extern char** environ;

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: run_cost N COMMAND…\n");
    return 2;
  }
  posix_spawn_file_actions_t quiet;
  posix_spawn_file_actions_init(&quiet);
  posix_spawn_file_actions_addopen(&quiet, 1, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addopen(&quiet, 2, "/dev/null", O_WRONLY, 0);
  using clock = std::chrono::steady_clock;
  auto best = clock::duration::max();
  for (int i = std::atoi(argv[1]); i > 0; --i) {
    const auto start = clock::now();
    pid_t pid = 0;
    int status = 0;
    if (posix_spawnp(&pid, argv[2], &quiet, nullptr, argv + 2, environ) != 0 || waitpid(pid, &status, 0) != pid ||
        status != 0) {
      std::fprintf(stderr, "run_cost: %s failed\n", argv[2]);
      return 1;
    }
    best = std::min(best, clock::now() - start);
  }
  rusage usage{};
  getrusage(RUSAGE_CHILDREN, &usage);
  std::printf("%lld us %ld KiB\n",
              static_cast<long long>(std::chrono::duration_cast<std::chrono::microseconds>(best).count()),
              usage.ru_maxrss);
}
