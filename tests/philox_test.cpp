#include "engine/core/philox.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "backends/cpu/tile_kernels.h"
#include "tests/simd_targets.h"

namespace genera {
namespace {

TEST_CASE("philox: known answers of Random123") {
  // kat_vectors of Random123 1.14, philox4x32 with 10 rounds.
  CHECK(philox::block({0, 0, 0, 0}, {0, 0}) ==
        philox::Counter{0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u});
  CHECK(philox::block({~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}) ==
        philox::Counter{0x408f276du, 0x41c83b0eu, 0xa20bc7c6u, 0x6d5451fdu});
  CHECK(philox::block({0x243f6a88u, 0x85a308d3u, 0x13198a2eu, 0x03707344u},
                      {0xa4093822u, 0x299f31d0u}) ==
        philox::Counter{0xd16cfe09u, 0x94fdccebu, 0x5001e420u, 0x24126ea1u});
}

TEST_CASE("philox: SIMD tiles are the scalar definition, from any element on") {
  const std::uint64_t keys[] = {0, 1, 0x123456789abcdef0u, ~std::uint64_t{0}};
  // The last ones carry from the low into the high half of the counter.
  const std::uint64_t firsts[] = {
      0, 1, 2, 3, 63, 1000003, (std::uint64_t{1} << 34) - 10, (std::uint64_t{1} << 50) + 5};
  const std::size_t lengths[] = {1, 3, 4, 7, 15, 16, 17, 64, 65, 67, 127, 128, 300, 302, 303};
  for_simd_targets([&](const std::string& target) {
    int wrong = 0;
    for (const std::uint64_t key : keys)
      for (const std::uint64_t first : firsts)
        for (const std::size_t n : lengths) {
          std::vector<std::uint32_t> words(n + 1, 77);
          std::vector<float> uniform(n + 1, 77.0f);
          const auto step = static_cast<std::int64_t>(n % 5) - 1;
          cpu::random_function(false)(words.data(), key, first, step, n);
          cpu::random_function(true)(uniform.data(), key, first, step, n);
          for (std::size_t i = 0; i < n; ++i) {
            wrong += words[i] != philox::bits(key, first + i * static_cast<std::uint64_t>(step));
            wrong += uniform[i] != philox::uniform(words[i]);
          }
          wrong += words[n] != 77 || uniform[n] != 77.0f;
        }
    CHECK_MESSAGE(wrong == 0, target);
  });
}

TEST_CASE("philox: uniforms lie in [0,1)") {
  CHECK(philox::uniform(0) == 0.0f);
  CHECK(philox::uniform(~0u) < 1.0f);
  CHECK(philox::uniform(0x80000000u) == 0.5f);
}

}  // namespace
}  // namespace genera
