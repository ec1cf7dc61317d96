/// Convolution in the role `grad_weight`.
#pragma once

#include <cstdint>
#include <vector>

#include "backends/conv_shape.h"
#include "backends/cpu/conv_kernels.h"
#include "backends/cpu/conv_source.h"

namespace genera::cpu {

/// Computes w from x and y:
///
///     w[co][c][tap] = sum over k = (image, pixel) of y[co][k] * x[c][offset(k) + tap]
///
/// in tiles of taps by output channels: y is turned so that channels lie in the vector lanes, x is
/// read where its padded images lie. Without a stride x and y may change places, which turns the
/// kernel round: what has more channels goes into the lanes. The sum over k is cut into chunks by
/// the shape alone; chunks are added in order.
class ConvWeightGradient {
 public:
  /// Estimated clock cycles of one image and group.
  static double cost(const ConvShape& shape);

  explicit ConvWeightGradient(const ConvShape& shape);

  /// All three are contiguous. The result's bits depend on the shape and the SIMD target, never on
  /// the number of threads. No memory is allocated from the second call on (by the same thread and
  /// thread count).
  void run(const float* x, const float* y, float* w) const;

 private:
  class Worker;
  /// Neighbouring taps of one row of the kernel: rows of a tile.
  struct TapRow {
    std::int64_t offset = 0;  ///< of the first tap in x
    std::int64_t tap = 0;     ///< its index in (channel, tap)
    std::int64_t count = 0;
  };

  void make_source();
  void make_taps();
  void make_chunks();
  void make_offsets();
  std::int64_t rows() const { return shape_.in_channels * shape_.taps(); }
  std::int64_t panels() const;
  std::int64_t panel_width(std::int64_t panel) const;
  std::int64_t chunk_floats() const;
  void sum_block(float* partials, std::int64_t index, float* w) const;

  bool exchanged_ = false;  ///< x is y and y is x in all that follows
  ConvShape shape_;
  const ConvKernels& kernels_;
  ConvSource source_;
  std::vector<TapRow> taps_;
  std::vector<std::int64_t> offsets_;  ///< of a unit's pixels in x
  std::int64_t images_ = 1;            ///< of one unit of work
  std::int64_t band_ = 0;              ///< rows of y of one unit of work
  std::int64_t bands_ = 1;
  std::int64_t units_ = 0;
  std::int64_t chunks_ = 1;
  std::int64_t panel_groups_ = 1;
};

}  // namespace genera::cpu
