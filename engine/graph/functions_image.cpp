// Pooling, resampling and convolution with a bias: x (N,C,S…).
#include "engine/graph/composite.h"

#include <fmt/format.h>

#include <functional>

namespace genera {
namespace {

int checked_spatial(std::string_view function, const Tensor& x) {
  check_floating(function, x);
  const int spatial = x.rank() - 2;
  if (spatial < 1 || spatial > 3)
    fail(function, fmt::format("needs (N,C,S…) with 1 to 3 spatial axes, got {}", describe(x)));
  return spatial;
}

std::vector<std::int64_t> per_spatial(std::string_view function, std::string_view what,
                                      const std::vector<std::int64_t>& values, int spatial,
                                      std::int64_t least) {
  if (values.size() != 1 && values.size() != static_cast<std::size_t>(spatial))
    fail(function, fmt::format("{} needs 1 or {} numbers, got {}", what, spatial, values.size()));
  std::vector<std::int64_t> result = values;
  result.resize(static_cast<std::size_t>(spatial), values[0]);
  for (const std::int64_t value : result)
    if (value < least)
      fail(function, fmt::format("{} must be at least {}, got {}", what, least, value));
  return result;
}

struct Pooling {
  std::vector<std::int64_t> size, stride, padding;
  bool padded = false;
};

Pooling checked_pooling(std::string_view function, const Tensor& x,
                        const std::vector<std::int64_t>& size, const PoolOptions& options) {
  const int spatial = checked_spatial(function, x);
  Pooling pooling;
  pooling.size = per_spatial(function, "size", size, spatial, 1);
  pooling.stride = options.stride.empty()
                       ? pooling.size
                       : per_spatial(function, "stride", options.stride, spatial, 1);
  pooling.padding = per_spatial(function, "padding", options.padding, spatial, 0);
  for (int d = 0; d < spatial; ++d) {
    const auto at = static_cast<std::size_t>(d);
    pooling.padded = pooling.padded || pooling.padding[at] > 0;
    if (pooling.padding[at] * 2 > pooling.size[at])
      fail(function, fmt::format("padding {} is more than half of the window {}",
                                 pooling.padding[at], pooling.size[at]));
    if (x.size(d + 2) + 2 * pooling.padding[at] < pooling.size[at])
      fail(function, fmt::format("a window of {} does not fit spatial axis {} of {}",
                                 pooling.size[at], d, describe(x)));
  }
  return pooling;
}

/// 0 for N and C, then one entry per spatial axis.
std::vector<std::int64_t> around(const std::vector<std::int64_t>& padding) {
  std::vector<std::int64_t> all{0, 0};
  all.insert(all.end(), padding.begin(), padding.end());
  return all;
}

/// reduce(windows, axes within a window) of x, which is padded already.
Tensor pooled(const Tensor& x, const Pooling& pooling,
              const std::function<Tensor(const Tensor&, const Axes&)>& reduce) {
  const int spatial = x.rank() - 2;
  Axes axes, inner;
  if (pooling.stride == pooling.size) {
    // Windows side by side are a reshape, without copies of elements.
    Tensor whole = x;
    std::vector<std::int64_t> extents{x.size(0), x.size(1)};
    for (int d = 0; d < spatial; ++d) {
      const std::int64_t size = pooling.size[static_cast<std::size_t>(d)];
      const std::int64_t count = x.size(d + 2) / size;
      whole = slice(whole, d + 2, 0, count * size);
      extents.insert(extents.end(), {count, size});
      inner.push_back(3 + 2 * d);
    }
    return reduce(reshape(whole, Shape(extents)), inner);
  }
  for (int d = 0; d < spatial; ++d) {
    axes.push_back(d + 2);
    inner.push_back(x.rank() + d);
  }
  return reduce(window(x, axes, pooling.size, pooling.stride), inner);
}

Tensor window_sum(const Tensor& x, const Pooling& pooling) {
  return pooled(x, pooling, [](const Tensor& w, const Axes& axes) { return sum(w, axes); });
}

/// (to,from): row o interpolates linearly at input position (o + 1/2)/factor - 1/2, held at the
/// ends.
Tensor interpolation(std::int64_t from, std::int64_t factor, DType dtype) {
  const Shape shape{from * factor, from};
  const Tensor row = iota(shape, 0, dtype);
  const Tensor column = iota(shape, 1, dtype);
  const double step = 1 / static_cast<double>(factor);
  const Tensor free = fma(row, lit(row, step), lit(row, 0.5 * step - 0.5));
  const Tensor position = clip(free, lit(row, 0), lit(row, static_cast<double>(from - 1)));
  return relu(subtract(lit(row, 1), abs(subtract(position, column))));
}

Tensor with_bias(std::string_view function, const Tensor& y, const Tensor& bias) {
  if (!bias) return y;
  check_same_dtype(function, y, bias);
  if (bias.rank() != 1 || bias.size(0) != y.size(1))
    fail(function, fmt::format("bias must be ({}), got {}", y.size(1), describe(bias)));
  std::vector<std::int64_t> extents(static_cast<std::size_t>(y.rank()), 1);
  extents[1] = bias.size(0);
  return add(y, reshape(bias, Shape(extents)));
}

Tensor conv_with_bias(std::string_view function, int spatial, const Tensor& x, const Tensor& weight,
                      const Tensor& bias, const ConvOptions& options) {
  check_floating(function, x, weight);
  if (x.rank() != spatial + 2 || weight.rank() != spatial + 2)
    fail(function, fmt::format("needs x and weight of rank {}, got {} and {}", spatial + 2,
                               describe(x), describe(weight)));
  if (options.groups < 1 || x.size(1) != weight.size(1) * options.groups)
    fail(function,
         fmt::format("weight {} needs input channels {}, got {}", to_string(weight.shape()),
                     weight.size(1) * options.groups, to_string(x.shape())));
  return with_bias(function, conv(x, weight, options), bias);
}

void check_image(std::string_view function, const Tensor& x, std::int64_t r) {
  check_tensor(function, x);
  if (x.rank() != 4) fail(function, fmt::format("needs (N,C,H,W), got {}", describe(x)));
  if (r < 1) fail(function, fmt::format("the factor must be at least 1, got {}", r));
}

}  // namespace

Tensor max_pool(const Tensor& x, const std::vector<std::int64_t>& size,
                const PoolOptions& options) {
  const Pooling pooling = checked_pooling("max_pool", x, size, options);
  const std::vector<std::int64_t> padding = around(pooling.padding);
  const double infinity = std::numeric_limits<double>::infinity();
  const Tensor padded = pooling.padded ? pad_constant(x, padding, padding, -infinity) : x;
  return pooled(padded, pooling, [](const Tensor& w, const Axes& axes) { return max(w, axes); });
}

Tensor avg_pool(const Tensor& x, const std::vector<std::int64_t>& size,
                const PoolOptions& options) {
  const Pooling pooling = checked_pooling("avg_pool", x, size, options);
  const std::vector<std::int64_t> padding = around(pooling.padding);
  const Tensor total = window_sum(pooling.padded ? pad(x, padding, padding) : x, pooling);
  if (pooling.padded && !options.count_padding) {
    const Shape plane = x.shape().with(0, 1).with(1, 1);
    return divide(total, window_sum(pad(ones(plane, x.dtype()), padding, padding), pooling));
  }
  double count = 1;
  for (const std::int64_t extent : pooling.size) count *= static_cast<double>(extent);
  return divide(total, lit(total, count));
}

Tensor upsample_nearest(const Tensor& x, std::int64_t factor) {
  const int spatial = checked_spatial("upsample_nearest", x);
  if (factor < 1)
    fail("upsample_nearest", fmt::format("the factor must be at least 1, got {}", factor));
  std::vector<std::int64_t> column{x.size(0), x.size(1)};
  std::vector<std::int64_t> spread = column;
  Shape shape = x.shape();
  for (int axis = 2; axis < spatial + 2; ++axis) {
    column.insert(column.end(), {x.size(axis), 1});
    spread.insert(spread.end(), {x.size(axis), factor});
    shape = shape.with(axis, x.size(axis) * factor);
  }
  return reshape(broadcast_to(reshape(x, Shape(column)), Shape(spread)), shape);
}

Tensor upsample_bilinear(const Tensor& x, std::int64_t factor) {
  const int spatial = checked_spatial("upsample_bilinear", x);
  if (factor < 1)
    fail("upsample_bilinear", fmt::format("the factor must be at least 1, got {}", factor));
  Tensor result = x;
  for (int axis = 2; axis < spatial + 2; ++axis) {
    const Tensor moved = move_axis(result, axis, -1);
    const std::int64_t from = moved.size(-1);
    const Tensor weights = interpolation(from, factor, x.dtype());
    const Tensor rows =
        reshape(moved, Shape{moved.elements() / std::max<std::int64_t>(1, from), from});
    const Tensor resampled = matmul(rows, transpose(weights));
    result =
        move_axis(reshape(resampled, moved.shape().with(spatial + 1, from * factor)), -1, axis);
  }
  return result;
}

Tensor pixel_shuffle(const Tensor& x, std::int64_t r) {
  check_image("pixel_shuffle", x, r);
  const std::int64_t n = x.size(0), c = x.size(1) / (r * r), h = x.size(2), w = x.size(3);
  if (c * r * r != x.size(1))
    fail("pixel_shuffle",
         fmt::format("the channels of {} do not divide by {}", describe(x), r * r));
  const Tensor parts = reshape(x, Shape{n, c, r, r, h, w});
  return reshape(permute(parts, {0, 1, 4, 2, 5, 3}), Shape{n, c, h * r, w * r});
}

Tensor space_to_depth(const Tensor& x, std::int64_t r) {
  check_image("space_to_depth", x, r);
  const std::int64_t n = x.size(0), c = x.size(1), h = x.size(2) / r, w = x.size(3) / r;
  if (h * r != x.size(2) || w * r != x.size(3))
    fail("space_to_depth",
         fmt::format("height and width of {} do not divide by {}", describe(x), r));
  const Tensor parts = reshape(x, Shape{n, c, h, r, w, r});
  return reshape(permute(parts, {0, 1, 3, 5, 2, 4}), Shape{n, c * r * r, h, w});
}

Tensor conv1d(const Tensor& x, const Tensor& weight, const Tensor& bias,
              const ConvOptions& options) {
  return conv_with_bias("conv1d", 1, x, weight, bias, options);
}
Tensor conv2d(const Tensor& x, const Tensor& weight, const Tensor& bias,
              const ConvOptions& options) {
  return conv_with_bias("conv2d", 2, x, weight, bias, options);
}
Tensor conv3d(const Tensor& x, const Tensor& weight, const Tensor& bias,
              const ConvOptions& options) {
  return conv_with_bias("conv3d", 3, x, weight, bias, options);
}

Tensor conv_transpose2d(const Tensor& x, const Tensor& weight, const Tensor& bias,
                        const ConvOptions& options,
                        const std::vector<std::int64_t>& output_padding) {
  check_floating("conv_transpose2d", x, weight);
  if (x.rank() != 4 || weight.rank() != 4 || x.size(1) != weight.size(0))
    fail("conv_transpose2d",
         fmt::format("needs x (N,Cin,H,W) and weight (Cin,Cout,K,K), got {} and {}", describe(x),
                     describe(weight)));
  return with_bias("conv_transpose2d", conv_transpose(x, weight, options, output_padding), bias);
}

}  // namespace genera
