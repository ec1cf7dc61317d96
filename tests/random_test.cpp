// Keys and distributions.
#include "engine/core/philox.h"
#include "tests/functions_harness.h"

#include <genera/random.h>

#include <algorithm>
#include <cstdint>
#include <set>

namespace genera {
namespace {

using namespace functions_harness;

/// The standard normal distribution function.
double normal_cdf(double z) { return std::erfc(-z * std::sqrt(0.5)) / 2; }

/// The largest distance between the empirical distribution function of `values` and `cdf`.
double kolmogorov_distance(Numbers values, const std::function<double(double)>& cdf) {
  std::sort(values.begin(), values.end());
  const double n = static_cast<double>(values.size());
  double distance = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double p = cdf(values[i]);
    const auto before = static_cast<double>(i);
    distance = std::max({distance, std::abs(p - before / n), std::abs(p - (before + 1) / n)});
  }
  return distance;
}

TEST_CASE("bits and uniforms are Philox words by element index") {
  const Key key = Key(7).fold_in(3);
  const auto bits = random_bits(key, {3, 7}).to_vector<std::uint32_t>();
  const auto uniforms = random_uniform(key, {3, 7}).to_vector<float>();
  for (std::size_t i = 0; i < bits.size(); ++i) {
    CHECK(bits[i] == philox::bits(key.bits(), i));
    CHECK(uniforms[i] == static_cast<float>(bits[i] >> 8) * 0x1p-24f);
  }
  // Element i depends on nothing but i: a longer tensor begins with the shorter one.
  const auto longer = random_bits(key, {50}).to_vector<std::uint32_t>();
  CHECK(std::equal(bits.begin(), bits.end(), longer.begin()));
}

TEST_CASE("keys: equal for equal ways, different for different ways") {
  CHECK(Key(1) == Key(1));
  CHECK(Key(1).fold_in(2) == Key(1).fold_in(2));
  std::set<std::uint64_t> seen;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    const Key key(seed);
    seen.insert(key.bits());
    for (std::uint64_t data = 0; data < 100; ++data) seen.insert(key.fold_in(data).bits());
    for (const Key& part : key.split(10)) seen.insert(part.bits());
    seen.insert(key.fold_in(1).fold_in(2).bits());
    seen.insert(key.fold_in(2).fold_in(1).bits());
  }
  CHECK(seen.size() == 100 * (1 + 100 + 10 + 2));
  CHECK(Key(1).split(0).empty());
  check_refused("split", [] { (void)Key(1).split(-1); });
}

TEST_CASE("keys: neighbours differ in half of their bits") {
  double flipped = 0;
  for (std::uint64_t i = 0; i < 1000; ++i) {
    flipped += __builtin_popcountll(Key(i).bits() ^ Key(i + 1).bits());
    flipped += __builtin_popcountll(Key(5).fold_in(i).bits() ^ Key(5).fold_in(i + 1).bits());
  }
  CHECK(std::abs(flipped / 2000 - 32) < 0.5);
}

TEST_CASE("numbers of derived keys are uncorrelated") {
  const std::int64_t n = 20000;
  const Key root(11);
  const std::vector<Key> keys{
      root, root.fold_in(0), root.fold_in(1), root.split(2)[0], root.split(2)[1], Key(12)};
  for (std::size_t i = 0; i < keys.size(); ++i)
    for (std::size_t j = i + 1; j < keys.size(); ++j) {
      const Tensor a = random_normal(keys[i], {n}), b = random_normal(keys[j], {n});
      CHECK(std::abs(mean(a * b).item<double>()) < 4.5 / std::sqrt(static_cast<double>(n)));
    }
}

TEST_CASE("uniforms stay in [low, high) and are uniform") {
  const Tensor x = random_uniform(Key(3), {100000}, -2, 3);
  const Numbers values = list(x);
  CHECK(*std::min_element(values.begin(), values.end()) >= -2);
  CHECK(*std::max_element(values.begin(), values.end()) < 3);
  CHECK(kolmogorov_distance(values, [](double v) { return (v + 2) / 5; }) <
        1.95 / std::sqrt(100000.));
  // Where the interval is one rounding wide, high is never reached.
  for (const double v : list(random_uniform(Key(3), {10000}, 16777216, 16777218)))
    CHECK(v == 16777216);
  check_refused("random_uniform", [] { random_uniform(Key(3), {2}, 1, 1); });
}

TEST_CASE("normals: moments, distribution, tails") {
  const std::int64_t n = 200000;
  const Tensor x = random_normal(Key(5), {n});
  const double root_n = std::sqrt(static_cast<double>(n));
  CHECK(std::abs(mean(x).item<double>()) < 4 / root_n);
  CHECK(std::abs(var(x).item<double>() - 1) < 4 * std::sqrt(2.) / root_n);
  CHECK(std::abs(mean(x * x * x).item<double>()) < 4 * std::sqrt(15.) / root_n);
  CHECK(std::abs(mean(square(square(x))).item<double>() - 3) < 4 * std::sqrt(96.) / root_n);
  const Numbers values = list(x);
  CHECK(kolmogorov_distance(values, normal_cdf) < 1.95 / root_n);
  for (const double v : values) CHECK(std::abs(v) <= 5.42);
}

TEST_CASE("each normal is the quantile of its uniform") {
  const Key key(9);
  const Numbers uniforms = list(random_uniform(key, {20000})),
                normals = list(random_normal(key, {20000}));
  double worst = 0;
  for (std::size_t i = 0; i < normals.size(); ++i) {
    const double p = uniforms[i] + 0x1p-25;
    // One Newton step from the quantile that we got measures its error.
    const double density =
        std::exp(-normals[i] * normals[i] / 2) / std::sqrt(2 * 3.14159265358979323846);
    const double error = (normal_cdf(normals[i]) - p) / density;
    worst = std::max(worst, std::abs(error) / std::max(0.1, std::abs(normals[i])));
  }
  MESSAGE("largest relative error of a normal: " << worst);
  CHECK(worst < 1e-6);
}

TEST_CASE("bernoulli: frequencies, certain and impossible events") {
  const std::int64_t n = 50000;
  for (const double p : {0.0, 0.1, 0.5, 0.9, 1.0}) {
    const Tensor x = random_bernoulli(Key(2), full({n}, p));
    CHECK(x.dtype() == DType::boolean);
    const double share = mean(cast(x, DType::f64)).item<double>();
    CHECK(std::abs(share - static_cast<float>(p)) <= 4 * std::sqrt(p * (1 - p) / n));
  }
  check_refused(
      "random_bernoulli", [] { random_bernoulli(Key(2), vector({0.5})); }, "f32");
}

TEST_CASE("categorical: frequencies, impossible classes") {
  const std::int64_t n = 40000;
  const Numbers p{0.1, 0.0, 0.6, 0.3};
  const Tensor logits = broadcast_to(log(vector(p, DType::f32)), {n, 4});
  const Tensor draws = random_categorical(Key(4), logits);
  CHECK(draws.shape() == Shape{n});
  CHECK(draws.dtype() == DType::i32);
  Numbers counts(4, 0);
  for (const std::int32_t draw : draws.to_vector<std::int32_t>())
    counts[static_cast<std::size_t>(draw)] += 1;
  for (std::size_t i = 0; i < 4; ++i)
    CHECK(std::abs(counts[i] / n - p[i]) <= 4 * std::sqrt(p[i] * (1 - p[i]) / n));
  check_refused("random_categorical", [] { random_categorical(Key(4), integers({1}, {1})); });
}

TEST_CASE("permutation: every number once, every order equally often") {
  auto order = random_permutation(Key(6), 1000).to_vector<std::int32_t>();
  CHECK_FALSE(std::is_sorted(order.begin(), order.end()));
  std::sort(order.begin(), order.end());
  for (std::size_t i = 0; i < order.size(); ++i) CHECK(order[i] == static_cast<std::int32_t>(i));
  std::vector<int> counts(6, 0);
  for (std::uint64_t i = 0; i < 3000; ++i) {
    const auto p = random_permutation(Key(6).fold_in(i), 3).to_vector<std::int32_t>();
    ++counts[static_cast<std::size_t>(p[0] * 2 + (p[1] > p[2] ? 1 : 0))];
  }
  for (const int count : counts) CHECK(std::abs(count - 500) < 4 * std::sqrt(3000. / 6 * 5 / 6));
  CHECK(random_permutation(Key(6), 0).elements() == 0);
}

}  // namespace
}  // namespace genera
