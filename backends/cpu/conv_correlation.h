/// Convolution in the roles `out` and `grad_input`.
#pragma once

#include <array>
#include <cstdint>

#include "backends/conv_shape.h"
#include "backends/cpu/conv_plan.h"

namespace genera::cpu {

/// Images [begin[0], end[0]), channels [begin[1], end[1]) and, of all spatial axes flattened, pixels
/// [begin[2], end[2]) of dest.
struct ConvBlock {
  std::array<std::int64_t, 3> begin, end;
};

/// Work on finished pixels of dest while they are in cache: bias, activation, residual.
class ConvEpilogue {
 public:
  ConvEpilogue() = default;
  ConvEpilogue(const ConvEpilogue&) = delete;
  ConvEpilogue& operator=(const ConvEpilogue&) = delete;
  virtual ~ConvEpilogue() = default;

  /// The block is final and stored. The blocks cover each pixel once; they come from several threads
  /// at once, each from the thread that computed it.
  virtual void run(const ConvBlock& block) const = 0;
};

/// Computes y from x and w (role out), or x from y and w (role grad_input), as correlations with
/// stride 1: in tiles that add up k = (channel, tap) in order, with the dest channels in the vector
/// lanes, or the pixels where channels are few.
class ConvCorrelation {
 public:
  explicit ConvCorrelation(const ConvShape& shape);

  /// All three are contiguous; source is x or y, dest the other one. The result's bits depend on
  /// the shape and the SIMD target, never on the number of threads. No memory is allocated from the
  /// second call on (by the same thread and thread count).
  void run(const float* source, const float* weights, float* dest,
           const ConvEpilogue* epilogue = nullptr) const;

 private:
  bool empty_ = false;
  CorrelationPlan plan_;
};

}  // namespace genera::cpu
