// What the host waits for: not for indices that it can know to be good, always for those that it cannot.
#include <doctest/doctest.h>
#include <genera/functions.h>
#include <genera/ops.h>
#include <genera/random.h>
#include <genera/state.h>

#include "engine/plan/plan_cache.h"
#include "tests/conformance_check.h"
#include "tests/vulkan_counts.h"

#include <vector>

namespace genera::cases {
namespace {

Tensor table() { return Tensor::from<float>({1, 2, 3, 4, 5, 6}, Shape{3, 2}); }
Tensor indices(const std::vector<std::int32_t>& values) {
  return Tensor::from(values, Shape{static_cast<std::int64_t>(values.size())});
}

/// How often evaluating x makes the host wait.
std::int64_t waits_of(const Tensor& x) {
  const zoo::Counts before = zoo::counts_so_far();
  x.eval();
  return (zoo::counts_so_far() - before).number("waits");
}

}  // namespace

TEST_CASE("vulkan waits: indices that the host sees are looked at there") {
  const OnBackend vulkan("vulkan");
  const Tensor rows = indices({0, 2, 1, 2});
  CHECK(waits_of(gather(table(), rows)) == 0);
  CHECK(waits_of(gather(table(), slice(rows, 0, 1, 3))) == 0);
  CHECK_THROWS_AS(gather(table(), indices({0, 3})).eval(), ArgumentError);
  CHECK_THROWS_AS(gather(table(), indices({-1, 0})).eval(), ArgumentError);
  // The leaf has moved, its numbers are known, and are too large for another table.
  CHECK_THROWS_AS(gather(slice(table(), 0, 0, 2), rows).eval(), ArgumentError);
  // A bad number that the slice leaves out.
  CHECK(waits_of(gather(table(), slice(indices({0, 7}), 0, 0, 1))) == 1);
}

TEST_CASE("vulkan waits: indices that are good by what made them") {
  const OnBackend vulkan("vulkan");
  const Tensor scores = random_normal(Key{1}, {5, 3}).eval();
  CHECK(waits_of(gather(table(), argmax(scores, 1))) == 0);
  CHECK(waits_of(gather(table(), cast(floor(random_uniform(Key{2}, {9}) * 3.0), DType::i32))) == 0);
  const Tensor any = cumsum(indices({-5, 2, 9, 1}), 0).eval();
  CHECK(waits_of(gather(table(), clip(any, 0, 2))) == 0);
  CHECK(gather(table(), clip(any, 0, 2)).to_vector<float>() ==
        std::vector<float>{1, 2, 1, 2, 5, 6, 5, 6});
  CHECK(waits_of(gather(table(),
                        where(less(any, 0), indices({0, 0, 1, 1}), indices({2, 2, 2, 2})))) == 0);
}

TEST_CASE("vulkan waits: a number that changes under the same plan is looked at again") {
  const OnBackend vulkan("vulkan");
  PlanCache::instance().clear();  // the plan rests on the numbers that it was made with
  const Tensor any = cumsum(indices({-5, 2, 9, 1}), 0).eval();
  CHECK(waits_of(gather(table(), clip(any, 0, 1))) == 0);
  CHECK(waits_of(gather(table(), clip(any, 0, 2))) == 1);
  CHECK_THROWS_AS(gather(table(), clip(any, 0, 6)).eval(), ArgumentError);
}

TEST_CASE("vulkan waits: a state of indices that a step counts up") {
  const OnBackend vulkan("vulkan");
  State place("place", indices({0, 1}));
  const auto step = [&] {
    const Tensor row = gather(table(), place.value());
    commit({{place, place.value() + 1.0}}, {row});
  };
  step();
  step();
  CHECK_THROWS_AS(step(), ArgumentError);
  CHECK(place.value().to_vector<std::int32_t>() == std::vector<std::int32_t>{2, 3});
}

TEST_CASE("vulkan waits: the same numbers in other places prove nothing") {
  const OnBackend vulkan("vulkan");
  // Where x[j] is below 3 this takes x[i], not x[j].
  const Tensor x = cumsum(indices({1, 1, 4}), 0).eval();
  const Tensor across = broadcast_to(reshape(x, {1, 3}), {3, 3});
  const Tensor down = broadcast_to(reshape(x, {3, 1}), {3, 3});
  const Tensor mixed = where(less(across, full({3, 3}, 3, DType::i32)), down, zeros_like(down));
  CHECK_THROWS_AS(gather(table(), mixed).eval(), ArgumentError);
}

}  // namespace genera::cases
