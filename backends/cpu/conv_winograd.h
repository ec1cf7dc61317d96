/// Convolution in the roles `out` and `grad_input` with fewer multiplications.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "backends/conv_shape.h"
#include "backends/cpu/conv_correlation.h"
#include "backends/cpu/conv_winograd_tiles.h"

namespace genera::cpu {

/// Computes what ConvCorrelation does by Winograd's minimal filtering (conv_winograd_kernels.h): 16
/// products for a tile of 2 x 2 pixels and 3 x 3 taps where the definition has 36, 36 for 4 x 4 taps
/// and stride 2 where it has 64. Transforms and products are fused over a unit of tiles, so that
/// nothing but x, w and y passes through memory.
///
/// Pixels of a tile come from sums and differences of all that the tile reads: rounding errors are
/// in proportion to these, and an infinity or NaN of the source spreads over its tiles, one of the
/// weights over its channels (docs/convolution.md).
class ConvWinograd {
 public:
  /// Whether the shape has this form and it is the faster one. Depends on the shape and the SIMD
  /// target alone.
  static bool suits(const ConvShape& shape);

  /// Estimated clock cycles of one image of one group, for the same shapes.
  static double cost(const ConvShape& shape);

  /// For shapes that WinogradTiles::applies() to, in the role `out` or `grad_input`.
  explicit ConvWinograd(const ConvShape& shape);

  /// As ConvCorrelation::run().
  void run(const float* source, const float* weights, float* dest,
           const ConvEpilogue* epilogue = nullptr) const;

 private:
  class Worker;

  std::int64_t dest_plane() const { return dest_size_[0] * dest_size_[1]; }
  // Floats of the transformed weights of one dest phase and group.
  std::int64_t phase_weights() const {
    return tiles_.points() * tiles_.dest_channels() * tiles_.depth();
  }
  std::int64_t all_weights() const {
    return tiles_.groups() * tiles_.dest_phases() * phase_weights();
  }
  double product_cost() const;
  double transform_cost() const;
  double pack_cost() const;
  std::int64_t pack_scratch() const;
  void pack_slice(const float* weights, std::int64_t index, float* scratch, float* packed) const;
  void pack_weights(const float* weights, std::int64_t parts, float* scratch, std::int64_t share,
                    float* packed) const;

  WinogradTiles tiles_;
  std::int64_t kernel_taps_;
  std::int64_t dest_weight_stride_;    ///< floats of w from one dest channel to the next
  std::int64_t source_weight_stride_;  ///< and from one source channel to the next
  std::array<std::int64_t, 2> dest_size_;
  std::vector<std::vector<std::int64_t>> taps_;  ///< of each dest and source phase
  std::int64_t tile_rows_;                       ///< dest channels of a product's tile
  std::int64_t multiply_adds_;
};

}  // namespace genera::cpu
