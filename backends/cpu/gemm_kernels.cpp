#include "backends/cpu/gemm_kernels.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/gemm_kernels.cpp"
#include <hwy/cache_control.h>
#include <hwy/foreach_target.h>
// Highway's own headers come after foreach_target.
#include <hwy/highway.h>

#include "backends/cpu/masked-inl.h"
#include "backends/cpu/tile_rows-inl.h"

HWY_BEFORE_NAMESPACE();
namespace genera::cpu::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;

constexpr int kVectors = 2;
// Rows of B fetched ahead: where B is read in place its rows are too far apart for the processor to
// guess.
constexpr int kAhead = 8;

template <int kR, int kV, RowsLayout kLayout>
void tile(std::int64_t depth, const float* HWY_RESTRICT a, std::int64_t a_stride,
          const float* HWY_RESTRICT b, std::int64_t b_stride, float* HWY_RESTRICT c,
          std::int64_t c_stride, std::int64_t cols, bool accumulate,
          [[maybe_unused]] const float* next) {
  const D d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  V sum[kR][kV];
#pragma GCC unroll 16
  for (int i = 0; i < kR; ++i) {
#pragma GCC unroll 4
    for (int j = 0; j < kV; ++j) sum[i][j] = hn::Zero(d);
  }
  for (std::int64_t k = 0; k < depth; ++k) {
    V row[kV];
#pragma GCC unroll 4
    for (int j = 0; j < kV; ++j) row[j] = hn::LoadU(d, b + j * lanes);
#pragma GCC unroll 4
    for (int j = 0; j < kV; ++j) hwy::Prefetch(b + kAhead * b_stride + j * lanes);
    b += b_stride;
    if constexpr (kLayout == RowsLayout::contiguous) {
      // One line of memory, 16 floats, per k: a row of the next tile after the other.
      if (next != nullptr)
        __builtin_prefetch(next + (k & 15) * a_stride + (k & ~std::int64_t{15}), 0, 2);
    }
#pragma GCC unroll 16
    for (int i = 0; i < kR; ++i) {
      const V factor = hn::Set(d, kLayout == RowsLayout::interleaved ? a[i] : a[i * a_stride]);
#pragma GCC unroll 4
      for (int j = 0; j < kV; ++j) sum[i][j] = hn::MulAdd(factor, row[j], sum[i][j]);
    }
    a += kLayout == RowsLayout::interleaved ? a_stride : 1;
  }
  const std::int64_t last = cols - (kV - 1) * lanes;
  if (last == lanes) {
#pragma GCC unroll 16
    for (int i = 0; i < kR; ++i, c += c_stride) {
#pragma GCC unroll 4
      for (int j = 0; j < kV; ++j) {
        if (accumulate) sum[i][j] = hn::Add(hn::LoadU(d, c + j * lanes), sum[i][j]);
        hn::StoreU(sum[i][j], d, c + j * lanes);
      }
    }
    return;
  }
#pragma GCC unroll 16
  for (int i = 0; i < kR; ++i, c += c_stride) {
#pragma GCC unroll 4
    for (int j = 0; j < kV - 1; ++j) {
      if (accumulate) sum[i][j] = hn::Add(hn::LoadU(d, c + j * lanes), sum[i][j]);
      hn::StoreU(sum[i][j], d, c + j * lanes);
    }
    float* edge = c + (kV - 1) * lanes;
    V total = sum[i][kV - 1];
    if (accumulate) total = hn::Add(load_first(d, edge, last), total);
    store_first(total, d, edge, last);
  }
}

template <RowsLayout kLayout, int kR>
void fill_rows(GemmKernels& kernels) {
  TileKernel* slot = kernels.tile[static_cast<int>(kLayout)][kR - 1];
  slot[0] = tile<kR, 1, kLayout>;
  slot[1] = tile<kR, 2, kLayout>;
  if constexpr (kR > 1) fill_rows<kLayout, kR - 1>(kernels);
}

// The 4 x 4 transpose of each 128-bit block.
#if HWY_TARGET != HWY_SCALAR
template <class DT, class VT = hn::Vec<DT>>
HWY_INLINE void transpose_blocks(DT d, VT& v0, VT& v1, VT& v2, VT& v3) {
  const hn::Repartition<double, DT> dw;
  const VT low01 = hn::InterleaveLower(d, v0, v1);
  const VT high01 = hn::InterleaveUpper(d, v0, v1);
  const VT low23 = hn::InterleaveLower(d, v2, v3);
  const VT high23 = hn::InterleaveUpper(d, v2, v3);
  const auto as_pair = [&](VT v) { return hn::BitCast(dw, v); };
  v0 = hn::BitCast(d, hn::InterleaveLower(dw, as_pair(low01), as_pair(low23)));
  v1 = hn::BitCast(d, hn::InterleaveUpper(dw, as_pair(low01), as_pair(low23)));
  v2 = hn::BitCast(d, hn::InterleaveLower(dw, as_pair(high01), as_pair(high23)));
  v3 = hn::BitCast(d, hn::InterleaveUpper(dw, as_pair(high01), as_pair(high23)));
}

// Block b of the result is the 4 floats at x + 4 * b * stride.
HWY_INLINE V load_blocks(D d, const float* x, std::int64_t stride) {
#if HWY_TARGET == HWY_AVX3
  const hn::CappedTag<float, 4> d4;
  const hn::Half<D> d8;
  const auto low = hn::Combine(d8, hn::LoadU(d4, x + 4 * stride), hn::LoadU(d4, x));
  const auto high = hn::Combine(d8, hn::LoadU(d4, x + 12 * stride), hn::LoadU(d4, x + 8 * stride));
  return hn::Combine(d, high, low);
#elif HWY_TARGET == HWY_AVX2
  const hn::CappedTag<float, 4> d4;
  return hn::Combine(d, hn::LoadU(d4, x + 4 * stride), hn::LoadU(d4, x));
#else
  (void)stride;
  return hn::LoadU(d, x);
#endif
}

template <class DT>
HWY_INLINE void transpose_four(DT d, const float* HWY_RESTRICT in, std::int64_t in_stride,
                               float* HWY_RESTRICT out, std::int64_t out_stride) {
  hn::Vec<DT> v[4];
#pragma GCC unroll 4
  for (int r = 0; r < 4; ++r) {
    if constexpr (hn::MaxLanes(DT()) == 4) {
      v[r] = hn::LoadU(d, in + r * in_stride);
    } else {
      v[r] = load_blocks(d, in + r * in_stride, in_stride);
    }
  }
  transpose_blocks(d, v[0], v[1], v[2], v[3]);
#pragma GCC unroll 4
  for (int r = 0; r < 4; ++r) hn::StoreU(v[r], d, out + r * out_stride);
}
#endif

void transpose(const float* HWY_RESTRICT in, std::int64_t in_stride, std::int64_t rows,
               std::int64_t cols, float* HWY_RESTRICT out, std::int64_t out_stride) {
  std::int64_t j = 0;
#if HWY_TARGET != HWY_SCALAR
  const D d;
  const hn::CappedTag<float, 4> d4;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const std::int64_t fours = rows / 4 * 4;
  while (cols - j >= 4) {
    const bool wide = cols - j >= lanes;
    const std::int64_t step = wide ? lanes : 4;
    const float* line = in + j * in_stride;
    float* to = out + j;
    for (std::int64_t i = 0; i < fours; i += 4) {
      if (wide) {
        transpose_four(d, line + i, in_stride, to + i * out_stride, out_stride);
      } else {
        transpose_four(d4, line + i, in_stride, to + i * out_stride, out_stride);
      }
    }
    for (std::int64_t i = fours; i < rows; ++i) {
      for (std::int64_t l = 0; l < step; ++l) to[i * out_stride + l] = line[l * in_stride + i];
    }
    j += step;
  }
#endif
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t l = j; l < cols; ++l) out[i * out_stride + l] = in[l * in_stride + i];
  }
}

void pack_transposed(const float* x, std::int64_t x_stride, std::int64_t count, std::int64_t depth,
                     std::int64_t width, float* out) {
  transpose(x, x_stride, depth, count, out, width);
  if (count == width) return;
  for (std::int64_t k = 0; k < depth; ++k) {
    for (std::int64_t i = count; i < width; ++i) out[k * width + i] = 0.0f;
  }
}

void pack_copied(const float* HWY_RESTRICT x, std::int64_t x_stride, std::int64_t count,
                 std::int64_t depth, std::int64_t width, bool pad, float* HWY_RESTRICT out) {
  const D d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  // Whole rows are read for a few panels at a time: as many streams as the caches follow well.
  const std::int64_t group = 8 * width;
  for (std::int64_t first = 0; first < count; first += group) {
    const std::int64_t end = std::min(first + group, count);
    for (std::int64_t k = 0; k < depth; ++k) {
      const float* row = x + k * x_stride;
      for (std::int64_t i = first; i < end; i += width) {
        const std::int64_t size = std::min(width, end - i);
        const bool padded = pad && size < width;
        float* to = out + i * depth + k * (padded ? (size + lanes - 1) / lanes * lanes : size);
        std::int64_t l = 0;
        for (; l + lanes <= size; l += lanes) {
          hwy::Prefetch(row + 8 * x_stride + i + l);
          hn::StoreU(hn::LoadU(d, row + i + l), d, to + l);
        }
        if (l == size) continue;
        if (padded || k + 1 < depth) {
          // The lanes past the panel's row are zeros of the padding, or overwritten by the next
          // row.
          hwy::Prefetch(row + 8 * x_stride + i + l);
          hn::StoreU(load_first(d, row + i + l, size - l), d, to + l);
        } else {
          for (; l < size; ++l) to[l] = row[i + l];
        }
      }
    }
  }
}

const GemmKernels& target_kernels() {
  static const GemmKernels kernels = [] {
    GemmKernels made{};
    made.target = hwy::TargetName(HWY_TARGET);
    made.fused = HWY_NATIVE_FMA != 0;
    made.lanes = static_cast<int>(hn::Lanes(D()));
    made.rows = kRows;
    made.vectors = kVectors;
    fill_rows<RowsLayout::interleaved, kRows>(made);
    fill_rows<RowsLayout::contiguous, kRows>(made);
    made.pack_transposed = pack_transposed;
    made.pack_copied = pack_copied;
    made.transpose = transpose;
    return made;
  }();
  return kernels;
}

}  // namespace genera::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace genera::cpu {
HWY_EXPORT(target_kernels);

const GemmKernels& gemm_kernels() { return HWY_DYNAMIC_DISPATCH(target_kernels)(); }

}  // namespace genera::cpu
#endif
