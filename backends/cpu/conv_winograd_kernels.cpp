#include "backends/cpu/conv_winograd_kernels.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/conv_winograd_kernels.cpp"
#include <hwy/foreach_target.h>
// Highway's own headers come after foreach_target.
#include <hwy/highway.h>

#include "backends/cpu/masked-inl.h"

HWY_BEFORE_NAMESPACE();
namespace genera::cpu::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;

// One axis of each transform, for r taps and r + 1 points.
HWY_INLINE void transform_source(const V (&d)[3], V (&v)[3]) {
  v[0] = hn::Sub(d[0], d[1]);
  v[1] = d[1];
  v[2] = hn::Sub(d[1], d[2]);
}

HWY_INLINE void transform_source(const V (&d)[4], V (&v)[4]) {
  v[0] = hn::Sub(d[0], d[2]);
  v[1] = hn::Add(d[1], d[2]);
  v[2] = hn::Sub(d[2], d[1]);
  v[3] = hn::Sub(d[1], d[3]);
}

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

// Pixels 2i and 2i + 1 of a row.
HWY_INLINE void load_pairs(D d, const float* from, V& even, V& odd) {
#if HWY_TARGET == HWY_SCALAR
  even = hn::LoadU(d, from);
  odd = hn::LoadU(d, from + 1);
#else
  const V low = hn::LoadU(d, from);
  const V high = hn::LoadU(d, from + hn::Lanes(d));
  even = hn::ConcatEven(d, high, low);
  odd = hn::ConcatOdd(d, high, low);
#endif
}

template <int kPoints, bool kWhole>
void source_run(const WinogradSourceRun& run) {
  const D d;
  const auto mask = hn::FirstN(d, static_cast<std::size_t>(run.tiles));
  const float* HWY_RESTRICT from = run.from;
  float* HWY_RESTRICT to = run.to;
  for (std::int64_t c = 0; c < run.channels; ++c, from += run.from_channel, to += run.to_channel) {
    V rows[kPoints][kPoints];
#pragma GCC unroll 4
    for (int i = 0; i < kPoints; ++i) {
      const float* row = from + i * run.from_row;
      V pixels[kPoints], beyond;
      load_pairs(d, row, pixels[0], pixels[1]);
      load_pairs(d, row + kWinogradTile, pixels[2], kPoints == 4 ? pixels[kPoints - 1] : beyond);
      transform_source(pixels, rows[i]);
    }
#pragma GCC unroll 4
    for (int j = 0; j < kPoints; ++j) {
      V column[kPoints], points[kPoints];
#pragma GCC unroll 4
      for (int i = 0; i < kPoints; ++i) column[i] = rows[i][j];
      transform_source(column, points);
#pragma GCC unroll 4
      for (int i = 0; i < kPoints; ++i) {
        float* at = to + (i * kPoints + j) * run.to_point;
        if constexpr (kWhole) {
          hn::StoreU(points[i], d, at);
        } else {
          store_where(points[i], mask, d, at);
        }
      }
    }
  }
}

template <int kTaps>
void source(const WinogradSourceRun& run) {
  const bool whole = run.tiles == static_cast<std::int64_t>(hn::Lanes(D()));
  (whole ? source_run<kTaps + 1, true> : source_run<kTaps + 1, false>)(run);
}

// Stores pixels whose neighbours lie in the vectors in turn.
template <int kStep>
HWY_INLINE void store_turns(D d, const V (&y)[2][2], float* to) {
  if constexpr (kStep == 1) {
    hn::StoreInterleaved2(y[0][0], y[0][1], d, to);
  } else {
    hn::StoreInterleaved4(y[0][0], y[1][0], y[0][1], y[1][1], d, to);
  }
}

template <int kPoints, int kStep>
void dest_run(const WinogradDestRun& run) {
  const D d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const bool whole = run.cols == 2 * kStep * lanes;
  HWY_ALIGN float turns[4 * hn::MaxLanes(D())];
  for (std::int64_t c = 0; c < run.channels; ++c) {
    V y[2][2][2];  // [row][step][column]
#pragma GCC unroll 2
    for (int s = 0; s < kStep; ++s) {
      const float* from = run.from[s] + c * run.from_channel;
      V rows[kPoints][2];
#pragma GCC unroll 4
      for (int i = 0; i < kPoints; ++i) {
        V points[kPoints];
#pragma GCC unroll 4
        for (int j = 0; j < kPoints; ++j)
          points[j] = hn::LoadU(d, from + (i * kPoints + j) * run.from_point);
        transform_dest(points, rows[i]);
      }
#pragma GCC unroll 2
      for (int j = 0; j < 2; ++j) {
        V column[kPoints], pixels[2];
#pragma GCC unroll 4
        for (int i = 0; i < kPoints; ++i) column[i] = rows[i][j];
        transform_dest(column, pixels);
        y[0][s][j] = pixels[0];
        y[1][s][j] = pixels[1];
      }
    }
    float* to = run.to + c * run.to_channel;
#pragma GCC unroll 2
    for (int r = 0; r < 2; ++r, to += run.to_row) {
      if (r == run.rows) break;
      store_turns<kStep>(d, y[r], whole ? to : turns);
      for (std::int64_t i = 0; i < run.cols && !whole; i += lanes)
        store_first(hn::Load(d, turns + i), d, to + i, std::min(lanes, run.cols - i));
    }
  }
}

template <int kTaps>
void weights(const WinogradWeights& run) {
  constexpr int kPoints = kTaps + 1;
  const D d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  for (std::int64_t c = 0; c < run.channels; ++c) {
    for (std::int64_t l = 0; l < run.width; l += lanes) {
      const std::int64_t count = std::min(lanes, run.width - l);
      const float* from = run.from + c * run.from_channel + l;
      float* to = run.to + c * run.to_channel + l;
      V columns[kTaps][kPoints];
      for (int j = 0; j < kTaps; ++j) {
        V column[kTaps];
        for (int i = 0; i < kTaps; ++i)
          column[i] = load_first(d, from + run.taps[i * kTaps + j], count);
        transform_weights(column, columns[j]);
      }
      for (int i = 0; i < kPoints; ++i) {
        V row[kTaps], points[kPoints];
        for (int j = 0; j < kTaps; ++j) row[j] = columns[j][i];
        transform_weights(row, points);
        for (int j = 0; j < kPoints; ++j)
          store_first(points[j], d, to + (i * kPoints + j) * run.to_point, count);
      }
    }
  }
}

}  // namespace

const WinogradKernels& target_winograd_kernels() {
  static const WinogradKernels kernels = [] {
    WinogradKernels made{};
    made.lanes = static_cast<int>(hn::Lanes(D()));
    made.source[0] = source<2>;
    made.source[1] = source<3>;
    made.dest[0][0] = dest_run<3, 1>;
    made.dest[0][1] = dest_run<3, 2>;
    made.dest[1][0] = dest_run<4, 1>;
    made.dest[1][1] = dest_run<4, 2>;
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
