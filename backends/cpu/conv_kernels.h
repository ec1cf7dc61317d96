/// The innermost loops of convolution, one set per SIMD target, chosen at run time.
#pragma once

#include <cstdint>

namespace genera::cpu {

/// The largest tile of any target, in rows and vectors, and row groups of a lane tile.
inline constexpr int kConvMaxRows = 14;
inline constexpr int kConvMaxVectors = 2;
inline constexpr int kConvMaxGroups = 4;
inline constexpr int kConvMaxLanes = 16;

/// A tile of `groups * pixels` rows by V vectors, channels in the lanes:
///
///     tile[(g * pixels + i) * stride + l] = sum over k of
///         from[g][offsets[k] + i] * panel[k * V * lanes + l]
///
/// or the old value of tile plus that sum. One chain of multiply-adds per element, in the order of
/// k. Only elements that enter the sum are read.
using LaneTile = void (*)(std::int64_t k, const float* const* from, const std::int64_t* offsets,
                          const float* panel, float* tile, std::int64_t stride, bool accumulate);

/// A tile of R channels by V vectors of pixels:
///
///     to[v][r * channel_stride + l] = sum over k of weights[k * R + r] * from[v][offsets[k] + l]
///
/// for l < count. Whole vectors of `from` are read. One chain of multiply-adds in the order of k.
using PixelTile = void (*)(std::int64_t k, const float* const* from, const std::int64_t* offsets,
                           const float* weights, float* const* to, std::int64_t channel_stride,
                           std::int64_t count);

/// Most sums of a DotTile.
inline constexpr int kConvMaxDots = 9;

/// T dot products of rows of pixels, lane by lane:
///
///     sums[t * lanes + l] += sum over rows r and i with i % lanes == l of
///         y[r * width + i] * x[r * x_row + offsets[t] + i]
///
/// for i < width. Only elements that enter the sum are read.
using DotTile = void (*)(std::int64_t rows, std::int64_t width, const float* y, const float* x,
                         std::int64_t x_row, const std::int64_t* offsets, float* sums);

/// Rows of pixels to copy: `blocks` times `rows` rows. One side of the copy is plain, the other may
/// be two rows that take turns (phase 0: even pixels).
struct RowCopy {
  std::int64_t blocks = 0;
  std::int64_t rows = 0;
  const float* from[2] = {nullptr, nullptr};
  std::int64_t from_block = 0;
  std::int64_t from_row = 0;
  float* to[2] = {nullptr, nullptr};
  std::int64_t to_block = 0;
  std::int64_t to_row = 0;
  std::int64_t count[2] = {0, 0};  ///< pixels of each phase; plain copies use count[0]
  std::int64_t available = 0;      ///< pixels of a row that split_rows may read
};

/// A plane that is added to another one with a shift: pixel (row, col) of the sum gets
/// from[offset + row * stride + col] for row in [row_begin, row_end) and col in [col_begin,
/// col_end).
struct ShiftedPlane {
  std::int64_t offset = 0;
  std::int64_t row_begin = 0;
  std::int64_t row_end = 0;
  std::int64_t col_begin = 0;
  std::int64_t col_end = 0;
};

/// The kernels of one target.
struct ConvKernels {
  int lanes;  ///< floats in a vector
  int rows;   ///< most rows of a tile

  /// [vectors - 1][groups - 1][pixels - 1]; null where groups * pixels > rows.
  LaneTile lane_tile[kConvMaxVectors][kConvMaxGroups][kConvMaxRows];
  /// [log2 vectors][channels - 1]; 4 vectors for at most `wide_rows` channels.
  PixelTile pixel_tile[3][kConvMaxRows];
  int wide_rows;
  DotTile dot_tile[kConvMaxDots];  ///< [T - 1]

  /// to[c * channel_stride + p] = tile[p * tile_stride + c] for p < pixels, c < channels. Reads
  /// whole vectors of rows and of channels of the tile.
  void (*turn_tile)(const float* tile, std::int64_t tile_stride, std::int64_t pixels,
                    std::int64_t channels, float* to, std::int64_t channel_stride);

  /// Copies from[0] to to[0].
  void (*copy_rows)(const RowCopy& copy);
  /// to[row * width + col] = the sum of `count` planes, in order, whose rows lie `stride` apart.
  void (*sum_planes)(const float* from, const ShiftedPlane* planes, std::int64_t count,
                     std::int64_t stride, std::int64_t rows, std::int64_t width, float* to);
  /// Copies pixel 2i of from[0] to pixel i of to[0] and pixel 2i + 1 to pixel i of to[1]; a phase
  /// with null `to` is dropped.
  void (*split_rows)(const RowCopy& copy);
  /// Copies pixel i of from[0] to pixel 2i of to[0] and pixel i of from[1] to pixel 2i + 1, with
  /// count[0] - count[1] 0 or 1. May read a vector past the rows.
  void (*merge_rows)(const RowCopy& copy);
};

/// The kernels for the best target that this processor has (and Highway's settings allow).
const ConvKernels& conv_kernels();

}  // namespace genera::cpu
