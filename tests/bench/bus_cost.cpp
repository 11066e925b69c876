// bus_cost PATH N: one path, N times.

#include <cstdio>
#include <cstdlib>
#include <systemc>

#include "tests/bench/bus_paths.h"

int sc_main(int, char**) { return 0; }

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: bus_cost PATH N\n");
    return 2;
  }
  rpsim::bench::bus_paths paths;
  std::printf("%llu\n", static_cast<unsigned long long>(paths.run(argv[1], std::strtoull(argv[2], nullptr, 10))));
}
