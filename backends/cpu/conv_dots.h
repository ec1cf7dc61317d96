/// Convolution in the role `grad_weight` with few channels in each group: depthwise convolution.
#pragma once

#include <cstdint>

#include "backends/conv_shape.h"
#include "backends/cpu/conv_plan.h"

namespace genera::cpu {

/// Computes w from x and y: each weight is a dot product of a plane of y with a shifted plane of x,
/// with pixels in the vector lanes. Images are cut into chunks by the shape alone, which are added
/// in order.
class ConvDots {
 public:
  /// Whether this is faster for `shape` than ConvWeightGradient.
  static bool suits(const ConvShape& shape);

  explicit ConvDots(const ConvShape& shape);

  /// All three are contiguous. The result's bits depend on the shape and the SIMD target, never on
  /// the number of threads. No memory is allocated from the second call on (by the same thread and
  /// thread count).
  void run(const float* x, const float* y, float* w) const;

 private:
  void add_unit(const float* source, const float* y, std::int64_t rows, float* sums) const;
  void run_task(std::int64_t task, const float* x, const float* y, float* scratch,
                float* partials) const;
  std::int64_t group_weights() const { return shape_.weights() / shape_.groups; }

  ConvShape shape_;
  CorrelationPlan plan_;  ///< of role out: where x's padded images lie, and what each tap reads
  std::int64_t chunks_ = 1;
};

}  // namespace genera::cpu
