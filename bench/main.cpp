#include "register.h"

#include <genera/stats.h>

#include <benchmark/benchmark.h>

namespace bench {

void add(const std::string& name, double items, double flops,
         std::function<std::function<void()>()> make) {
  for (const int threads : {1, 2}) {
    benchmark::RegisterBenchmark(
        (name + "/threads:" + std::to_string(threads)).c_str(),
        [=](benchmark::State& state) {
          genera::set_threads(threads);
          const std::function<void()> step = make();
          constexpr int warm_up = 3;
          for (int i = 0; i < warm_up; ++i) step();
          for (auto _ : state) step();
          using benchmark::Counter;
          state.counters["items/s"] = Counter(items, Counter::kIsIterationInvariantRate);
          if (flops > 0)
            state.counters["FLOP/s"] = Counter(flops, Counter::kIsIterationInvariantRate);
        })
        ->Unit(benchmark::kMillisecond)
        ->UseRealTime();
  }
}

}  // namespace bench

int main(int argc, char** argv) {
  bench::register_models();
  bench::register_operations();
  bench::register_overhead();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
