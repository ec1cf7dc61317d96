#include "backends/cpu/conv_winograd_kernels.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/conv_winograd_kernels.cpp"
#include <hwy/foreach_target.h>
// Highway's own headers come after foreach_target.
#include <hwy/highway.h>

#include "backends/cpu/conv_winograd_transforms-inl.h"
#include "backends/cpu/masked-inl.h"

HWY_BEFORE_NAMESPACE();
namespace genera::cpu::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;

// One axis of each transform, for r taps and r + 1 points.
HWY_INLINE void transform_dest(const V (&m)[3], V (&y)[2]) {
  y[0] = hn::Add(m[0], m[1]);
  y[1] = hn::Sub(m[1], m[2]);
}

HWY_INLINE void transform_dest(const V (&m)[4], V (&y)[2]) {
  y[0] = hn::Add(hn::Add(m[0], m[1]), m[2]);
  y[1] = hn::Sub(hn::Sub(m[1], m[2]), m[3]);
}

HWY_INLINE void transform_weights(const V (&g)[2], V (&u)[3]) {
  u[0] = g[0];
  u[1] = hn::Add(g[0], g[1]);
  u[2] = g[1];
}

HWY_INLINE void transform_weights(const V (&g)[3], V (&u)[4]) {
  const V half = hn::Set(D(), 0.5f);
  const V ends = hn::Add(g[0], g[2]);
  u[0] = g[0];
  u[1] = hn::Mul(half, hn::Add(ends, g[1]));
  u[2] = hn::Mul(half, hn::Sub(ends, g[1]));
  u[3] = g[2];
}

HWY_INLINE hn::Mask<D> first(std::int64_t count) {
  const auto most = static_cast<std::int64_t>(hn::Lanes(D()));
  return hn::FirstN(D(), static_cast<std::size_t>(std::clamp<std::int64_t>(count, 0, most)));
}

// Every other float, beginning with the first or the second.
HWY_INLINE V even_of(V high, V low) {
#if HWY_TARGET == HWY_SCALAR
  (void)high;
  return low;
#else
  return hn::ConcatEven(D(), high, low);
#endif
}

HWY_INLINE V odd_of(V high, V low) {
#if HWY_TARGET == HWY_SCALAR
  (void)low;
  return high;
#else
  return hn::ConcatOdd(D(), high, low);
#endif
}

// Pixels first + i of a row, where the image has them.
struct Window {
  hn::Mask<D> mask[4];
  bool any[4];

  HWY_INLINE Window(std::int64_t begin, std::int64_t width, int vectors) {
    const auto lanes = static_cast<std::int64_t>(hn::Lanes(D()));
    for (int i = 0; i < vectors; ++i, begin += lanes) {
      mask[i] = hn::AndNot(first(-begin), first(width - begin));
      any[i] = begin < width && begin + lanes > 0;
    }
  }
};

// Columns q of kStep columns each of the tiles in a vector.
template <int kStep>
HWY_INLINE void load_columns(const float* row, const Window& window, V (&columns)[kStep]) {
  const D d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  V pixels[kStep];
#pragma GCC unroll 4
  for (int i = 0; i < kStep; ++i)
    pixels[i] = window.any[i] ? load_where(window.mask[i], d, row + i * lanes) : hn::Zero(d);
#if HWY_TARGET == HWY_SCALAR
  for (int i = 0; i < kStep; ++i) columns[i] = pixels[i];
#else
  if constexpr (kStep == 2) {
    columns[0] = even_of(pixels[1], pixels[0]);
    columns[1] = odd_of(pixels[1], pixels[0]);
  } else {
    const V even[2] = {even_of(pixels[1], pixels[0]), even_of(pixels[3], pixels[2])};
    const V odd[2] = {odd_of(pixels[1], pixels[0]), odd_of(pixels[3], pixels[2])};
    columns[0] = even_of(even[1], even[0]);
    columns[1] = even_of(odd[1], odd[0]);
    columns[2] = odd_of(even[1], even[0]);
    columns[3] = odd_of(odd[1], odd[0]);
  }
#endif
}

template <int kPhases>
void split(const WinogradSplit& split) {
  constexpr int kStep = 2 * kPhases;
  constexpr int kColumns = kWinogradPlanes[kPhases - 1];
  const D d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const std::int64_t line = split.images * split.cols;
  for (std::int64_t t = 0; t < split.cols; t += lanes) {
    const std::int64_t count = std::min(lanes, split.cols - t);
    const auto store = first(count);
    const std::int64_t begin = split.first + kStep * t;
    const Window near(begin, split.width, kStep), far(begin + kStep, split.width, kStep);
    for (std::int64_t image = 0; image < split.images; ++image) {
      for (std::int64_t r = 0; r < split.rows; ++r) {
        V columns[2 * kStep];
        if (r >= split.row_begin && r < split.row_end) {
          const float* row = split.from + image * split.from_image + r * split.from_row + begin;
          V part[kStep];
          load_columns<kStep>(row, near, part);
#pragma GCC unroll 4
          for (int q = 0; q < kStep; ++q) columns[q] = part[q];
          load_columns<kStep>(row + kStep, far, part);
#pragma GCC unroll 4
          for (int q = 0; q < kStep; ++q) columns[kStep + q] = part[q];
        } else {
#pragma GCC unroll 8
          for (int q = 0; q < kColumns; ++q) columns[q] = hn::Zero(d);
        }
        float* to = split.to + r % 2 * split.to_set + r / 2 * line + image * split.cols + t;
#pragma GCC unroll 8
        for (int q = 0; q < kColumns; ++q)
          store_where(columns[q], store, d, to + q * split.to_plane);
      }
    }
  }
}

template <int kTaps>
void source(const WinogradSourceTransform& source) {
  constexpr int kPoints = kTaps + 1;
  const D d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  for (std::int64_t t = 0; t < source.tiles; t += 2 * lanes) {
    for (std::int64_t l = 0; l < 2 * lanes; l += lanes) {
      const auto mask = first(source.tiles - t - l);
      float* to = source.to + t / (2 * lanes) * source.to_panel + l;
      V rows[kPoints][kPoints];
#pragma GCC unroll 4
      for (int i = 0; i < kPoints; ++i) {
        V pixels[kPoints];
        const float* row = source.from[i % 2] + i / 2 * source.from_line + t + l;
#pragma GCC unroll 4
        for (int j = 0; j < kPoints; ++j)
          pixels[j] = hn::IfThenElseZero(mask, hn::LoadU(d, row + j * source.from_plane));
        transform_source<kTaps>(pixels, rows[i]);
      }
#pragma GCC unroll 4
      for (int j = 0; j < kPoints; ++j) {
        V column[kPoints], points[kPoints];
#pragma GCC unroll 4
        for (int i = 0; i < kPoints; ++i) column[i] = rows[i][j];
        transform_source<kTaps>(column, points);
#pragma GCC unroll 4
        for (int i = 0; i < kPoints; ++i)
          hn::StoreU(points[i], d, to + (i * kPoints + j) * source.to_point);
      }
    }
  }
}

// The 2 x 2 pixels of a vector of tiles.
template <int kPoints>
HWY_INLINE void make_pixels(const float* from, std::int64_t point, V (&y)[2][2]) {
  const D d;
  V rows[kPoints][2];
#pragma GCC unroll 4
  for (int i = 0; i < kPoints; ++i) {
    V points[kPoints];
#pragma GCC unroll 4
    for (int j = 0; j < kPoints; ++j) points[j] = hn::LoadU(d, from + (i * kPoints + j) * point);
    transform_dest(points, rows[i]);
  }
#pragma GCC unroll 2
  for (int j = 0; j < 2; ++j) {
    V column[kPoints], pixels[2];
#pragma GCC unroll 4
    for (int i = 0; i < kPoints; ++i) column[i] = rows[i][j];
    transform_dest(column, pixels);
    y[0][j] = pixels[0];
    y[1][j] = pixels[1];
  }
}

// Stores the rows of pixels of one channel, of which each lies in one piece.
template <int kStep>
HWY_INLINE void store_rows(const WinogradDestTransform& dest, std::int64_t stride, float* to) {
  const D d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const float* from = dest.pixels;
  const std::int64_t length = 2 * kStep * dest.cols;
  const std::int64_t whole = dest.width / lanes * lanes;
  const auto mask = first(dest.width - whole);
  for (std::int64_t row = 0; row < dest.height; row += 2) {
    for (std::int64_t image = 0; image < dest.images; ++image, from += length) {
      float* line = to + image * dest.to_image + row * dest.to_row;
      for (std::int64_t a = 0; a < std::min<std::int64_t>(2, dest.height - row); ++a) {
        const float* pixels = from + a * stride;
        for (std::int64_t i = 0; i < whole; i += lanes)
          hn::StoreU(hn::LoadU(d, pixels + i), d, line + i);
        if (whole < dest.width) store_where(hn::LoadU(d, pixels + whole), mask, d, line + whole);
        line += dest.to_row;
      }
    }
  }
}

template <int kTaps, int kStep>
void dest(const WinogradDestTransform& dest) {
  const D d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const std::int64_t tiles = dest.rows * dest.images * dest.cols;
  const std::int64_t stride = (tiles + lanes) / lanes * lanes * 2 * kStep;
  for (std::int64_t c = 0; c < dest.channels; ++c) {
    for (std::int64_t t = 0; t < tiles; t += lanes) {
      const std::int64_t at =
          c * dest.from_channel + t / (2 * lanes) * dest.from_panel + t % (2 * lanes);
      float* pixels = dest.pixels + 2 * kStep * t;
      V y[2][2];
      make_pixels<kTaps + 1>(dest.from[0] + at, dest.from_point, y);
      if constexpr (kStep == 1) {
        hn::StoreInterleaved2(y[0][0], y[0][1], d, pixels);
        hn::StoreInterleaved2(y[1][0], y[1][1], d, pixels + stride);
      } else {
        V z[2][2];
        make_pixels<kTaps + 1>(dest.from[1] + at, dest.from_point, z);
        hn::StoreInterleaved4(y[0][0], z[0][0], y[0][1], z[0][1], d, pixels);
        hn::StoreInterleaved4(y[1][0], z[1][0], y[1][1], z[1][1], d, pixels + stride);
      }
    }
    store_rows<kStep>(dest, stride, dest.to + c * dest.to_channel);
  }
}

template <int kTaps>
void weights(const WinogradWeightTransform& weights) {
  constexpr int kPoints = kTaps + 1;
  const D d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  for (std::int64_t c = 0; c < weights.channels; ++c) {
    for (std::int64_t l = 0; l < weights.width; l += lanes) {
      const std::int64_t count = std::min(lanes, weights.width - l);
      const float* from = weights.from + c * weights.from_channel + l;
      float* to = weights.to + c * weights.to_channel + l;
      V columns[kTaps][kPoints];
      for (int j = 0; j < kTaps; ++j) {
        V column[kTaps];
        for (int i = 0; i < kTaps; ++i)
          column[i] = load_first(d, from + weights.taps[i * kTaps + j] * weights.width, count);
        transform_weights(column, columns[j]);
      }
      for (int i = 0; i < kPoints; ++i) {
        V row[kTaps], points[kPoints];
        for (int j = 0; j < kTaps; ++j) row[j] = columns[j][i];
        transform_weights(row, points);
        for (int j = 0; j < kPoints; ++j)
          store_first(points[j], d, to + (i * kPoints + j) * weights.to_point, count);
      }
    }
  }
}

}  // namespace

const WinogradKernels& target_winograd_kernels() {
  static const WinogradKernels kernels = [] {
    WinogradKernels made{};
    made.lanes = static_cast<int>(hn::Lanes(D()));
    made.split[0] = split<1>;
    made.split[1] = split<2>;
    made.source[0] = source<2>;
    made.source[1] = source<3>;
    made.dest[0][0] = dest<2, 1>;
    made.dest[0][1] = dest<2, 2>;
    made.dest[1][0] = dest<3, 1>;
    made.dest[1][1] = dest<3, 2>;
    made.weights[0] = weights<2>;
    made.weights[1] = weights<3>;
    return made;
  }();
  return kernels;
}

}  // namespace genera::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace genera::cpu {
HWY_EXPORT(target_winograd_kernels);

const WinogradKernels& winograd_kernels() {
  return HWY_DYNAMIC_DISPATCH(target_winograd_kernels)();
}

}  // namespace genera::cpu
#endif
