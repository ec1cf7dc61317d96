// What the host waits for: not for indices that it can know to be good, always for those that it cannot.
#include <doctest/doctest.h>
#include <genera/functions.h>
#include <genera/ops.h>
#include <genera/random.h>
#include <genera/state.h>

#include "tests/conformance_check.h"
#include "tests/vulkan_counts.h"

#include <vector>

namespace genera::cases {
namespace {

Tensor table() { return Tensor::from<float>({1, 2, 3, 4, 5, 6}, Shape{3, 2}); }
Tensor indices(const std::vector<std::int32_t>& values) {
  return Tensor::from(values, Shape{static_cast<std::int64_t>(values.size())});
}

/// Waits and submissions of evaluating x.
std::pair<std::int64_t, std::int64_t> cost(const Tensor& x) {
  const zoo::Counts before = zoo::counts_so_far();
  x.eval();
  const zoo::Counts spent = zoo::counts_so_far() - before;
  return {spent.number("waits"), spent.number("submissions")};
}
constexpr std::pair<std::int64_t, std::int64_t> one_submission{0, 1}, looked_at{1, 2};

}  // namespace

TEST_CASE("vulkan waits: indices that the host sees are looked at there") {
  const OnBackend vulkan("vulkan");
  const Tensor rows = indices({0, 2, 1, 2});
  CHECK(cost(gather(table(), rows)) == one_submission);
  CHECK(cost(gather(table(), slice(rows, 0, 1, 3))) == one_submission);
  CHECK_THROWS_AS(gather(table(), indices({0, 3})).eval(), ArgumentError);
  CHECK_THROWS_AS(gather(table(), indices({-1, 0})).eval(), ArgumentError);
  // The leaf has moved, its numbers are known, and are too large for another table.
  CHECK_THROWS_AS(gather(slice(table(), 0, 0, 2), rows).eval(), ArgumentError);
  // A bad number that the slice leaves out.
  CHECK(cost(gather(table(), slice(indices({0, 7}), 0, 0, 1))) == looked_at);
}

TEST_CASE("vulkan waits: indices that are good by what made them") {
  const OnBackend vulkan("vulkan");
  const Tensor scores = random_normal(Key{1}, {5, 3}).eval();
  CHECK(cost(gather(table(), argmax(scores, 1))) == one_submission);
  CHECK(cost(gather(table(), cast(floor(random_uniform(Key{2}, {9}) * 3.0), DType::i32))) ==
        one_submission);
  const Tensor any = cumsum(indices({-5, 2, 9, 1}), 0).eval();
  CHECK(cost(gather(table(), clip(any, 0, 2))) == one_submission);
  CHECK(gather(table(), clip(any, 0, 2)).to_vector<float>() ==
        std::vector<float>{1, 2, 1, 2, 5, 6, 5, 6});
  CHECK(cost(gather(table(), where(less(any, 0), indices({0, 0, 1, 1}), indices({2, 2, 2, 2})))) ==
        one_submission);
}

TEST_CASE("vulkan waits: a number that changes under the same plan is looked at again") {
  const OnBackend vulkan("vulkan");
  const Tensor any = cumsum(indices({-5, 2, 9, 1}), 0).eval();
  CHECK(cost(gather(table(), clip(any, 0, 1))) == one_submission);
  CHECK(cost(gather(table(), clip(any, 0, 2))) == looked_at);
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
  CHECK_THROWS_AS(step(), ArgumentError);
  CHECK(place.value().to_vector<std::int32_t>() == std::vector<std::int32_t>{1, 2});
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
