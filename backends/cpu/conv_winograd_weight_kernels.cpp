#include "backends/cpu/conv_winograd_weight_kernels.h"

#include "backends/cpu/conv_winograd_kernels.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/conv_winograd_weight_kernels.cpp"
#include <hwy/foreach_target.h>
// Highway's own headers come after foreach_target.
#include <hwy/highway.h>

#include "backends/cpu/conv_winograd_transforms-inl.h"

HWY_BEFORE_NAMESPACE();
namespace genera::cpu::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;

constexpr int kTile = int(kWinogradTile);

template <int kTaps>
struct Source {
  static constexpr int columns = kTile + kTaps - 1;
  static constexpr int points = columns;
  static HWY_INLINE void apply(const V* d, V* u) { transform_source<kTaps>(d, u); }
};

template <int kTaps>
struct Gradient {
  static constexpr int columns = kTile;
  static constexpr int points = kTile + kTaps - 1;
  static HWY_INLINE void apply(const V* y, V* u) {
    u[0] = y[0];
    u[1] = hn::Add(y[0], y[1]);
    if constexpr (kTaps == 3) u[2] = hn::Sub(y[0], y[1]);
    u[points - 1] = y[1];
  }
};

template <class Transform, WinogradPair kPair>
void transform_line(const WinogradLine& line) {
  const D d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const std::int64_t width = line.vectors * lanes;
  for (std::int64_t t = 0; t < line.tiles; ++t) {
    for (std::int64_t l = 0; l < width; l += lanes) {
      const std::int64_t at = t * line.tile_stride + l;
      V row[Transform::columns], point[Transform::points];
#pragma GCC unroll 4
      for (int j = 0; j < Transform::columns; ++j) {
        row[j] = hn::LoadU(d, line.from[0] + at + j * line.column);
        if constexpr (kPair == WinogradPair::first) continue;
        const V second = hn::LoadU(d, line.from[1] + at + j * line.column);
        row[j] = kPair == WinogradPair::sum ? hn::Add(row[j], second) : hn::Sub(row[j], second);
      }
      Transform::apply(row, point);
      float* to = line.to + t * width + l;
#pragma GCC unroll 4
      for (int e = 0; e < Transform::points; ++e)
        hn::StoreU(point[e], d, to + e * line.point_stride);
    }
  }
}

template <int kTaps>
HWY_INLINE void weigh(const V* u, V* w) {
  const D d;
  if constexpr (kTaps == 3) {
    const V half = hn::Set(d, 0.5f);
    const V even = hn::Mul(half, hn::Add(u[1], u[2]));
    w[0] = hn::Add(u[0], even);
    w[1] = hn::Mul(half, hn::Sub(u[1], u[2]));
    w[2] = hn::Sub(even, u[3]);
  } else {
    w[0] = hn::Add(u[0], u[1]);
    w[1] = hn::Sub(u[1], u[2]);
  }
}

template <int kTaps>
void weights(const WinogradSums& sums) {
  const D d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  constexpr int kPoints = kTile + kTaps - 1;
  for (std::int64_t c = 0; c < sums.channels; c += lanes) {
    V half_done[kPoints][kTaps];
    for (int row = 0; row < kPoints; ++row) {
      V u[kPoints];
      for (int e = 0; e < kPoints; ++e) {
        const float* from = sums.from + (row * kPoints + e) * sums.point_stride + c;
        u[e] = hn::LoadU(d, from);
        for (std::int64_t chunk = 1; chunk < sums.chunks; ++chunk)
          u[e] = hn::Add(u[e], hn::LoadU(d, from + chunk * sums.chunk_stride));
      }
      weigh<kTaps>(u, half_done[row]);
    }
    for (int column = 0; column < kTaps; ++column) {
      V u[kPoints], w[kTaps];
      for (int row = 0; row < kPoints; ++row) u[row] = half_done[row][column];
      weigh<kTaps>(u, w);
      for (int row = 0; row < kTaps; ++row) {
        hn::StoreU(w[row], d, sums.to + row * sums.row_stride + column * sums.column_stride + c);
      }
    }
  }
}

template <class Transform>
void fill_pairs(WinogradTransform (&slots)[kWinogradPairs]) {
  slots[0] = transform_line<Transform, WinogradPair::first>;
  slots[1] = transform_line<Transform, WinogradPair::sum>;
  slots[2] = transform_line<Transform, WinogradPair::difference>;
}

}  // namespace

const WinogradWeightKernels& target_winograd_weight_kernels() {
  static const WinogradWeightKernels kernels = [] {
    WinogradWeightKernels made{};
    fill_pairs<Source<2>>(made.source[0]);
    fill_pairs<Source<3>>(made.source[1]);
    fill_pairs<Gradient<2>>(made.gradient[0]);
    fill_pairs<Gradient<3>>(made.gradient[1]);
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
HWY_EXPORT(target_winograd_weight_kernels);

const WinogradWeightKernels& winograd_weight_kernels() {
  return HWY_DYNAMIC_DISPATCH(target_winograd_weight_kernels)();
}

}  // namespace genera::cpu
#endif
