/// The innermost loops of the matrix product, one set per SIMD target, chosen at run time.
#pragma once

#include <cstdint>

namespace genera::cpu {

/// How a kernel finds element (i, k) of its rows operand.
enum class RowsLayout : int {
  interleaved = 0,  ///< a[k * stride + i]: a packed panel, or a matrix whose columns are contiguous
  contiguous = 1,   ///< a[i * stride + k]: a matrix whose rows are contiguous, read where it lies
};

/// One tile: C(i, j) = sum over k of a(i, k) * b[k * b_stride + j], for i below the kernel's row
/// count and j below `cols`, C(i, j) lying at c[i * c_stride + j]. With `accumulate` the sum is
/// added to what C holds. Each C(i, j) is one chain of multiply-adds in the order of k, whatever
/// the tile's size: the tiling never changes a bit.
using TileKernel = void (*)(std::int64_t k, const float* a, std::int64_t a_stride, const float* b,
                            std::int64_t b_stride, float* c, std::int64_t c_stride,
                            std::int64_t cols, bool accumulate, const float* next);

/// Largest tile of any target, in rows and vectors, and its largest number of floats.
inline constexpr int kMaxTileRows = 14;
inline constexpr int kMaxTileVectors = 2;
inline constexpr int kMaxTileFloats = 14 * 32;

/// The kernels of one target.
struct GemmKernels {
  const char* target;  ///< name of the SIMD target
  bool fused;          ///< has fused multiply-add on vectors
  int lanes;           ///< floats in a vector
  int rows;            ///< most rows of a tile
  int vectors;         ///< most vectors of a tile's row

  /// tile[layout][rows - 1][vectors - 1]; reads whole vectors of b, writes only `cols` columns of
  /// C, with (vectors - 1) * lanes < cols <= vectors * lanes.
  TileKernel tile[2][kMaxTileRows][kMaxTileVectors];

  /// out[k * width + i] = x[i * x_stride + k] for i < count and k < depth, zero for count <= i <
  /// width: packs lines that are contiguous along k.
  void (*pack_transposed)(const float* x, std::int64_t x_stride, std::int64_t count,
                          std::int64_t depth, std::int64_t width, float* out);

  /// Packs `count` lines that lie side by side, all panels at once: line p * width + i of k goes to
  /// out[p * width * depth + k * width + i]; the last panel's width is rounded up to whole vectors
  /// if `pad`, and filled with zeros.
  void (*pack_copied)(const float* x, std::int64_t x_stride, std::int64_t count, std::int64_t depth,
                      std::int64_t width, bool pad, float* out);

  /// out[i * out_stride + j] = in[j * in_stride + i] for i < rows, j < cols.
  void (*transpose)(const float* in, std::int64_t in_stride, std::int64_t rows, std::int64_t cols,
                    float* out, std::int64_t out_stride);
};

/// The kernels for the best target that this processor has (and Highway's settings allow).
const GemmKernels& gemm_kernels();

}  // namespace genera::cpu
