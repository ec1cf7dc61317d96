#include "backends/cpu/matvec_kernels.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/matvec_kernels.cpp"
#include <hwy/foreach_target.h>
// Highway's own headers come after foreach_target.
#include <hwy/highway.h>

#include "backends/cpu/masked-inl.h"

HWY_BEFORE_NAMESPACE();
namespace genera::cpu::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;

// Every element is the same sum however the matrix lies in memory: product k goes to partial sum k mod (2 lanes), those
// after the last whole round to partial sum (their number) mod lanes, and the partial sums are added as a tree.
constexpr std::int64_t kRounds = 2;
constexpr std::int64_t kMostLanes = 16;  // of the targets that are built

// The sum of the partial sums, in the order of the tree: i + (i + half), halving.
HWY_INLINE float tree_sum(float* partial, std::int64_t count) {
  for (std::int64_t half = count / 2; half > 0; half /= 2) {
    for (std::int64_t i = 0; i < half; ++i) partial[i] += partial[i + half];
  }
  return partial[0];
}

// kLines lines that are contiguous along k.
template <int kLines>
HWY_INLINE void dot_lines(const float* HWY_RESTRICT matrix, std::int64_t stride,
                          const float* HWY_RESTRICT x, std::int64_t depth,
                          float* HWY_RESTRICT sums) {
  const D d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  V sum[kRounds][kLines];
#pragma GCC unroll 2
  for (int s = 0; s < kRounds; ++s) {
#pragma GCC unroll 4
    for (int i = 0; i < kLines; ++i) sum[s][i] = hn::Zero(d);
  }
  std::int64_t k = 0;
  for (; k + kRounds * lanes <= depth; k += kRounds * lanes) {
#pragma GCC unroll 2
    for (int s = 0; s < kRounds; ++s) {
      const V factor = hn::LoadU(d, x + k + s * lanes);
#pragma GCC unroll 4
      for (int i = 0; i < kLines; ++i) {
        sum[s][i] =
            hn::MulAdd(hn::LoadU(d, matrix + i * stride + k + s * lanes), factor, sum[s][i]);
      }
    }
  }
  for (; k < depth; k += lanes) {
    const std::int64_t part = std::min(lanes, depth - k);
    const V factor = load_first(d, x + k, part);
#pragma GCC unroll 4
    for (int i = 0; i < kLines; ++i) {
      sum[0][i] = hn::MulAdd(load_first(d, matrix + i * stride + k, part), factor, sum[0][i]);
    }
  }
  HWY_ALIGN float partial[kMostLanes];
#pragma GCC unroll 4
  for (int i = 0; i < kLines; ++i) {
    hn::Store(hn::Add(sum[0][i], sum[1][i]), d, partial);
    sums[i] = tree_sum(partial, lanes);
  }
}

void dot(const float* matrix, std::int64_t stride, std::int64_t lines, const float* x,
         std::int64_t depth, float* sums) {
  std::int64_t i = 0;
  for (; i + 4 <= lines; i += 4) dot_lines<4>(matrix + i * stride, stride, x, depth, sums + i);
  for (; i < lines; ++i) dot_lines<1>(matrix + i * stride, stride, x, depth, sums + i);
}

// sums[i] += factor * row[i * line_stride].
HWY_INLINE void add_row(const float* HWY_RESTRICT row, std::int64_t line_stride, std::int64_t lines,
                        float factor, float* HWY_RESTRICT sums) {
  const D d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const V weight = hn::Set(d, factor);
  std::int64_t i = 0;
  if (line_stride == 1) {
    for (; i + lanes <= lines; i += lanes) {
      hn::StoreU(hn::MulAdd(hn::LoadU(d, row + i), weight, hn::LoadU(d, sums + i)), d, sums + i);
    }
    if (i < lines) {
      const std::int64_t part = lines - i;
      store_first(hn::MulAdd(load_first(d, row + i, part), weight, load_first(d, sums + i, part)),
                  d, sums + i, part);
    }
    return;
  }
  for (; i < lines; ++i) {
    const V one = hn::MulAdd(hn::Set(d, row[i * line_stride]), weight, hn::Set(d, sums[i]));
    sums[i] = hn::GetLane(one);
  }
}

void weighted_sum(const float* matrix, std::int64_t k_stride, std::int64_t line_stride,
                  std::int64_t lines, const float* x, std::int64_t depth, float* sums) {
  const D d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  HWY_ALIGN float partial[kRounds * kMostLanes * kMatvecBlock];
  std::fill(partial, partial + kRounds * lanes * lines, 0.0f);
  const std::int64_t whole = depth / (kRounds * lanes) * (kRounds * lanes);
  for (std::int64_t k = 0; k < depth; ++k) {
    const std::int64_t to = k < whole ? k % (kRounds * lanes) : (k - whole) % lanes;
    add_row(matrix + k * k_stride, line_stride, lines, x[k], partial + to * lines);
  }
  HWY_ALIGN float line[kMostLanes];
  for (std::int64_t i = 0; i < lines; ++i) {
    for (std::int64_t lane = 0; lane < lanes; ++lane) {
      line[lane] = partial[lane * lines + i] + partial[(lanes + lane) * lines + i];
    }
    sums[i] = tree_sum(line, lanes);
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
