#include "engine/graph/build.h"

#include <fmt/format.h>

namespace genera {
namespace {

void check_floating(std::string_view op, const Tensor& x) {
  check_tensor(op, x);
  if (!is_floating(x.dtype())) fail(op, fmt::format("needs floating tensors, got {}", describe(x)));
}

/// The batch axes of a (all but the last two).
Shape batch_of(const Tensor& x) {
  return Shape(x.shape().extents().first(static_cast<std::size_t>(x.rank() - 2)));
}
Tensor with_batch(const Tensor& x, const Shape& batch) {
  return broadcast_to(x, batch.appended(x.size(-2)).appended(x.size(-1)));
}

std::array<std::int64_t, 3> per_spatial(std::string_view op, std::string_view what,
                                        const std::vector<std::int64_t>& values, int spatial,
                                        std::int64_t least) {
  std::array<std::int64_t, 3> result{};
  if (values.size() != 1 && values.size() != static_cast<std::size_t>(spatial))
    fail(op, fmt::format("{} needs 1 or {} numbers, got {}", what, spatial, values.size()));
  for (std::size_t d = 0; d < static_cast<std::size_t>(spatial); ++d) {
    result[d] = values.size() == 1 ? values[0] : values[d];
    if (result[d] < least)
      fail(op, fmt::format("{} must be at least {}, got {}", what, least, result[d]));
  }
  return result;
}

ConvAttrs conv_attrs(std::string_view op, const Tensor& x, const Tensor& weight,
                     const ConvOptions& options, ConvAttrs::Role role) {
  check_floating(op, x);
  check_same_dtype(op, x, weight);
  const int spatial = x.rank() - 2;
  if (spatial < 1 || spatial > 3 || weight.rank() != x.rank())
    fail(op, fmt::format(
                 "needs (N,C,S…) and (Cout,Cin/groups,K…) with 1 to 3 spatial axes, got {} and {}",
                 describe(x), describe(weight)));
  ConvAttrs attrs{};
  attrs.role = role;
  attrs.spatial = spatial;
  attrs.groups = options.groups;
  attrs.stride = per_spatial(op, "stride", options.stride, spatial, 1);
  attrs.pad_lo = per_spatial(op, "pad_lo", options.pad_lo, spatial, 0);
  attrs.pad_hi = per_spatial(op, "pad_hi", options.pad_hi.empty() ? options.pad_lo : options.pad_hi,
                             spatial, 0);
  attrs.dilation = per_spatial(op, "dilation", options.dilation, spatial, 1);
  if (options.groups < 1 || weight.shape()[0] % options.groups != 0)
    fail(op, fmt::format("{} output channels do not divide into {} groups", weight.shape()[0],
                         options.groups));
  for (int d = 0; d < spatial; ++d)
    if (weight.shape()[d + 2] < 1)
      fail(op, fmt::format("the kernel of {} is empty", describe(weight)));
  return attrs;
}

}  // namespace

Tensor matmul(const Tensor& a, const Tensor& b) {
  check_floating("matmul", a);
  check_same_dtype("matmul", a, b);
  if (a.rank() == 0 || b.rank() == 0)
    fail("matmul",
         fmt::format("needs at least one axis each, got {} and {}", describe(a), describe(b)));
  if (a.rank() == 1 || b.rank() == 1) {
    const Tensor product = matmul(a.rank() == 1 ? reshape(a, Shape{1, a.size(0)}) : a,
                                  b.rank() == 1 ? reshape(b, Shape{b.size(0), 1}) : b);
    std::vector<std::int64_t> extents(product.shape().begin(), product.shape().end());
    if (a.rank() == 1) extents.erase(extents.end() - 2);
    if (b.rank() == 1) extents.pop_back();
    return reshape(product, Shape(extents));
  }
  if (a.size(-1) != b.size(-2))
    fail("matmul", fmt::format("inner extents {} and {} differ: {} times {}", a.size(-1),
                               b.size(-2), describe(a), describe(b)));
  const Shape batch = broadcast_shape("matmul", batch_of(a), batch_of(b));
  const Shape shape = batch.appended(a.size(-2)).appended(b.size(-1));
  return make_node(Op::MatMul, {with_batch(a, batch), with_batch(b, batch)}, a.dtype(), shape);
}

Tensor conv(const Tensor& x, const Tensor& weight, const ConvOptions& options) {
  const ConvAttrs attrs = conv_attrs("conv", x, weight, options, ConvAttrs::out);
  if (x.size(1) != weight.size(1) * options.groups)
    fail("conv", fmt::format("weight {} with {} groups needs input channels {}, got {}",
                             to_string(weight.shape()), options.groups,
                             weight.size(1) * options.groups, to_string(x.shape())));
  Shape shape = x.shape().with(1, weight.size(0));
  for (int d = 0; d < attrs.spatial; ++d) {
    const auto at = static_cast<std::size_t>(d);
    const std::int64_t reach =
        checked_sum("conv", checked_product("conv", attrs.dilation[at], weight.size(d + 2) - 1), 1);
    const std::int64_t padded =
        checked_sum("conv", x.size(d + 2), checked_sum("conv", attrs.pad_lo[at], attrs.pad_hi[at]));
    if (reach > padded)
      fail("conv",
           fmt::format("a kernel of reach {} does not fit spatial axis {} of {} padded to {}",
                       reach, d, to_string(x.shape()), padded));
    shape = shape.with(d + 2, (padded - reach) / attrs.stride[at] + 1);
  }
  return make_node(Op::Conv, {x, weight}, x.dtype(), shape, attrs);
}

Tensor conv_transpose(const Tensor& y, const Tensor& weight, const ConvOptions& options,
                      const std::vector<std::int64_t>& output_padding) {
  const ConvAttrs attrs = conv_attrs("conv_transpose", y, weight, options, ConvAttrs::grad_input);
  const auto extra = per_spatial("conv_transpose", "output_padding", output_padding,
                                 static_cast<int>(attrs.spatial), 0);
  if (y.size(1) != weight.size(0))
    fail("conv_transpose",
         fmt::format("weight {} needs {} input channels, got {}", to_string(weight.shape()),
                     weight.size(0), to_string(y.shape())));
  Shape shape = y.shape().with(1, weight.size(1) * options.groups);
  for (int d = 0; d < attrs.spatial; ++d) {
    const auto at = static_cast<std::size_t>(d);
    if (extra[at] >= attrs.stride[at])
      fail("conv_transpose", fmt::format("output_padding {} must be below the stride {}", extra[at],
                                         attrs.stride[at]));
    const auto sum = [](std::int64_t a, std::int64_t b) {
      return checked_sum("conv_transpose", a, b);
    };
    const auto product = [](std::int64_t a, std::int64_t b) {
      return checked_product("conv_transpose", a, b);
    };
    const std::int64_t reach = sum(product(attrs.dilation[at], weight.size(d + 2) - 1), 1);
    const std::int64_t grown =
        sum(sum(product(y.size(d + 2) - 1, attrs.stride[at]), reach), extra[at]);
    const std::int64_t extent = sum(grown, -sum(attrs.pad_lo[at], attrs.pad_hi[at]));
    if (extent < 1)
      fail("conv_transpose",
           fmt::format("padding leaves nothing of spatial axis {} of {}", d, to_string(y.shape())));
    shape = shape.with(d + 2, extent);
  }
  return make_node(Op::Conv, {y, weight}, y.dtype(), shape, attrs);
}

}  // namespace genera
