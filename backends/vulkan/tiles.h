/// How matrix products are cut into the work of workgroups and threads. Cuts change speed, never a bit: each element is one chain in the order of k.
#pragma once

#include "backends/vulkan/limits.h"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace genera::vulkan {

/// A workgroup's part of the result: a grid of threads, each with `rows` x `columns` elements in registers; `depth` of k is in shared memory at a time.
struct Tile {
  int grid_rows, grid_columns;
  int rows, columns;
  int depth;

  int threads() const { return grid_rows * grid_columns; }
  int tile_rows() const { return grid_rows * rows; }
  int tile_columns() const { return grid_columns * columns; }
  /// A thread's rows, or columns, are in vectors of neighbours in shared memory: 4, else all of them.
  static int vector_width(int own) { return own % 4 == 0 ? 4 : own; }
  /// Vectors from one k to the next in shared memory: an odd number, so that threads that write along k hit different banks.
  int row_pitch() const { return tile_rows() / vector_width(rows) | 1; }
  int column_pitch() const { return tile_columns() / vector_width(columns) | 1; }
  int shared_bytes() const {
    return depth * 4 * (row_pitch() * vector_width(rows) + column_pitch() * vector_width(columns));
  }
};

/// The tiles that a device uses for products with many rows and columns, and from how many tiles on the larger ones are worth it.
struct Tiles {
  static constexpr int sizes = 3;     ///< 32 x 32, 64 x 64, 128 x 128
  static constexpr int variants = 3;  ///< of each
  /// Which variant of each size.
  std::array<int, sizes> variant{};
  /// A size is taken where the product has at least as many tiles of it; the first is for the rest.
  std::array<std::int64_t, sizes> least_tiles{0, 48, 96};

  static const Tile& candidate(int size, int variant);
  static bool fits(const Tile& tile, const Limits& limits);
  /// The tile for `batch` products of m x n elements, each cut into `chunks` along k.
  Tile choose(std::int64_t batch, std::int64_t m, std::int64_t n, std::int64_t chunks,
              const Limits& limits) const;

  /// One line, and back; false (and nothing changes) for a line that is none.
  std::string text() const;
  bool parse(std::string_view text);
};

}  // namespace genera::vulkan
