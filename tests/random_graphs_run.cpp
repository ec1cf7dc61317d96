#include "backends/backend.h"
#include "engine/core/thread_pool.h"
#include "engine/plan/evaluate.h"
#include "tests/random_graphs.h"

#include <genera/profile.h>

#include <fmt/format.h>

#include <cmath>
#include <cstring>

namespace genera::random_graphs {
namespace {

/// All switches as the mode says, until it goes away.
class Switched {
 public:
  explicit Switched(const Mode& mode) : options_(plan_options()), threads_(thread_count()) {
    set_plan_options({.fuse = mode.fuse, .plan_memory = mode.plan_memory, .poison = mode.poison});
    set_eager_mode(mode.eager);
    set_thread_count(mode.threads);
  }
  ~Switched() {
    set_plan_options(options_);
    set_eager_mode(false);
    set_thread_count(threads_);
  }
  Switched(const Switched&) = delete;
  Switched& operator=(const Switched&) = delete;

 private:
  PlanOptions options_;
  int threads_;
};

std::vector<Tensor> all_of(const Graph& graph) {
  std::vector<Tensor> all = graph.roots;
  all.insert(all.end(), graph.held.begin(), graph.held.end());
  return all;
}

std::string shown(DType dtype, const std::byte* at) {
  if (dtype == DType::f32) {
    float value;
    std::memcpy(&value, at, sizeof value);
    return fmt::format("{:.9g}", value);
  }
  std::int32_t value = 0;
  std::memcpy(&value, at, size_of(dtype));
  return std::to_string(value);
}

bool is_nan(DType dtype, const std::byte* at) {
  if (dtype != DType::f32) return false;
  float value;
  std::memcpy(&value, at, sizeof value);
  return std::isnan(value);
}

/// "" when equal bit for bit; any NaN equals any NaN, whose sign and payload mean nothing.
std::string difference(const std::vector<Tensor>& tensors, const Values& a, const Values& b) {
  for (std::size_t t = 0; t < a.size(); ++t) {
    const std::size_t size = size_of(tensors[t].dtype());
    for (std::size_t at = 0; at < a[t].size(); at += size) {
      if (std::memcmp(&a[t][at], &b[t][at], size) == 0) continue;
      const DType dtype = tensors[t].dtype();
      if (is_nan(dtype, &a[t][at]) && is_nan(dtype, &b[t][at])) continue;
      return fmt::format("tensor {} {} {}: element {} is {}, before it was {}", t, name(dtype),
                         to_string(tensors[t].shape()), at / size, shown(dtype, &b[t][at]),
                         shown(dtype, &a[t][at]));
    }
  }
  return {};
}

double as_number(DType dtype, const std::byte* at) {
  if (dtype == DType::f32) {
    float value;
    std::memcpy(&value, at, sizeof value);
    return value;
  }
  std::int32_t value = 0;
  std::memcpy(&value, at, size_of(dtype));
  return value;
}

/// Rounding may move a value by what the generator worked out, twice over, and what is left of it
/// has to be small for the comparison to mean something.
std::string far_apart(const Graph& graph, const Values& got, const Values& expected,
                      int& compared) {
  constexpr double meaningful = 0.05;
  const std::vector<Tensor> tensors = all_of(graph);
  for (std::size_t t = 0; t < tensors.size(); ++t) {
    if (!(graph.error[t] <= meaningful)) continue;
    ++compared;
    const DType dtype = tensors[t].dtype();
    const double allowed = 2 * graph.error[t] + 1e-6;
    const std::size_t size = size_of(dtype);
    for (std::size_t at = 0; at < got[t].size(); at += size) {
      const double a = as_number(dtype, &got[t][at]), b = as_number(dtype, &expected[t][at]);
      if (a == b || std::abs(a - b) <= allowed || (std::isnan(a) && std::isnan(b))) continue;
      return fmt::format(
          "tensor {} {} {}: element {} is {:.9g}, expected {:.9g}, allowed "
          "{:.2g}",
          t, name(dtype), to_string(tensors[t].shape()), at / size, a, b, allowed);
    }
  }
  return {};
}

}  // namespace

const std::vector<Mode>& modes() {
  static const std::vector<Mode> all{
      {.name = "fused"},
      {.name = "unfused", .fuse = false},
      {.name = "no two intermediates share memory", .plan_memory = false},
      {.name = "fused, poisoned arena", .poison = true},
      {.name = "unfused, poisoned arena", .fuse = false, .poison = true},
      {.name = "eager", .eager = true},
      {.name = "2 threads", .threads = 2},
      {.name = "3 threads", .threads = 3},
      {.name = "4 threads", .threads = 4},
      {.name = "4 threads, unfused", .fuse = false, .threads = 4},
  };
  return all;
}

Values run(const Recipe& recipe, const Mode& mode) {
  const Switched switched(mode);
  const Graph graph = build(recipe);
  eval(graph.roots);
  Values values;
  for (const Tensor& tensor : all_of(graph)) {
    std::vector<std::byte> bytes(static_cast<std::size_t>(tensor.elements()) *
                                 size_of(tensor.dtype()));
    tensor.copy_to(bytes);
    values.push_back(std::move(bytes));
  }
  return values;
}

Outcome check(const Recipe& recipe) {
  Outcome outcome;
  try {
    const Graph graph = build(recipe);
    const std::vector<Tensor> tensors = all_of(graph);
    const Values first = run(recipe, modes()[0]);
    for (std::size_t m = 1; m < modes().size(); ++m) {
      const std::string what = difference(tensors, first, run(recipe, modes()[m]));
      if (what.empty()) continue;
      outcome.failure = fmt::format("seed {}, mode \"{}\" against \"{}\": {}", recipe.seed,
                                    modes()[m].name, modes()[0].name, what);
      return outcome;
    }
    set_current_backend("reference");
    const Values reference = run(recipe, modes()[0]);
    set_current_backend("cpu");
    const std::string what = far_apart(graph, first, reference, outcome.compared_with_reference);
    if (!what.empty()) outcome.failure = fmt::format("seed {}: {}", recipe.seed, what);
  } catch (const std::exception& error) {
    set_current_backend("cpu");
    outcome.failure = fmt::format("seed {}: threw {}", recipe.seed, error.what());
  }
  return outcome;
}

Outcome check_backends(const Recipe& recipe, const std::vector<std::string>& backends) {
  Outcome outcome;
  const auto note = [&](const std::string& how, const std::string& what) {
    if (!what.empty() && outcome.failure.empty())
      outcome.failure = fmt::format("seed {}, {}: {}", recipe.seed, how, what);
  };
  try {
    const Graph graph = build(recipe);
    const std::vector<Tensor> tensors = all_of(graph);
    set_current_backend(backends[0]);
    const Values first = run(recipe, modes()[0]);
    // The usual mode often enough for a device to submit again what it recorded for one of the first runs.
    for (const Mode& mode : {modes()[1], modes()[2], modes()[0], modes()[0], modes()[0]})
      note(mode.name, difference(tensors, first, run(recipe, mode)));
    for (std::size_t b = 1; b < backends.size(); ++b) {
      set_current_backend(backends[b]);
      note(backends[b], difference(tensors, first, run(recipe, modes()[0])));
    }
    for (const char* other : {"cpu", "reference"}) {
      set_current_backend(other);
      const Values expected = run(recipe, modes()[0]);
      note(fmt::format("beside {}", other),
           far_apart(graph, first, expected, outcome.compared_with_reference));
    }
  } catch (const std::exception& error) {
    note("threw", error.what());
  }
  set_current_backend("cpu");
  return outcome;
}

std::string explain(const Recipe& recipe) {
  Recipe smallest = recipe;
  for (smallest.operations = 1; smallest.operations < 64; ++smallest.operations)
    if (!check(smallest).failure.empty()) break;
  const std::vector<Tensor> tensors = all_of(build(smallest));
  return fmt::format(
      "smallest failing prefix: {} operations\n{}\n{}\n{}\nreplay: GENERA_TEST_SEED={}",
      smallest.operations, check(smallest).failure, graph_text(tensors), plan_text(tensors),
      recipe.seed);
}

}  // namespace genera::random_graphs
