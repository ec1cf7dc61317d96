/// Random numbers: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011), addressed by
/// element. Element i of a random tensor is lane i%4 of counter i/4 under the key: the same integers and uniforms on
/// every device, for any number of threads.
#pragma once

#include <genera/export.h>
#include <genera/tensor.h>

#include <cstdint>
#include <vector>

namespace genera {

/// An immutable random key. Using one key twice gives the same numbers twice: derive a new key for each use.
class GENERA_API Key {
 public:
  /// The root key of a seed.
  explicit Key(std::uint64_t seed = 0);
  /// A key derived from this one and `data` (a step, a layer, an epoch); different data, unrelated numbers.
  Key fold_in(std::uint64_t data) const;
  /// `count` unrelated keys.
  std::vector<Key> split(int count) const;
  /// The 64 bits that address the generator.
  std::uint64_t bits() const { return bits_; }

  friend bool operator==(const Key&, const Key&) = default;

 private:
  std::uint64_t bits_;
};

/// Uniform u32 over all 2^32 values.
GENERA_API Tensor random_bits(const Key& key, const Shape& shape);
/// The numbers of random_bits(key, {count}), made by the host at once: for what a program decides before it builds a graph, without waiting for a
/// device. ArgumentError when count is below 0.
GENERA_API std::vector<std::uint32_t> random_bits_on_host(const Key& key, std::int64_t count);
/// Uniform f32 in [0,1): multiples of 2^-24.
GENERA_API Tensor random_uniform(const Key& key, const Shape& shape);
/// Uniform f32 in [low,high).
GENERA_API Tensor random_uniform(const Key& key, const Shape& shape, double low, double high);
/// Standard normal f32 by the inverse error function (Giles, "Approximating the erfinv function", 2010) of one uniform
/// per element; |z| <= 5.42. Equal across devices within 16 ulp.
GENERA_API Tensor random_normal(const Key& key, const Shape& shape);
/// bool, true with probability p (f32, any shape), one draw per element of p.
GENERA_API Tensor random_bernoulli(const Key& key, const Tensor& p);
/// i32 draws from the categorical distributions over the last axis of `logits` (f32) by the Gumbel-max trick;
/// shape: logits' without its last axis.
GENERA_API Tensor random_categorical(const Key& key, const Tensor& logits);
/// A uniformly random permutation of 0…n-1 (i32, (n)).
GENERA_API Tensor random_permutation(const Key& key, std::int64_t n);

}  // namespace genera
