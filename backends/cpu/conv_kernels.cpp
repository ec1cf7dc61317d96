#include "backends/cpu/conv_kernels.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/conv_kernels.cpp"
#include <hwy/foreach_target.h>
// Highway's own headers come after foreach_target.
#include <hwy/highway.h>

#include "backends/cpu/masked-inl.h"
#include "backends/cpu/tile_rows-inl.h"

HWY_BEFORE_NAMESPACE();
namespace genera::cpu::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;

constexpr int kWideRows = kRows / 2;

template <int kGroups, int kPixels, int kV>
void lane_tile(std::int64_t depth, const float* const* from,
               const std::int64_t* HWY_RESTRICT offsets, const float* HWY_RESTRICT panel,
               float* HWY_RESTRICT tile, std::int64_t stride, bool accumulate) {
  const D d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  V sum[kGroups][kPixels][kV];
  const float* at[kGroups];
#pragma GCC unroll 4
  for (int g = 0; g < kGroups; ++g) {
    at[g] = from[g];
#pragma GCC unroll 16
    for (int i = 0; i < kPixels; ++i) {
#pragma GCC unroll 4
      for (int j = 0; j < kV; ++j) sum[g][i][j] = hn::Zero(d);
    }
  }
  for (std::int64_t k = 0; k < depth; ++k) {
    const std::int64_t offset = offsets[k];
    V row[kV];
#pragma GCC unroll 4
    for (int j = 0; j < kV; ++j) row[j] = hn::LoadU(d, panel + j * lanes);
    panel += kV * lanes;
#pragma GCC unroll 4
    for (int g = 0; g < kGroups; ++g) {
#pragma GCC unroll 16
      for (int i = 0; i < kPixels; ++i) {
        const V pixel = hn::Set(d, at[g][offset + i]);
#pragma GCC unroll 4
        for (int j = 0; j < kV; ++j) sum[g][i][j] = hn::MulAdd(pixel, row[j], sum[g][i][j]);
      }
    }
  }
#pragma GCC unroll 4
  for (int g = 0; g < kGroups; ++g) {
#pragma GCC unroll 16
    for (int i = 0; i < kPixels; ++i, tile += stride) {
#pragma GCC unroll 4
      for (int j = 0; j < kV; ++j) {
        float* to = tile + j * lanes;
        if (accumulate) sum[g][i][j] = hn::Add(hn::LoadU(d, to), sum[g][i][j]);
        hn::StoreU(sum[g][i][j], d, to);
      }
    }
  }
}

template <int kR, int kV>
void pixel_tile(std::int64_t depth, const float* const* from,
                const std::int64_t* HWY_RESTRICT offsets, const float* HWY_RESTRICT weights,
                float* const* to, std::int64_t channel_stride, std::int64_t count) {
  const D d;
  V sum[kR][kV];
  const float* at[kV];
#pragma GCC unroll 4
  for (int j = 0; j < kV; ++j) {
    at[j] = from[j];
#pragma GCC unroll 16
    for (int i = 0; i < kR; ++i) sum[i][j] = hn::Zero(d);
  }
  for (std::int64_t k = 0; k < depth; ++k, weights += kR) {
    const std::int64_t offset = offsets[k];
    V pixels[kV];
#pragma GCC unroll 4
    for (int j = 0; j < kV; ++j) pixels[j] = hn::LoadU(d, at[j] + offset);
#pragma GCC unroll 16
    for (int i = 0; i < kR; ++i) {
      const V weight = hn::Set(d, weights[i]);
#pragma GCC unroll 4
      for (int j = 0; j < kV; ++j) sum[i][j] = hn::MulAdd(weight, pixels[j], sum[i][j]);
    }
  }
  const auto mask = hn::FirstN(d, static_cast<std::size_t>(count));
#pragma GCC unroll 4
  for (int j = 0; j < kV; ++j) {
    float* line = to[j];
#pragma GCC unroll 16
    for (int i = 0; i < kR; ++i, line += channel_stride) store_where(sum[i][j], mask, d, line);
  }
}

template <int kT>
void dot_tile(std::int64_t rows, std::int64_t width, const float* HWY_RESTRICT y,
              const float* HWY_RESTRICT x, std::int64_t x_row,
              const std::int64_t* HWY_RESTRICT offsets, float* HWY_RESTRICT sums) {
  const D d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const std::int64_t whole = width / lanes * lanes;
  const auto mask = hn::FirstN(d, static_cast<std::size_t>(width - whole));
  V sum[kT];
  const float* at[kT];
#pragma GCC unroll 16
  for (int t = 0; t < kT; ++t) {
    sum[t] = hn::LoadU(d, sums + t * lanes);
    at[t] = x + offsets[t];
  }
  for (std::int64_t r = 0; r < rows; ++r, y += width) {
    for (std::int64_t i = 0; i < whole; i += lanes) {
      const V factor = hn::LoadU(d, y + i);
#pragma GCC unroll 16
      for (int t = 0; t < kT; ++t) {
        sum[t] = hn::MulAdd(factor, hn::LoadU(d, at[t] + r * x_row + i), sum[t]);
      }
    }
    if (whole == width) continue;
    const V factor = load_where(mask, d, y + whole);
#pragma GCC unroll 16
    for (int t = 0; t < kT; ++t) {
      sum[t] = hn::MulAdd(factor, load_where(mask, d, at[t] + r * x_row + whole), sum[t]);
    }
  }
#pragma GCC unroll 16
  for (int t = 0; t < kT; ++t) hn::StoreU(sum[t], d, sums + t * lanes);
}

template <int kT>
void fill_dot_tiles(ConvKernels& kernels) {
  kernels.dot_tile[kT - 1] = dot_tile<kT>;
  if constexpr (kT > 1) fill_dot_tiles<kT - 1>(kernels);
}

template <int kV, int kGroups, int kPixels>
void fill_lane_tiles(ConvKernels& kernels) {
  if constexpr (kGroups * kPixels <= kRows) {
    kernels.lane_tile[kV - 1][kGroups - 1][kPixels - 1] = lane_tile<kGroups, kPixels, kV>;
    fill_lane_tiles<kV, kGroups, kPixels + 1>(kernels);
  }
}

template <int kV>
void fill_lane_groups(ConvKernels& kernels) {
  fill_lane_tiles<kV, 1, 1>(kernels);
  fill_lane_tiles<kV, 2, 1>(kernels);
  fill_lane_tiles<kV, 3, 1>(kernels);
  fill_lane_tiles<kV, 4, 1>(kernels);
}

template <int kR>
void fill_pixel_tiles(ConvKernels& kernels) {
  kernels.pixel_tile[0][kR - 1] = pixel_tile<kR, 1>;
  kernels.pixel_tile[1][kR - 1] = pixel_tile<kR, 2>;
  if constexpr (kR <= kWideRows) kernels.pixel_tile[2][kR - 1] = pixel_tile<kR, 4>;
  if constexpr (kR > 1) fill_pixel_tiles<kR - 1>(kernels);
}

#if HWY_TARGET != HWY_SCALAR
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

// Turns `lanes` pixels of 4 channels: v[c] becomes the pixels of channel c.
HWY_INLINE void turn_four(D d, const float* tile, std::int64_t stride, V* v) {
  const hn::Repartition<double, D> dw;
  V line[4];
#pragma GCC unroll 4
  for (int r = 0; r < 4; ++r) line[r] = load_blocks(d, tile + r * stride, stride);
  const auto pair = [&](V x) { return hn::BitCast(dw, x); };
  const auto low01 = pair(hn::InterleaveLower(d, line[0], line[1]));
  const auto high01 = pair(hn::InterleaveUpper(d, line[0], line[1]));
  const auto low23 = pair(hn::InterleaveLower(d, line[2], line[3]));
  const auto high23 = pair(hn::InterleaveUpper(d, line[2], line[3]));
  v[0] = hn::BitCast(d, hn::InterleaveLower(dw, low01, low23));
  v[1] = hn::BitCast(d, hn::InterleaveUpper(dw, low01, low23));
  v[2] = hn::BitCast(d, hn::InterleaveLower(dw, high01, high23));
  v[3] = hn::BitCast(d, hn::InterleaveUpper(dw, high01, high23));
}
#endif

void turn_tile(const float* tile, std::int64_t tile_stride, std::int64_t pixels,
               std::int64_t channels, float* HWY_RESTRICT to, std::int64_t channel_stride) {
#if HWY_TARGET == HWY_SCALAR
  for (std::int64_t c = 0; c < channels; ++c) {
    for (std::int64_t p = 0; p < pixels; ++p)
      to[c * channel_stride + p] = tile[p * tile_stride + c];
  }
#else
  const D d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  for (std::int64_t p = 0; p < pixels; p += lanes, to += lanes, tile += lanes * tile_stride) {
    const auto mask = hn::FirstN(d, static_cast<std::size_t>(std::min(lanes, pixels - p)));
    for (std::int64_t c = 0; c < channels; c += 4) {
      V v[4];
      turn_four(d, tile + c, tile_stride, v);
      float* line = to + c * channel_stride;
      if (channels - c >= 4) {
#pragma GCC unroll 4
        for (int i = 0; i < 4; ++i) store_where(v[i], mask, d, line + i * channel_stride);
      } else {
        store_where(v[0], mask, d, line);
        if (channels - c > 1) store_where(v[1], mask, d, line + channel_stride);
        if (channels - c > 2) store_where(v[2], mask, d, line + 2 * channel_stride);
      }
    }
  }
#endif
}

void copy_rows(const RowCopy& copy) {
  const D d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const std::int64_t count = copy.count[0];
  const std::int64_t whole = count / lanes * lanes;
  const auto mask = hn::FirstN(d, static_cast<std::size_t>(count - whole));
  for (std::int64_t b = 0; b < copy.blocks; ++b) {
    const float* from = copy.from[0] + b * copy.from_block;
    float* to = copy.to[0] + b * copy.to_block;
    for (std::int64_t r = 0; r < copy.rows; ++r, from += copy.from_row, to += copy.to_row) {
      for (std::int64_t i = 0; i < whole; i += lanes) hn::StoreU(hn::LoadU(d, from + i), d, to + i);
      if (whole < count) {
        store_where(load_where(mask, d, from + whole), mask, d, to + whole);
      }
    }
  }
}

HWY_INLINE hn::Mask<D> first(std::int64_t count) {
  const auto most = static_cast<std::int64_t>(hn::Lanes(D()));
  return hn::FirstN(D(), static_cast<std::size_t>(std::clamp<std::int64_t>(count, 0, most)));
}

void sum_planes(const float* HWY_RESTRICT from, const ShiftedPlane* planes, std::int64_t count,
                std::int64_t stride, std::int64_t rows, std::int64_t width,
                float* HWY_RESTRICT to) {
  const D d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  for (std::int64_t c = 0; c < width; c += lanes) {
    const auto store = first(width - c);
    for (std::int64_t r = 0; r < rows; ++r) {
      V sum = hn::Zero(d);
      for (std::int64_t p = 0; p < count; ++p) {
        const ShiftedPlane& plane = planes[p];
        if (r < plane.row_begin || r >= plane.row_end) continue;
        const auto mask = hn::AndNot(first(plane.col_begin - c), first(plane.col_end - c));
        sum = hn::Add(sum, load_where(mask, d, from + (plane.offset + r * stride + c)));
      }
      store_where(sum, store, d, to + r * width + c);
    }
  }
}

#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX2
void split_rows(const RowCopy& copy) {
  const D d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const std::int64_t count = std::max(copy.count[0], copy.count[1]);
  for (std::int64_t i = 0; i < count; i += lanes) {
    const auto load_low = first(copy.available - 2 * i);
    const auto load_high = first(copy.available - 2 * i - lanes);
    const auto store_even = first(copy.count[0] - i), store_odd = first(copy.count[1] - i);
    for (std::int64_t b = 0; b < copy.blocks; ++b) {
      const float* from = copy.from[0] + b * copy.from_block + 2 * i;
      const std::int64_t to = b * copy.to_block + i;
      for (std::int64_t r = 0; r < copy.rows; ++r, from += copy.from_row) {
        const V low = load_where(load_low, d, from);
        const V high = load_where(load_high, d, from + lanes);
        if (copy.to[0] != nullptr) {
          store_where(hn::ConcatEven(d, high, low), store_even, d,
                      copy.to[0] + to + r * copy.to_row);
        }
        if (copy.to[1] != nullptr) {
          store_where(hn::ConcatOdd(d, high, low), store_odd, d, copy.to[1] + to + r * copy.to_row);
        }
      }
    }
  }
}

void merge_rows(const RowCopy& copy) {
  const D d;
  const hn::Half<D> dh;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const auto half = lanes / 2;
  const hn::RebindToSigned<D> di;
  // 0, half, 1, half + 1, ...
  const auto iota = hn::Iota(di, 0);
  const auto order = hn::Add(hn::ShiftRight<1>(iota),
                             hn::Mul(hn::And(iota, hn::Set(di, 1)), hn::Set(di, int(half))));
  const auto table = hn::IndicesFromVec(d, order);
  const std::int64_t total = copy.count[0] + copy.count[1];
  for (std::int64_t b = 0; b < copy.blocks; ++b) {
    for (std::int64_t r = 0; r < copy.rows; ++r) {
      const std::int64_t at = b * copy.from_block + r * copy.from_row;
      const float *even = copy.from[0] + at, *odd = copy.from[1] + at;
      float* to = copy.to[0] + b * copy.to_block + r * copy.to_row;
      for (std::int64_t i = 0; i < copy.count[0]; i += half) {
        const V both = hn::Combine(d, hn::LoadU(dh, odd + i), hn::LoadU(dh, even + i));
        store_where(hn::TableLookupLanes(both, table), first(total - 2 * i), d, to + 2 * i);
      }
    }
  }
}
#else
void split_rows(const RowCopy& copy) {
  for (std::int64_t b = 0; b < copy.blocks; ++b) {
    for (std::int64_t r = 0; r < copy.rows; ++r) {
      const float* from = copy.from[0] + b * copy.from_block + r * copy.from_row;
      for (int phase = 0; phase < 2; ++phase) {
        if (copy.to[phase] == nullptr) continue;
        float* to = copy.to[phase] + b * copy.to_block + r * copy.to_row;
        for (std::int64_t i = 0; i < copy.count[phase]; ++i) to[i] = from[2 * i + phase];
      }
    }
  }
}

void merge_rows(const RowCopy& copy) {
  for (std::int64_t b = 0; b < copy.blocks; ++b) {
    for (std::int64_t r = 0; r < copy.rows; ++r) {
      float* to = copy.to[0] + b * copy.to_block + r * copy.to_row;
      for (int phase = 0; phase < 2; ++phase) {
        const float* from = copy.from[phase] + b * copy.from_block + r * copy.from_row;
        for (std::int64_t i = 0; i < copy.count[phase]; ++i) to[2 * i + phase] = from[i];
      }
    }
  }
}
#endif

}  // namespace

const ConvKernels& target_conv_kernels() {
  static const ConvKernels kernels = [] {
    ConvKernels made{};
    made.lanes = static_cast<int>(hn::Lanes(D()));
    made.rows = kRows;
    made.wide_rows = kWideRows;
    fill_lane_groups<1>(made);
    fill_lane_groups<2>(made);
    fill_pixel_tiles<kRows>(made);
    fill_dot_tiles<kConvMaxDots>(made);
    made.turn_tile = turn_tile;
    made.copy_rows = copy_rows;
    made.sum_planes = sum_planes;
    made.split_rows = split_rows;
    made.merge_rows = merge_rows;
    return made;
  }();
  return kernels;
}

}  // namespace genera::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace genera::cpu {
HWY_EXPORT(target_conv_kernels);

const ConvKernels& conv_kernels() { return HWY_DYNAMIC_DISPATCH(target_conv_kernels)(); }

}  // namespace genera::cpu
#endif
