#include "backends/vulkan/tiles.h"

#include <fmt/format.h>

#include <cstdio>

namespace genera::vulkan {
namespace {

// A product of f32 reads 1/rows + 1/columns elements of memory per multiply-add: 32 x 32 tiles do 8 FLOP per byte, 64 x 64 do 16, 128 x 128 do 32. 8 x 8 elements per
// thread need some 100 registers, which leaves GPUs with 64 Ki of them per processor room for 5 warps per scheduler; 4 x 4 need half as many loads from shared memory again,
// but there are four times as many workgroups. The first of each is the default.
constexpr Tile table[Tiles::sizes][Tiles::variants] = {
    {{8, 8, 4, 4, 16}, {8, 8, 4, 4, 32}, {16, 16, 2, 2, 16}},
    {{8, 8, 8, 8, 16}, {8, 8, 8, 8, 8}, {16, 16, 4, 4, 16}},
    {{16, 16, 8, 8, 8}, {16, 16, 8, 8, 16}, {8, 16, 16, 8, 8}},
};

std::int64_t count(std::int64_t extent, int tile) { return (extent + tile - 1) / tile; }

/// Few rows or columns get a tile of their own: threads lie along the other side.
bool thin(std::int64_t m, std::int64_t n) { return m <= 16 || n <= 16; }

/// 1, 2, 4, 8 or 16: what covers the extent.
int cover(std::int64_t extent) {
  int size = 1;
  while (size < 16 && size < extent) size *= 2;
  return size;
}

Tile thin_tile(std::int64_t m, std::int64_t n) {
  constexpr int threads = 64, depth = 16;
  const bool few_rows = m <= n;
  const int few = cover(few_rows ? m : n);
  // One thread has the whole short side up to 4; beyond that the grid shares it.
  const int own = few < 4 ? few : 4;
  const int grid = few / own;
  const int other_grid = threads / grid;
  const int other = (few_rows ? n : m) > 4 * other_grid ? 2 : 1;
  return few_rows ? Tile{grid, other_grid, own, other, depth}
                  : Tile{other_grid, grid, other, own, depth};
}

}  // namespace

const Tile& Tiles::candidate(int size, int variant) { return table[size][variant]; }

bool Tiles::fits(const Tile& tile, const Limits& limits) {
  return static_cast<std::uint32_t>(tile.threads()) <= limits.invocations &&
         static_cast<std::uint32_t>(tile.shared_bytes()) <= limits.shared_bytes;
}

Tile Tiles::choose(std::int64_t batch, std::int64_t m, std::int64_t n, std::int64_t chunks,
                   const Limits& limits) const {
  if (thin(m, n)) return thin_tile(m, n);
  for (int size = sizes - 1; size > 0; --size) {
    const Tile& tile = table[size][variant[static_cast<std::size_t>(size)]];
    const std::int64_t tiles =
        batch * chunks * count(m, tile.tile_rows()) * count(n, tile.tile_columns());
    if (tiles >= least_tiles[static_cast<std::size_t>(size)] && fits(tile, limits)) return tile;
  }
  const Tile& smallest = table[0][variant[0]];
  return fits(smallest, limits) ? smallest : table[0][0];
}

std::string Tiles::text() const {
  return fmt::format("{} {} {} {} {}\n", variant[0], variant[1], variant[2], least_tiles[1],
                     least_tiles[2]);
}

bool Tiles::parse(std::string_view text) {
  Tiles read;
  long long medium = 0, large = 0;
  int end = 0;
  if (std::sscanf(std::string(text).c_str(), "%d %d %d %lld %lld\n%n", &read.variant[0],
                  &read.variant[1], &read.variant[2], &medium, &large, &end) != 5 ||
      static_cast<std::size_t>(end) != text.size())
    return false;
  for (const int v : read.variant)
    if (v < 0 || v >= variants) return false;
  if (medium < 0 || large < 0) return false;
  read.least_tiles = {0, medium, large};
  *this = read;
  return true;
}

}  // namespace genera::vulkan
