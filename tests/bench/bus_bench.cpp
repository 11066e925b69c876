#include <benchmark/benchmark.h>

#include <string>
#include <systemc>

#include "tests/bench/bus_paths.h"

int sc_main(int, char**) { return 0; }

int main(int argc, char** argv) {
  rpsim::bench::bus_paths paths;
  for (const std::string_view name : rpsim::bench::bus_paths::names()) {
    benchmark::RegisterBenchmark(std::string(name).c_str(), [&paths, name](benchmark::State& state) {
      for (auto _ : state) benchmark::DoNotOptimize(paths.run(name, 1000));
      state.SetItemsProcessed(state.iterations() * 1000);
    });
  }
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
