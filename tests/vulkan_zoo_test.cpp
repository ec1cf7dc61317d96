// Five training steps of the family's models on Vulkan, each from the CPU's state, and what a step costs the device. With GENERA_TEST_FULL every model.
// GENERA_WRITE_COUNTS=FILE appends the counts in the form of vulkan_counts.txt.
#include "tests/vulkan_zoo.h"

#include <doctest/doctest.h>
#include <genera/device.h>

#include "engine/plan/plan.h"
#include "engine/plan/plan_cache.h"
#include "tests/conformance_check.h"
#include "tests/vulkan_counts.h"
#include "tests/vulkan_zoo_graph.h"
#include "zoo/common/failure.h"
#include "zoo/common/saved_states.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <iterator>
#include <sstream>

namespace genera::zoo {
namespace {

using cases::OnBackend;

constexpr std::int64_t steps = 5;

std::vector<std::string> words(const std::string& text) {
  std::istringstream stream(text);
  return {std::istream_iterator<std::string>(stream), {}};
}

bool every_model() { return std::getenv("GENERA_TEST_FULL") != nullptr; }

/// One model twice, with the same states: the CPU's goes ahead.
struct Pair {
  std::unique_ptr<Trainable> cpu, vulkan;
  explicit Pair(const ZooCase& c)
      : cpu(zoo_family().make(words(c.flags))), vulkan(zoo_family().make(words(c.flags))) {}
};

std::vector<double> values_of(const NamedTensors& figures) {
  std::vector<double> values;
  for (const auto& [name, tensor] : figures) values.push_back(tensor.item<double>());
  return values;
}

/// Steps that the figures differ in by more than 1e-5 of the larger of the figure and `size`.
void check_figures(const NamedTensors& names, const std::vector<double>& expected,
                   const std::vector<double>& got) {
  double size = 0;
  for (const double value : expected) size = std::max(size, std::abs(value));
  for (std::size_t f = 0; f < expected.size(); ++f) {
    INFO(names[f].first << " is " << got[f] << ", on the CPU " << expected[f]);
    CHECK(std::abs(got[f] - expected[f]) <= 1e-5 * size);
  }
}

/// The step's losses, gradients and draws on Vulkan beside the CPU's; then the step itself. False after a flip.
bool compare_step(const Pair& pair, const StepInfo& info) {
  const OnBackend cpu("cpu");
  const WatchedGraph graph = watch(pair.cpu->step_graph(info));
  // Not before: what starts from data does so when its first graph is built.
  const auto before = snapshot(pair.cpu->states());
  const WatchedValues expected = evaluated(graph);
  WatchedValues got;
  {
    const OnBackend vulkan("vulkan");
    restore(pair.vulkan->states(), before, "the CPU's states");
    got = evaluated(watch(pair.vulkan->step_graph(info)));
    restore(pair.vulkan->states(), before, "the CPU's states");
  }
  const Difference found = difference(graph, expected, got);
  CHECK_MESSAGE(found.text.empty(), "step " << info.step << ": " << found.text);
  MESSAGE("step " << info.step << ": " << expected.roots.size() << " roots, "
                  << expected.draws.size()
                  << " draws; squared errors in units of what is allowed: losses "
                  << found.largest_loss << ", gradients " << found.largest_gradient << " ("
                  << found.by_exact << " against f64, " << found.zeros << " zeros)");
  const NamedTensors figures = pair.cpu->step(info);
  const std::vector<double> wanted = values_of(figures);
  std::vector<double> seen;
  {
    const OnBackend vulkan("vulkan");
    seen = values_of(pair.vulkan->step(info));
  }
  if (found.flips > 0) return false;
  check_figures(figures, wanted, seen);
  return true;
}

/// Steps in a row on Vulkan, whose last ones are counted.
Counts counted_steps(Trainable& model, const std::string& name) {
  const OnBackend vulkan("vulkan");
  // A state that was restored is not donated: the steps of a run have plans, and shaders, of their own.
  for (std::int64_t s = 0; s < 3; ++s) values_of(model.step({s, 2 * steps}));
  PlanCache::instance().clear();  // a warm start: all shaders are in the cache on disk
  Counts warm = counts_so_far(), last;
  for (std::int64_t s = 0; s < steps; ++s) {
    const std::int64_t optimiser_steps = optimiser_steps_of(model.states());
    const Counts before = counts_so_far();
    const NamedTensors figures = model.step({s, 2 * steps});
    last = counts_so_far() - before;
    last.optimiser_steps = optimiser_steps_of(model.states()) - optimiser_steps;
    values_of(figures);
    if (s == 2) warm = counts_so_far() - warm;
    if (s <= 2) continue;
    INFO("step " << s + 1);
    CHECK(last.number("pipelines") == 0);
    CHECK(last.number("memory_requests") == 0);
    if (last.host_steps() > 0) continue;
    CHECK(last.number("waits") == 0);
    CHECK(last.number("submissions") == last.optimiser_steps + last.number("segments"));
    if (s + 1 < steps) continue;  // values have found their places
    CHECK(last.number("recordings") == 0);
    CHECK(last.number("recordings_kept") == last.number("submissions"));
  }
  CHECK_MESSAGE(warm.number("shaders_compiled") == 0, name << ": a warm start compiled shaders");
  for (const CachedPlan& made : PlanCache::instance().plans()) {
    const auto bytes = static_cast<double>(made.plan->arena_bytes);
    CHECK(bytes <= 1.15 * static_cast<double>(made.plan->arena_lower_bound));
  }
  last.numbers["pipelines"] = warm.number("pipelines");
  return last;
}

void run_case(const ZooCase& c) {
  INFO(zoo_family().program << " " << c.flags);
  Pair pair(c);
  const auto start = snapshot(pair.cpu->states());
  int flipped = 0;
  for (std::int64_t s = 0; s < steps; ++s) flipped += compare_step(pair, {s, steps}) ? 0 : 1;
  CHECK(flipped <= 1);
  restore(pair.vulkan->states(), start, "the states at the start");
  check_counts(zoo_family().program + " " + c.flags, counted_steps(*pair.vulkan, c.flags));
}

}  // namespace

TEST_CASE("vulkan zoo: five steps of each model from the CPU's state") {
  for (const ZooCase& c : zoo_family().cases)
    if (c.in_every_run || every_model()) run_case(c);
  const OnBackend vulkan("vulkan");
  CHECK(counts_so_far().number("validation_messages") == 0);
}

TEST_CASE("vulkan zoo: every model of the program has a case") {
  std::string text;
  try {
    zoo_family().make({"--model", "?"});
  } catch (const UsageError& error) {
    text = error.what();
  }
  const std::string before = "is none of ";
  const std::size_t at = text.find(before);
  REQUIRE(at != std::string::npos);
  std::string list = text.substr(at + before.size());
  list.resize(std::min(list.size(), list.find(';')));
  std::replace(list.begin(), list.end(), ',', ' ');
  for (const std::string& model : words(list)) {
    const auto& without = zoo_family().without_steps;
    if (std::find(without.begin(), without.end(), model) != without.end()) continue;
    const auto& all = zoo_family().cases;
    const bool found = std::any_of(all.begin(), all.end(),
                                   [&](const ZooCase& c) { return words(c.flags).at(1) == model; });
    CHECK_MESSAGE(found, model << " has no case");
  }
}

}  // namespace genera::zoo
