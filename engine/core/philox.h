/// Philox4x32-10, the one source of random bits: Salmon, Moraes, Dror, Shaw, "Parallel random
/// numbers: as easy as 1, 2, 3", SC 2011. This scalar form is the definition; backends compute the
/// same bits in their own way.
#pragma once

#include <array>
#include <cstdint>

namespace genera::philox {

using Counter = std::array<std::uint32_t, 4>;
using Key = std::array<std::uint32_t, 2>;

inline constexpr std::uint32_t multiplier_0 = 0xd2511f53u, multiplier_1 = 0xcd9e8d57u;
inline constexpr std::uint32_t weyl_0 = 0x9e3779b9u, weyl_1 = 0xbb67ae85u;
inline constexpr int rounds = 10;

/// The block of four random words that (counter, key) names.
constexpr Counter block(Counter counter, Key key) {
  for (int round = 0; round < rounds; ++round) {
    const std::uint64_t p0 = std::uint64_t{multiplier_0} * counter[0];
    const std::uint64_t p1 = std::uint64_t{multiplier_1} * counter[2];
    counter = {
        static_cast<std::uint32_t>(p1 >> 32) ^ counter[1] ^ key[0], static_cast<std::uint32_t>(p1),
        static_cast<std::uint32_t>(p0 >> 32) ^ counter[3] ^ key[1], static_cast<std::uint32_t>(p0)};
    key = {key[0] + weyl_0, key[1] + weyl_1};
  }
  return counter;
}

/// The random word of element `index` of a tensor drawn with `key`: lane index%4 of counter
/// index/4.
constexpr std::uint32_t bits(std::uint64_t key, std::uint64_t index) {
  const std::uint64_t n = index / 4;
  const Counter words =
      block({static_cast<std::uint32_t>(n), static_cast<std::uint32_t>(n >> 32), 0, 0},
            {static_cast<std::uint32_t>(key), static_cast<std::uint32_t>(key >> 32)});
  return words[index % 4];
}

/// Uniform in [0,1) with 24 bits, from a random word.
constexpr float uniform(std::uint32_t word) { return static_cast<float>(word >> 8) * 0x1p-24f; }

}  // namespace genera::philox
