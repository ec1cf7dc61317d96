/// The innermost loops of matrix-vector products, one set per SIMD target, chosen at run time.
#pragma once

#include <cstdint>

namespace genera::cpu {

/// Most vectors that one pass over the matrix multiplies.
inline constexpr int kMaxVectors = 4;

/// The kernels of one target.
struct MatvecKernels {
  /// sums[v * lines + i] = sum over k of matrix[i * stride + k] * x[v * x_stride + k], for i <
  /// lines, v < vectors (1 to 4). The order of each sum depends on k and on vectors == 1 alone.
  void (*dot)(const float* matrix, std::int64_t stride, std::int64_t lines, const float* x,
              std::int64_t x_stride, std::int64_t vectors, std::int64_t k, float* sums);

  /// sums[i] = sum over k of matrix[k * stride + i] * x[k * x_stride], in the order of k, for i <
  /// lines.
  void (*weighted_sum)(const float* matrix, std::int64_t stride, std::int64_t lines, const float* x,
                       std::int64_t x_stride, std::int64_t k, float* sums);
};

/// The kernels for the best target that this processor has.
const MatvecKernels& matvec_kernels();

}  // namespace genera::cpu
