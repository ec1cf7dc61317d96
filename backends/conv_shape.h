/// The extents of one convolution, with three spatial axes whatever the step has.
#pragma once

#include <array>
#include <cstdint>

#include "engine/graph/attributes.h"
#include "engine/plan/plan.h"

namespace genera {

/// x (batch, groups * in_channels, in…), w (groups * out_channels, in_channels, kernel…),
/// y (batch, groups * out_channels, out…). Axes that the step does not have lead with extent 1.
struct ConvShape {
  using Axes = std::array<std::int64_t, 3>;

  ConvAttrs::Role role{};
  std::int64_t batch = 0;
  std::int64_t groups = 1;
  std::int64_t in_channels = 0;   ///< per group
  std::int64_t out_channels = 0;  ///< per group
  Axes in{1, 1, 1};
  Axes kernel{1, 1, 1};
  Axes out{1, 1, 1};
  Axes stride{1, 1, 1};
  Axes pad{0, 0, 0};  ///< in front; behind it is what `out` says
  Axes dilation{1, 1, 1};

  std::int64_t in_plane() const { return in[0] * in[1] * in[2]; }
  std::int64_t out_plane() const { return out[0] * out[1] * out[2]; }
  std::int64_t taps() const { return kernel[0] * kernel[1] * kernel[2]; }
  std::int64_t weights() const { return groups * out_channels * in_channels * taps(); }
  /// Of the direct convolution, padding included.
  std::int64_t multiply_adds() const { return batch * out_plane() * weights(); }
  /// Whether y is x at the same pixels: nothing but 1 x 1 products.
  bool pointwise() const;
  /// Whether the kernel covers x exactly once, so that y has one pixel.
  bool dense() const;
};

/// The shape of an Op::Conv step.
ConvShape conv_shape(const PrimitiveStep& step);

}  // namespace genera
