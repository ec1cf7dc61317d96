#include "backends/cpu/matvec_kernels.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/matvec_kernels.cpp"
#include <hwy/foreach_target.h>
// Highway's own headers come after foreach_target.
#include <hwy/highway.h>

#include "backends/cpu/gemm-inl.h"

HWY_BEFORE_NAMESPACE();
namespace genera::cpu::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;

// kLines sums for each of kX vectors. One vector has two accumulators per line, to hide the latency
// of the multiply-add.
template <int kLines, int kX>
HWY_INLINE void dot_lines(const float* HWY_RESTRICT matrix, std::int64_t stride,
                          const float* HWY_RESTRICT x, std::int64_t x_stride, std::int64_t depth,
                          float* HWY_RESTRICT sums, std::int64_t sums_stride) {
  const D d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  constexpr int kSets = kX == 1 ? 2 : 1;
  V sum[kSets][kLines][kX];
#pragma GCC unroll 2
  for (int s = 0; s < kSets; ++s) {
#pragma GCC unroll 4
    for (int i = 0; i < kLines; ++i) {
#pragma GCC unroll 4
      for (int v = 0; v < kX; ++v) sum[s][i][v] = hn::Zero(d);
    }
  }
  std::int64_t k = 0;
  for (; k + kSets * lanes <= depth; k += kSets * lanes) {
#pragma GCC unroll 2
    for (int s = 0; s < kSets; ++s) {
      V factor[kX];
#pragma GCC unroll 4
      for (int v = 0; v < kX; ++v) factor[v] = hn::LoadU(d, x + v * x_stride + k + s * lanes);
#pragma GCC unroll 4
      for (int i = 0; i < kLines; ++i) {
        const V line = hn::LoadU(d, matrix + i * stride + k + s * lanes);
#pragma GCC unroll 4
        for (int v = 0; v < kX; ++v) sum[s][i][v] = hn::MulAdd(line, factor[v], sum[s][i][v]);
      }
    }
  }
  for (; k < depth; k += lanes) {
    const std::int64_t part = std::min(lanes, depth - k);
    V factor[kX];
#pragma GCC unroll 4
    for (int v = 0; v < kX; ++v) factor[v] = load_part(d, x + v * x_stride + k, part);
#pragma GCC unroll 4
    for (int i = 0; i < kLines; ++i) {
      const V line = load_part(d, matrix + i * stride + k, part);
#pragma GCC unroll 4
      for (int v = 0; v < kX; ++v) sum[0][i][v] = hn::MulAdd(line, factor[v], sum[0][i][v]);
    }
  }
#pragma GCC unroll 4
  for (int i = 0; i < kLines; ++i) {
#pragma GCC unroll 4
    for (int v = 0; v < kX; ++v) {
      V total = sum[0][i][v];
      if constexpr (kSets == 2) total = hn::Add(total, sum[1][i][v]);
      sums[v * sums_stride + i] = hn::GetLane(hn::SumOfLanes(d, total));
    }
  }
}

template <int kX>
void dot_vectors(const float* matrix, std::int64_t stride, std::int64_t lines, const float* x,
                 std::int64_t x_stride, std::int64_t depth, float* sums) {
  std::int64_t i = 0;
  for (; i + 4 <= lines; i += 4) {
    dot_lines<4, kX>(matrix + i * stride, stride, x, x_stride, depth, sums + i, lines);
  }
  for (; i < lines; ++i) {
    dot_lines<1, kX>(matrix + i * stride, stride, x, x_stride, depth, sums + i, lines);
  }
}

void dot(const float* matrix, std::int64_t stride, std::int64_t lines, const float* x,
         std::int64_t x_stride, std::int64_t vectors, std::int64_t depth, float* sums) {
  constexpr decltype(&dot_vectors<1>) kTable[] = {dot_vectors<1>, dot_vectors<2>, dot_vectors<3>,
                                                  dot_vectors<4>};
  kTable[vectors - 1](matrix, stride, lines, x, x_stride, depth, sums);
}

// Adds kRows rows of the matrix, each times its factor, in their order.
template <int kRows>
HWY_INLINE void add_rows(const float* HWY_RESTRICT matrix, std::int64_t stride, std::int64_t lines,
                         const float* HWY_RESTRICT x, std::int64_t x_stride,
                         float* HWY_RESTRICT sums) {
  const D d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  V factor[kRows];
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) factor[r] = hn::Set(d, x[r * x_stride]);
  std::int64_t i = 0;
  for (; i + lanes <= lines; i += lanes) {
    V sum = hn::LoadU(d, sums + i);
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      sum = hn::MulAdd(hn::LoadU(d, matrix + r * stride + i), factor[r], sum);
    }
    hn::StoreU(sum, d, sums + i);
  }
  if (i == lines) return;
  V sum = load_part(d, sums + i, lines - i);
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
    sum = hn::MulAdd(load_part(d, matrix + r * stride + i, lines - i), factor[r], sum);
  }
  store_part(sum, d, sums + i, lines - i);
}

void weighted_sum(const float* matrix, std::int64_t stride, std::int64_t lines, const float* x,
                  std::int64_t x_stride, std::int64_t depth, float* sums) {
  std::fill(sums, sums + lines, 0.0f);
  std::int64_t k = 0;
  for (; k + 8 <= depth; k += 8) {
    add_rows<8>(matrix + k * stride, stride, lines, x + k * x_stride, x_stride, sums);
  }
  for (; k < depth; ++k) {
    add_rows<1>(matrix + k * stride, stride, lines, x + k * x_stride, x_stride, sums);
  }
}

const MatvecKernels& target_matvec() {
  static constexpr MatvecKernels kKernels{dot, weighted_sum};
  return kKernels;
}

}  // namespace genera::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace genera::cpu {
HWY_EXPORT(target_matvec);

const MatvecKernels& matvec_kernels() { return HWY_DYNAMIC_DISPATCH(target_matvec)(); }

}  // namespace genera::cpu
#endif
