#include <genera/error.h>
#include <genera/nn.h>

#include <fmt/format.h>

#include <utility>

#include "engine/nn/parameter.h"

namespace genera::nn {
namespace {

void check_groups(std::string_view layer, std::int64_t in, std::int64_t out, std::int64_t groups) {
  check_sizes(layer, {in, out, groups});
  if (in % groups != 0 || out % groups != 0)
    throw ArgumentError(fmt::format("[{}] {} groups do not divide {} input and {} output channels",
                                    layer, groups, in, out));
}

Shape weight_shape(std::int64_t first, std::int64_t second,
                   const std::vector<std::int64_t>& kernel) {
  std::vector<std::int64_t> extents{first, second};
  extents.insert(extents.end(), kernel.begin(), kernel.end());
  for (const std::int64_t size : kernel) check_sizes("conv", {size});
  return Shape(extents);
}

ConvOptions square_options(std::int64_t stride, std::int64_t padding, std::int64_t dilation,
                           std::int64_t groups) {
  ConvOptions options;
  options.stride = {stride};
  options.pad_lo = {padding};
  options.dilation = {dilation};
  options.groups = groups;
  return options;
}

/// genera::conv and the bias in the rank that the layer was made for.
Tensor convolve(const Tensor& x, const Tensor& weight, const Tensor& bias,
                const ConvOptions& options) {
  switch (weight.rank()) {
    case 3:
      return conv1d(x, weight, bias, options);
    case 4:
      return conv2d(x, weight, bias, options);
    default:
      return conv3d(x, weight, bias, options);
  }
}

}  // namespace

Conv::Conv(std::int64_t in, std::int64_t out, const std::vector<std::int64_t>& kernel,
           const Key& key, ConvOptions options, bool bias)
    : options_(std::move(options)) {
  check_groups("conv", in, out, options_.groups);
  if (kernel.empty() || kernel.size() > 3)
    throw ArgumentError(
        fmt::format("[conv] needs a kernel of 1 to 3 spatial axes, got {}", kernel.size()));
  const Shape shape = weight_shape(out, in / options_.groups, kernel);
  weight_ = State("weight", init::fan_in_uniform(key.fold_in(0), shape, shape));
  if (bias) bias_ = State("bias", init::fan_in_uniform(key.fold_in(1), Shape{out}, shape));
}

Tensor Conv::forward(const Tensor& x, Context&) const {
  return convolve(x, weight_, value_or_empty(bias_), options_);
}

Conv2d::Conv2d(std::int64_t in, std::int64_t out, std::int64_t kernel, const Key& key,
               const Conv2dOptions& options)
    : Conv(in, out, {kernel, kernel}, key,
           square_options(options.stride, options.padding, options.dilation, options.groups),
           options.bias) {}

ConvTranspose2d::ConvTranspose2d(std::int64_t in, std::int64_t out, std::int64_t kernel,
                                 const Key& key, const ConvTranspose2dOptions& options)
    : options_(square_options(options.stride, options.padding, options.dilation, options.groups)),
      output_padding_{options.output_padding} {
  check_groups("conv_transpose2d", in, out, options.groups);
  const Shape shape = weight_shape(in, out / options.groups, {kernel, kernel});
  weight_ = State("weight", init::fan_in_uniform(key.fold_in(0), shape, shape));
  if (options.bias) bias_ = State("bias", init::fan_in_uniform(key.fold_in(1), Shape{out}, shape));
}

Tensor ConvTranspose2d::forward(const Tensor& x, Context&) const {
  return conv_transpose2d(x, weight_, value_or_empty(bias_), options_, output_padding_);
}

}  // namespace genera::nn
