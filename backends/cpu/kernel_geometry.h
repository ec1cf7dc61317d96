/// How large tiles and blocks are and how much memory a thread needs to run a program.
#pragma once

#include "backends/cpu/kernel_program.h"

#include <cstddef>
#include <cstdint>

namespace genera::cpu {

constexpr std::size_t cache_line = 16;  ///< in words

constexpr std::size_t round_up(std::size_t n, std::size_t to) { return (n + to - 1) / to * to; }

/// Words that tiles and vectors of n values take; the odd line keeps tiles apart in the cache's
/// sets.
constexpr std::size_t pitch_of(std::size_t n) { return round_up(n, cache_line) + cache_line; }

/// The steps of a pass run over a tile in parts of at most so many elements: see kernel_steps.h.
constexpr std::size_t longest_part = 256;
constexpr std::size_t passing_pitch = pitch_of(longest_part);  ///< in words, of a passing value

/// How one program runs over its extents.
struct Geometry {
  std::int64_t kept = 1, inner = 1;  ///< K and R
  bool row_form = true;
  bool streams = false;  ///< elementwise, on more data than the caches close to the core hold
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
  std::size_t kept_words = 0, tile_words = 0, passing_words = 0, raw_words = 0, stash_words = 0,
              reduce_words = 0;
  std::size_t stash_pitch = 0;  ///< in words, of one value for a block
  std::int64_t chunks() const {
    const auto chunk = static_cast<std::int64_t>(row_form ? ReduceKernels::row_chunk
                                                          : ReduceKernels::column_chunk);
    return (inner + chunk - 1) / chunk;
  }
  std::size_t words() const {
    return kept_words + tile_words + passing_words + raw_words + stash_words + reduce_words;
  }
};

/// Sizes of everything, from the program and the extents. Nothing here changes a result.
Geometry make_geometry(const Program& program, std::int64_t kept, std::int64_t inner);
}  // namespace genera::cpu
