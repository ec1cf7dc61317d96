// Seeing inside: scopes, the NaN hunt, the profiler, graphs and plans as text.
#include <doctest/doctest.h>
#include <genera/functions.h>
#include <genera/nn.h>
#include <genera/profile.h>
#include <genera/scope.h>
#include <genera/stats.h>

#include <nlohmann/json.hpp>

#include <algorithm>

#include "engine/plan/evaluate.h"

namespace genera {
namespace {

Tensor ramp(std::int64_t n) { return detach(cast(arange(n), DType::f32)); }

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

std::string numeric_error(const Tensor& x) {
  set_nan_check(true);
  std::string message;
  try {
    x.eval();
  } catch (const NumericError& error) {
    message = error.what();
  }
  set_nan_check(false);
  return message;
}

}  // namespace

TEST_CASE("the NaN check names scope, operation and element") {
  const Tensor x = ramp(4);
  Tensor y;
  {
    const scope outer("decoder");
    const scope inner("norm");
    y = log(x - 2.0);
  }
  const std::string message = numeric_error(sum(y));
  INFO(message);
  CHECK(contains(message, "decoder"));
  CHECK(contains(message, "norm"));
  CHECK(contains(message, "Log"));
  CHECK(contains(message, "nan"));
  CHECK(numeric_error(sum(x * 2.0)).empty());
  CHECK(contains(numeric_error(full({2}, 1) / (ramp(2) - 1.0)), "inf"));
  CHECK(numeric_error(exp(ramp(3))).empty());
}

TEST_CASE("the engine goes on after the NaN check threw") {
  const Tensor x = ramp(3);
  CHECK(!numeric_error(log(x - 5.0)).empty());
  CHECK(sum(x).item<float>() == 3);
  CHECK(!std::isfinite(log(x - 5.0).to_vector<float>()[0]));
}

TEST_CASE("the NaN check does not read a product that only its epilogue needed") {
  // Large enough to lie in scratch memory: its place in the arena holds what was there before.
  const auto layer = [](double low) {
    return log(matmul(full({400, 30}, 0.1).eval(), full({30, 784}, 0.1).eval()) + low);
  };
  set_plan_options({.poison = true});
  const Tensor good = layer(1), bad = layer(-1);
  CHECK(contains(plan_text({good}), "MatMul > "));
  CHECK(numeric_error(good).empty());
  CHECK(contains(numeric_error(bad), "MatMul > "));
  set_plan_options({});
}

TEST_CASE("a graph as text and in Graphviz's language") {
  const scope inside("encoder");
  const Tensor y = sum(exp(ramp(5)));
  const std::string text = graph_text({y});
  INFO(text);
  for (const char* part : {"Leaf", "Exp", "ReduceSum", "(5)", "f32", "encoder"})
    CHECK(contains(text, part));
  const std::string dot = graph_dot({y});
  CHECK(dot.rfind("digraph", 0) == 0);
  CHECK(contains(dot, "->"));
}

TEST_CASE("a plan as text computes nothing and says what it costs") {
  const Tensor y = matmul(reshape(ramp(12), {3, 4}), reshape(ramp(8), {4, 2}));
  const std::uint64_t before = stats().plans_reused + stats().plans_made;
  const std::string text = plan_text({y});
  INFO(text);
  CHECK(contains(text, "MatMul"));
  CHECK(contains(text, "48 FLOP"));
  CHECK(contains(text, "buffer"));
  CHECK(plan_dot({y}).rfind("digraph", 0) == 0);
  CHECK(stats().plans_reused + stats().plans_made == before);
}

TEST_CASE("a plan's stated peak is what a run takes") {
  const Tensor x = ramp(1000);
  const Tensor y = sum(softmax(reshape(sin(x), {10, 100})) * 2.0);
  const std::string text = plan_text({y});
  CHECK(contains(text, "arena"));
  CHECK(contains(text, "at least"));
}

TEST_CASE("the profiler counts steps, time and FLOP by scope") {
  const Tensor a = detach(ones({64, 64}));
  const auto work = [&] {
    const scope inside("attention");
    return sum(matmul(a, a)).item<float>();
  };
  work();
  start_profile();
  for (int i = 0; i < 3; ++i) work();
  const std::vector<ProfileEntry> entries = stop_profile();
  const auto found = std::find_if(entries.begin(), entries.end(),
                                  [](const ProfileEntry& e) { return e.label == "MatMul"; });
  REQUIRE(found != entries.end());
  CHECK(found->scope == "attention");
  CHECK(found->runs == 3);
  CHECK(found->flops == 3 * 2.0 * 64 * 64 * 64);
  CHECK(found->seconds > 0);
  CHECK(std::is_sorted(entries.begin(), entries.end(),
                       [](const auto& p, const auto& q) { return p.seconds > q.seconds; }));
  CHECK(contains(format_profile(entries), "MatMul"));
  const auto trace = nlohmann::json::parse(profile_trace());
  CHECK(trace["traceEvents"].size() >= 6);
  work();
  CHECK(nlohmann::json::parse(profile_trace())["traceEvents"].size() ==
        trace["traceEvents"].size());
}

TEST_CASE("modules name the scopes of what they build") {
  nn::Sequential net{nn::Linear(3, 2, Key(0)), nn::Tanh{}};
  const std::string text = graph_text({net(reshape(ramp(6), {2, 3}))});
  INFO(text);
  CHECK(contains(text, "["));
}

TEST_CASE("scopes end where their object does, exceptions included") {
  try {
    const scope inside("gone");
    add(zeros({2}), zeros({3}));
  } catch (const ArgumentError&) {
  }
  CHECK(!contains(graph_text({exp(ramp(2))}), "gone"));
}

}  // namespace genera
