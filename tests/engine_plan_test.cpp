// Plans: what makes a new one, what does not, and how many are remembered.
#include <doctest/doctest.h>
#include <genera/functions.h>
#include <genera/random.h>
#include <genera/scope.h>
#include <genera/state.h>
#include <genera/stats.h>

namespace genera {
namespace {

Tensor ramp(std::int64_t n) { return detach(cast(arange(n), DType::f32)); }

std::uint64_t plans_made_by(const std::function<void()>& body) {
  const std::uint64_t before = stats().plans_made;
  body();
  return stats().plans_made - before;
}

}  // namespace

TEST_CASE("numbers that change never make a new plan") {
  const Tensor x = ramp(11);
  const auto step = [&](double beta, std::uint64_t seed) {
    const Tensor noise = random_uniform(Key(seed), x.shape());
    return sum((x * beta + 3.0 * beta) / (beta + 1.0) + noise * scalar(beta)).item<float>();
  };
  const float first = step(0.5, 1);
  float last = 0;
  CHECK(plans_made_by([&] {
          for (int i = 1; i < 50; ++i) last = step(0.5 + i, static_cast<std::uint64_t>(i));
        }) == 0);
  CHECK(last != first);
}

TEST_CASE("scalars bind the number of this graph, not of the plan's first") {
  const Tensor x = ramp(3);
  for (const double k : {2.0, 5.0, -1.0, 0.0})
    CHECK((x * k).to_vector<float>()[2] == static_cast<float>(2 * k));
  const Tensor n = arange(4);
  for (const int k : {3, -7, 0})
    CHECK((n * static_cast<double>(k)).to_vector<std::int32_t>()[3] == 3 * k);
}

TEST_CASE("offsets that are tensors move without a new plan") {
  const Tensor x = ramp(20);
  const auto at = [&](std::int32_t start) {
    return dynamic_slice(x, Tensor::from({start}, Shape{1}), {4}).to_vector<float>()[0];
  };
  CHECK(at(0) == 0);
  CHECK(plans_made_by([&] {
          for (std::int32_t start = 1; start < 16; ++start)
            CHECK(at(start) == static_cast<float>(start));
        }) == 0);
}

TEST_CASE("structure, shapes, dtypes, attributes, literals and live handles do make one") {
  const auto one = [](const Tensor& x) {  // keeps no handle on sin(x) while it evaluates
    Tensor y = sin(x);
    y = sum(y);
    y.eval();
  };
  one(ramp(13));
  CHECK(plans_made_by([&] { one(ramp(13)); }) == 0);
  const Tensor longer = ramp(14), wide = detach(cast(ramp(13), DType::f64));
  CHECK(plans_made_by([&] { one(longer); }) == 1);
  CHECK(plans_made_by([&] { one(wide); }) == 1);
  const Tensor x = ramp(13);
  CHECK(plans_made_by([&] { sum(exp(x)).eval(); }) == 1);
  sum(x * full_like(x, 2)).eval();
  CHECK(plans_made_by([&] { sum(x * full_like(x, 3)).eval(); }) == 1);
  CHECK(plans_made_by([&] {
          const Tensor held = sin(x);
          sum(held).eval();
        }) == 1);
  const Tensor y = ramp(13);
  sum(x * y).eval();
  CHECK(plans_made_by([&] { sum(x * x).eval(); }) == 1);  // one leaf is not two equal leaves
}

TEST_CASE("a missed plan is explained") {
  const Tensor shorter = ramp(21), longer = ramp(22);
  sum(sin(shorter)).eval();
  {
    const scope inside("decoder");
    sum(sin(longer)).eval();
  }
  const std::string why = why_plan_missed();
  INFO(why);
  CHECK(why.find("(22)") != std::string::npos);
  CHECK(why.find("(21)") != std::string::npos);
}

TEST_CASE("the plan cache keeps to its cap and forgets the least recently used") {
  const auto run = [](std::int64_t n) { return sum(sin(ramp(n)) * 2.0).item<float>(); };
  const float expected = run(301);
  const std::size_t before = stats().plan_cache_bytes;
  CHECK(before > 0);
  constexpr std::size_t cap = 20000;
  set_plan_cache_cap(cap);
  for (std::int64_t n = 400; n < 460; ++n) run(n);
  CHECK(stats().plan_cache_bytes <= cap);
  CHECK(plans_made_by([&] { run(459); }) == 0);
  CHECK(plans_made_by([&] { CHECK(run(301) == expected); }) > 0);
  set_plan_cache_cap(std::size_t{256} << 20);
}

TEST_CASE("a plan made for a donated state is not used where the state is held") {
  const State s("s", ramp(9));
  commit({{s, s.value() + 1.0}});
  const Tensor held = s.value();
  commit({{s, s.value() + 1.0}});
  CHECK(held.to_vector<float>()[0] == 1);
  CHECK(s.value().to_vector<float>()[0] == 2);
}

}  // namespace genera
