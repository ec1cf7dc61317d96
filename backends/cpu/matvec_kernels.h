/// The innermost loops of matrix-vector products, one set per SIMD target, chosen at run time.
#pragma once

#include <cstdint>

namespace genera::cpu {

/// Most lines of one call: their sums are on the stack.
inline constexpr std::int64_t kMatvecBlock = 128;

/// The kernels of one target. Both give the same bits for the same numbers.
struct MatvecKernels {
  /// sums[i] = sum over k of matrix[i * stride + k] * x[k], for i < lines.
  void (*dot)(const float* matrix, std::int64_t stride, std::int64_t lines, const float* x,
              std::int64_t k, float* sums);

  /// sums[i] = sum over k of matrix[k * k_stride + i * line_stride] * x[k], for i < lines <= kMatvecBlock.
  void (*weighted_sum)(const float* matrix, std::int64_t k_stride, std::int64_t line_stride,
                       std::int64_t lines, const float* x, std::int64_t k, float* sums);
};

/// The kernels for the best target that this processor has.
const MatvecKernels& matvec_kernels();

}  // namespace genera::cpu
