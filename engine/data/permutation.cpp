#include "engine/data/permutation.h"

#include <numeric>
#include <utility>

#include "engine/core/philox.h"

namespace genera::data {

std::vector<std::int64_t> permutation(const Key& key, std::int64_t n) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(n));
  std::iota(order.begin(), order.end(), std::int64_t{0});
  const philox::Key words = {static_cast<std::uint32_t>(key.bits()),
                             static_cast<std::uint32_t>(key.bits() >> 32)};
  philox::Counter block{};
  for (std::size_t i = order.size(); i > 1; --i) {
    const std::size_t draw = order.size() - i;
    if (draw % 4 == 0)
      block = philox::block(
          {static_cast<std::uint32_t>(draw / 4), static_cast<std::uint32_t>(draw / 4 >> 32), 0, 0},
          words);
    std::swap(order[i - 1], order[std::uint64_t{block[draw % 4]} * i >> 32]);
  }
  return order;
}

}  // namespace genera::data
