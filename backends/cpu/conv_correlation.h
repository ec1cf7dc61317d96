/// Convolution in the roles `out` and `grad_input`.
#pragma once

#include <cstdint>

#include "backends/cpu/conv_plan.h"
#include "backends/cpu/conv_shape.h"

namespace genera::cpu {

/// Computes y from x and w (role out), or x from y and w (role grad_input), as correlations with
/// stride 1: in tiles that add up k = (channel, tap) in order, with the dest channels in the vector
/// lanes, or the pixels where channels are few.
class ConvCorrelation {
 public:
  explicit ConvCorrelation(const ConvShape& shape);

  /// All three are contiguous; source is x or y, dest the other one. The result's bits depend on
  /// the shape and the SIMD target, never on the number of threads. No memory is allocated from the
  /// second call on (by the same thread and thread count).
  void run(const float* source, const float* weights, float* dest) const;

 private:
  bool empty_ = false;
  CorrelationPlan plan_;
};

}  // namespace genera::cpu
