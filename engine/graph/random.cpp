// Keys, and random numbers beyond uniform bits: functions of one uniform per element, so that
// element i depends on the key and i alone.
#include "engine/core/philox.h"
#include "engine/graph/composite.h"

#include <fmt/format.h>

#include <array>
#include <cmath>

namespace genera {
namespace {

/// A bijection of 64 bits that flips each output bit with probability 1/2 for each flipped input
/// bit: the finaliser of SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number
/// generators", 2014; constants of Stafford's mix 13).
constexpr std::uint64_t mixed(std::uint64_t z) {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

// Odd numbers that keep the three ways to make a key apart: fold_in(1), the second of split() and
// seed 1 are unrelated.
constexpr std::uint64_t of_seed = 0x9e3779b97f4a7c15u;
constexpr std::uint64_t of_fold = 0xd1b54a32d192ed03u;
constexpr std::uint64_t of_split = 0x8cb92ba72f3d8dd7u;

/// For a fixed parent a bijection of `data`: children of one parent never collide.
constexpr std::uint64_t child(std::uint64_t parent, std::uint64_t data, std::uint64_t kind) {
  return mixed(mixed(parent + kind) ^ mixed(data * of_seed + kind));
}

/// sum of coefficients[i] x^(n-1-i).
template <std::size_t n>
Tensor polynomial(const Tensor& x, const std::array<double, n>& coefficients) {
  Tensor sum = lit(x, coefficients[0]);
  for (std::size_t i = 1; i < n; ++i) sum = fma(sum, x, lit(x, coefficients[i]));
  return sum;
}

/// sqrt(2) erfinv(x) / x as a function of w = -log(1 - x^2) (Giles, 2010, single precision), |x|
/// < 1.
Tensor normal_quantile_ratio(const Tensor& w) {
  constexpr double r = 1.41421356237309504880;
  constexpr std::array<double, 9> central{
      r * 2.81022636e-08,  r * 3.43273939e-07, r * -3.5233877e-06,
      r * -4.39150654e-06, r * 0.00021858087,  r * -0.00125372503,
      r * -0.00417768164,  r * 0.246640727,    r * 1.50140941};
  constexpr std::array<double, 9> tail{r * -0.000200214257, r * 0.000100950558, r * 0.00134934322,
                                       r * -0.00367342844,  r * 0.00573950773,  r * -0.0076224613,
                                       r * 0.00943887047,   r * 1.00167406,     r * 2.83297682};
  const Tensor near = polynomial(add(w, lit(w, -2.5)), central);
  const Tensor far = polynomial(add(sqrt(w), lit(w, -3)), tail);
  return where(less(w, lit(w, 5)), near, far);
}

}  // namespace

Key::Key(std::uint64_t seed) : bits_(mixed(seed + of_seed)) {}

Key Key::fold_in(std::uint64_t data) const {
  Key key = *this;
  key.bits_ = child(bits_, data, of_fold);
  return key;
}

std::vector<Key> Key::split(int count) const {
  if (count < 0) fail("split", fmt::format("cannot make {} keys", count));
  std::vector<Key> keys(static_cast<std::size_t>(count), *this);
  for (std::size_t i = 0; i < keys.size(); ++i) keys[i].bits_ = child(bits_, i, of_split);
  return keys;
}

std::vector<std::uint32_t> random_bits_on_host(const Key& key, std::int64_t count) {
  if (count < 0) fail("random_bits_on_host", fmt::format("needs count >= 0, got {}", count));
  std::vector<std::uint32_t> words(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < words.size(); ++i) words[i] = philox::bits(key.bits(), i);
  return words;
}

Tensor random_uniform(const Key& key, const Shape& shape, double low, double high) {
  const auto first = static_cast<float>(low);
  const auto end = static_cast<float>(high);
  if (!(first < end) || !std::isfinite(end - first))
    fail("random_uniform", fmt::format("needs finite low < high, got {} and {}", low, high));
  const Tensor u = random_uniform(key, shape);
  const Tensor x = fma(u, number(u, end - first), number(u, first));
  // The sum may round up to `high` itself.
  return where(less(x, number(x, end)), x, number(x, std::nextafter(end, first)));
}

Tensor random_normal(const Key& key, const Shape& shape) {
  const Tensor u = random_uniform(key, shape);
  // 2 u - 1 + 2^-24: the odd multiples of 2^-24 in (-1,1), each exact in f32, symmetric about 0.
  const Tensor x = fma(u, lit(u, 2), lit(u, 0x1p-24 - 1));
  const Tensor w = negative(log(fma(negative(x), x, lit(x, 1))));
  return multiply(normal_quantile_ratio(w), x);
}

Tensor random_bernoulli(const Key& key, const Tensor& p) {
  check_tensor("random_bernoulli", p);
  if (p.dtype() != DType::f32)
    fail("random_bernoulli", fmt::format("probabilities must be f32, got {}", describe(p)));
  return less(random_uniform(key, p.shape()), p);
}

Tensor random_categorical(const Key& key, const Tensor& logits) {
  check_tensor("random_categorical", logits);
  if (logits.dtype() != DType::f32 || logits.rank() < 1)
    fail("random_categorical", fmt::format("needs f32 logits (…,C), got {}", describe(logits)));
  const Tensor u = random_uniform(key, logits.shape());
  // -log of an exponential draw -log(1 - u'), u' = u + 2^-25 > 0: finite, and finest where the draw
  // wins.
  const Tensor exponential = negative(log1p(negative(add(u, lit(u, 0x1p-25)))));
  return argmax(subtract(logits, log(exponential)), -1);
}

Tensor random_permutation(const Key& key, std::int64_t n) {
  if (n < 0) fail("random_permutation", fmt::format("needs n >= 0, got {}", n));
  return argsort(random_bits(key, Shape{n}), 0);
}

}  // namespace genera
