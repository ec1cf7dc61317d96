#include "register.h"
#include "workload.h"

#include <genera/genera.h>

#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <stdexcept>
#include <utility>
#include <vector>

namespace bench {
namespace {

struct Row {
  const char* name;
  double items, gflop;
  Workload (*make)(bool small);
};

constexpr Row rows[] = {
#define WORKLOAD(name, items, gflop) {#name, items, gflop, name},
#define OPERATION(name)
#include "workloads.def"
#undef WORKLOAD
#undef OPERATION
};

const Row& row_of(std::string_view name) {
  for (const Row& row : rows)
    if (row.name == name) return row;
  std::string known;
  for (const Row& row : rows) known += (known.empty() ? "" : ", ") + std::string(row.name);
  throw std::invalid_argument("no model '" + std::string(name) + "'; there are " + known);
}

void add_workload(const Row& row) {
  add(row.name, row.items, row.gflop * 1e9, [make = row.make]() -> Step {
    auto steps = std::make_shared<std::uint64_t>(0);
    return [=, workload = make(false)] {
      Noise noise(Key(1).fold_in((*steps)++));
      workload.step(noise);
    };
  });
}

void add_all() {
  for (const Row& row : rows) add_workload(row);
#define WORKLOAD(name, items, gflop)
#define OPERATION(name) add_operation(#name);
#include "workloads.def"
#undef WORKLOAD
#undef OPERATION
  add_overhead();
}

/// What a step gave, as one number: a loss, or the mean square of samples.
double number_of(const Tensor& result) { return mean(square(result)).item<double>(); }

/// Runs three steps with the same draws. Returns their results as numbers.
std::vector<double> three_steps(const Workload& workload, std::vector<Tensor>& draws) {
  std::vector<double> results;
  for (int i = 0; i < 3; ++i) {
    Noise noise(Key(1), &draws);
    results.push_back(number_of(workload.step(noise)));
  }
  return results;
}

/// Writes a workload's first states, inputs and draws, and what three steps give, for another
/// program to do the same.
void write_case(const Row& row, const std::string& path, bool small) {
  const Workload workload = row.make(small);
  std::vector<io::NamedArray> arrays;
  const auto keep = [&](const std::string& name, const Tensor& value) {
    io::HostArray array = io::HostArray::zeros(value.dtype(), value.shape());
    value.copy_to(std::span(array.bytes));
    arrays.push_back({name, std::move(array)});
  };
  for (const State& state : workload.states) keep("state." + state.name(), state);
  for (const auto& [name, value] : workload.inputs) keep("input." + name, value);
  std::vector<Tensor> draws;
  const std::vector<double> results = three_steps(workload, draws);
  for (std::size_t i = 0; i < draws.size(); ++i) keep("draw." + std::to_string(i), draws[i]);
  const Tensor all = Tensor::from(std::vector<double>(results), {3});
  keep("results", all);
  io::write_safetensors(path, io::views(arrays));
}

/// One step of each small workload and of nothing else; its result must be a number.
int smoke() {
  for (const Row& row : rows) {
    std::vector<Tensor> draws;
    for (const double result : three_steps(row.make(true), draws))
      if (!std::isfinite(result)) {
        std::fprintf(stderr, "%s: a step gives %g\n", row.name, result);
        return 1;
      }
    std::printf("%s\n", row.name);
  }
  return 0;
}

void profile(const Row& row, const char* trace) {
  set_threads(1);
  const Workload workload = row.make(false);
  const auto step = [&](std::uint64_t i) {
    Noise noise(Key(1).fold_in(i));
    workload.step(noise);
  };
  step(0);
  step(1);
  start_profile();
  for (std::uint64_t i = 2; i < 5; ++i) step(i);
  const std::vector<ProfileEntry> entries = stop_profile();
  std::printf("%s", format_profile(entries).c_str());
  if (!trace) return;
  const std::string text = profile_trace();
  io::write_file_atomically(trace, std::as_bytes(std::span(text)));
}

/// What a step of each model costs whatever computes it: the sizes behind estimates for other devices.
void print_counts() {
  std::printf("%-20s %8s %10s %10s %12s\n", "", "steps", "GFLOP", "MB moved", "FLOP/byte");
  for (const Row& row : rows) {
    const Workload workload = row.make(false);
    Noise noise(Key(1));
    workload.step(noise);  // the first also makes what is made once
    start_profile();
    workload.step(noise);
    double runs = 0, flops = 0, bytes = 0;
    for (const ProfileEntry& entry : stop_profile()) {
      runs += static_cast<double>(entry.runs);
      flops += entry.flops;
      bytes += entry.bytes;
    }
    std::printf("%-20s %8.0f %10.3f %10.1f %12.1f\n", row.name, runs, flops * 1e-9, bytes * 1e-6,
                flops / bytes);
  }
}

constexpr char usage[] =
    "genera-bench [--benchmark_...]        measure (Google Benchmark's options, below), as in\n"
    "    genera-bench --benchmark_list_tests      what there is\n"
    "    genera-bench --benchmark_filter=vae_mlp  that alone, on each number of threads\n"
    "genera-bench --smoke                  one look at each small workload\n"
    "genera-bench --case NAME FILE [small] write weights, input, draws and results (safetensors)\n"
    "genera-bench --profile NAME [FILE]    where a model's time goes, on one thread; FILE: a trace "
    "for Chrome\n"
    "genera-bench --counts                 plan steps, FLOP and bytes of one step of each model\n"
    "genera-bench --tune --device vulkan   find and store what suits the device\n"
    "Any of them with --device cpu|vulkan|vulkan:N|vulkan:NAME; what a device did is printed "
    "last\n";

std::string device = "cpu";

/// Takes --device NAME out of the arguments.
void take_device(int& argc, char** argv) {
  for (int i = 1; i + 1 < argc; ++i)
    if (std::string_view(argv[i]) == "--device") {
      device = argv[i + 1];
      std::copy(argv + i + 2, argv + argc, argv + i);
      argc -= 2;
      break;
    }
  set_device(device);
}

int run(int argc, char** argv) {
  const std::string_view verb = argc > 1 ? argv[1] : "";
  if (verb == "--help") std::printf("%s\n", usage);
  if (verb == "--smoke") return smoke();
  if (verb == "--case" && argc > 3) {
    write_case(row_of(argv[2]), argv[3], argc > 4 && std::string_view(argv[4]) == "small");
    return 0;
  }
  if (verb == "--profile" && argc > 2) {
    profile(row_of(argv[2]), argc > 3 ? argv[3] : nullptr);
    return 0;
  }
  if (verb == "--counts") {
    print_counts();
    return 0;
  }
  if (verb == "--tune") {
    std::printf("%s", tune_device().c_str());
    return 0;
  }
  if (verb == "--case" || verb == "--profile") {
    std::fprintf(stderr, "error: %.*s needs the name of a model%s (--help explains)\n",
                 static_cast<int>(verb.size()), verb.data(), verb == "--case" ? " and a file" : "");
    return 2;
  }
  add_all();
  benchmark::AddCustomContext("device", device);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}

/// How long steps took, each by itself, in milliseconds; short ones in groups of about 0.2 ms, as
/// bench/peers/timing.py has it. A mean over all of them would hold whatever else the machine did
/// for a moment.
class Samples {
 public:
  explicit Samples(const Step& step) {
    step();
    const double once = lap();
    group_ = std::max(1, static_cast<int>(0.2 / std::max(once, 1e-4)));
  }
  /// After each step.
  void count() {
    if (++steps_ < group_) return;
    values_.push_back(lap() / group_);
    steps_ = 0;
  }
  double median() { return at(values_.size() / 2); }
  double smallest() { return at(0); }

 private:
  using Clock = std::chrono::steady_clock;
  double lap() {
    const Clock::time_point now = Clock::now();
    return std::chrono::duration<double, std::milli>(now - std::exchange(last_, now)).count();
  }
  double at(std::size_t i) {
    if (values_.empty()) values_.push_back(lap() / std::max(steps_, 1));
    std::nth_element(values_.begin(), values_.begin() + static_cast<std::ptrdiff_t>(i),
                     values_.end());
    return values_[i];
  }

  Clock::time_point last_ = Clock::now();
  int group_ = 1, steps_ = 0;
  std::vector<double> values_;
};

}  // namespace

void add(const std::string& name, double items, double flops, std::function<Step()> make) {
  const bool on_cpu = device == "cpu";
  for (const int threads : {1, 2}) {
    if (!on_cpu && threads > 1) break;
    benchmark::RegisterBenchmark(
        (name + (on_cpu ? "/threads:" + std::to_string(threads) : "/device")).c_str(),
        [=](benchmark::State& state) {
          genera::set_threads(threads);
          try {
            const Step step = make();
            const auto whole_step = [&] {
              step();
              wait_for_device();
            };
            constexpr int warm_up = 2;
            for (int i = 0; i < warm_up; ++i) whole_step();
            Samples samples(whole_step);
            for (auto _ : state) {
              whole_step();
              samples.count();
            }
            state.counters["median_ms"] = samples.median();
            state.counters["min_ms"] = samples.smallest();
          } catch (const Error& error) {  // a device too small for one may do for the others
            state.SkipWithError(error.what());
            return;
          }
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
  try {
    genera::set_warning_handler([](std::string_view text) {
      std::fprintf(stderr, "warning: %.*s\n", static_cast<int>(text.size()), text.data());
    });
    bench::take_device(argc, argv);
    const int status = bench::run(argc, argv);
    std::fprintf(stderr, "%s", genera::device_report().c_str());
    return status;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return 1;
  }
}
