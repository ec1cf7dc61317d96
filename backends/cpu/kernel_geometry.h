/// How large tiles and blocks are and how much memory a thread needs to run a program.
#pragma once

#include "backends/cpu/kernel_program.h"

#include <cstddef>
#include <cstdint>

namespace genera::cpu {

/// Words that tiles and vectors of n values take; the odd line keeps tiles apart in the cache's
/// sets.
constexpr std::size_t pitch_of(std::size_t n) { return (n + 15) / 16 * 16 + 16; }

/// Sizes of everything, from the program and the extents. Nothing here changes a result.
struct Geometry {
  std::int64_t kept = 1, inner = 1;  ///< K and R
  bool row_form = true;
  bool streams = false;  ///< more data than the caches close to the core hold
  /// Tiles hold several rows (row form) or several reduced indices (column form).
  bool packed = false;
  /// Packed rows of elementwise kernels, cut to `length`: for buffers whose neighbours lie across
  /// rows.
  bool blocked = false;
  std::size_t tile = 0;  ///< capacity of a tile
  std::size_t rows = 1;  ///< row form, packed: rows per tile
  /// Row form: elements of a row per tile; column form: reduced indices per tile.
  std::size_t length = 1;
  std::int64_t period = 0;                     ///< tiles start at multiples of it: see Source
  std::size_t width = 1;                       ///< column form: kept indices per tile
  std::size_t block = 1;                       ///< kept indices per block
  std::size_t tile_pitch = 0, kept_pitch = 0;  ///< in words
  std::size_t levels = 0;                      ///< of the cascade of chunk results
  std::size_t kept_words = 0, tile_words = 0, part_words = 0, raw_words = 0, stash_words = 0,
              reduce_words = 0;
  std::size_t stash_pitch = 0;  ///< in words, of one value for a block
  std::int64_t chunks() const {
    const auto chunk = static_cast<std::int64_t>(row_form ? ReduceKernels::row_chunk
                                                          : ReduceKernels::column_chunk);
    return (inner + chunk - 1) / chunk;
  }
  std::size_t words() const {
    return kept_words + tile_words + part_words + raw_words + stash_words + reduce_words;
  }
};
/// Whether an elementwise kernel reads and writes more than the caches close to a core hold.
bool passes_over_memory(const Kernel& kernel);

Geometry make_geometry(const Program& program, std::int64_t kept, std::int64_t inner);

}  // namespace genera::cpu
