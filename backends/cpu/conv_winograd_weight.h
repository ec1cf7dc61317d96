/// Convolution in the role `grad_weight` by minimal filtering.
#pragma once

#include <cstdint>

#include "backends/conv_shape.h"
#include "backends/cpu/conv_winograd_weight_kernels.h"
#include "backends/cpu/gemm_kernels.h"

namespace genera::cpu {

/// Computes w from x and y as the adjoint of Winograd's minimal filtering F(2 x 2, r x r) (Lavin &
/// Gray, arXiv 1509.09308), summed over tiles p of 2 x 2 pixels of y, with d the pixels of x that
/// a tile's outputs read:
///
///     w = G^T [ sum over p of (A y[p] A^T) * (B^T d[p] B) ] G
///
/// The elementwise product is a matrix product (out channels x tiles x in channels) at each of the
/// (r + 1)^2 points. A 3 x 3 kernel has r = 3 and needs 16 products where the direct sum has 36; a
/// 4 x 4 kernel with stride 2 is four kernels with r = 2, one for each residue of x's pixels, and
/// needs 9 products instead of 16.
///
/// Each weight's rounding error is relative to the sum of |x| * |y| over all pairs of pixels of a
/// tile, which other taps read too; an infinity or a NaN in a channel of x or y reaches all of that
/// channel's taps.
class ConvWinogradWeight {
 public:
  /// Whether the shape has this form and this is faster than ConvWeightGradient. Depends on the
  /// shape and the SIMD target alone.
  static bool suits(const ConvShape& shape);

  /// For shapes that WinogradTiles::applies() to.
  explicit ConvWinogradWeight(const ConvShape& shape);

  /// Estimated clock cycles of one group.
  double cost() const;

  /// All three are contiguous. The result's bits depend on the shape and the SIMD target, never on
  /// the number of threads. No memory is allocated from the second call on (by the same thread and
  /// thread count).
  void run(const float* x, const float* y, float* w) const;

 private:
  class Worker;

  // x or y, which tiles of pixels are cut from. Pixel (u, v) of the tiles is (u - pad, v - pad) of
  // the image.
  struct Side {
    std::int64_t channels = 0;  // per group
    std::int64_t padded = 0;    // channels in whole vectors
    std::int64_t panels = 0;
    std::int64_t size[2] = {};  // of an image
    std::int64_t pad[2] = {};
    std::int64_t extent[2] = {};  // pixels of the tiles that are not zero
    std::int64_t step = 0;        // pixels from one tile to the next
    std::int64_t halo = 0;        // pixels that a tile has beyond them
    std::int64_t residues = 1;    // pixels of a tile's columns
    std::int64_t columns = 0;     // pixels of a row of tiles
    const WinogradPointRow* point_rows = nullptr;
    const WinogradTransform* transforms = nullptr;
  };

  void make_sides();
  void make_blocks();
  void make_parts();
  std::int64_t panel() const { return gemm_.vectors * gemm_.lanes; }
  std::int64_t phases() const { return x_.residues * x_.residues; }
  std::int64_t source_panels() const { return x_.panels * phases(); }
  std::int64_t sum_columns() const { return x_.padded * phases(); }
  std::int64_t point_floats() const { return y_.channels * sum_columns(); }
  std::int64_t chunk_floats() const { return points_ * points_ * point_floats(); }
  std::int64_t block_tiles() const { return block_rows_ * tile_columns_; }
  std::int64_t band_floats(const Side& side) const;
  std::int64_t worker_floats() const;
  std::int64_t tasks() const { return chunks_ * shape_.groups * point_parts_ * panel_parts_; }
  void sum_channel(const float* sums, std::int64_t channel, float* scratch, float* w) const;

  ConvShape shape_;
  const GemmKernels& gemm_;
  const WinogradWeightKernels& kernels_;
  std::int64_t taps_ = 0;    // r
  std::int64_t points_ = 0;  // r + 1
  Side x_;
  Side y_;
  std::int64_t tile_rows_ = 0;  // of an image
  std::int64_t tile_columns_ = 0;
  std::int64_t block_rows_ = 1;  // rows of tiles that are transformed before they are multiplied
  std::int64_t blocks_ = 0;
  std::int64_t chunks_ = 1;
  std::int64_t point_parts_ = 1;  // of the rows of points
  std::int64_t panel_parts_ = 1;  // of the panels of x
};

}  // namespace genera::cpu
