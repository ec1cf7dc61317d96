#include <genera/error.h>
#include <genera/nn.h>

#include <fmt/format.h>

#include <utility>

#include "engine/nn/parameter.h"

namespace genera::nn {
namespace {

State ones_state(std::string name, const Shape& shape, bool trainable = true) {
  return {std::move(name), init::constant(shape, 1), trainable};
}
State zeros_state(std::string name, const Shape& shape, bool trainable = true) {
  return {std::move(name), init::constant(shape, 0), trainable};
}

/// Declares running = (1-momentum) running + momentum correction batch. A layer that runs twice in
/// one step (on real and on generated images) goes on from what it declared before.
void follow(Context& context, const State& running, const Tensor& batch, double momentum,
            double correction) {
  const Tensor now = reshape(batch, running.shape());
  const Tensor keep = full_like(now, 1 - momentum), take = full_like(now, momentum * correction);
  bool declared = false;
  for (Update& update : context.take_updates()) {
    if (update.state == running) {
      update.value = update.value * keep + now * take;
      declared = true;
    }
    context.update(update.state, std::move(update.value));
  }
  if (!declared) context.update(running, running.value() * keep + now * take);
}

}  // namespace

BatchNorm::BatchNorm(std::int64_t channels, BatchNormOptions options)
    : channels_(channels), options_(options) {
  check_sizes("batch_norm", {channels});
  const Shape shape{channels};
  if (options.affine) {
    weight_ = ones_state("weight", shape);
    bias_ = zeros_state("bias", shape);
  }
  running_mean_ = zeros_state("running_mean", shape, false);
  running_var_ = ones_state("running_var", shape, false);
}

Tensor BatchNorm::per_channel(const Tensor& t, int rank) const {
  std::vector<std::int64_t> extents(static_cast<std::size_t>(rank), 1);
  extents[1] = channels_;
  return reshape(t, Shape(extents));
}

Tensor BatchNorm::scale_and_shift(const Tensor& centred, const Tensor& var) const {
  Tensor scale = rsqrt(var + full({}, options_.eps, var.dtype()));
  if (weight_) scale = scale * per_channel(weight_, centred.rank());
  const Tensor y = centred * scale;
  return bias_ ? y + per_channel(bias_, centred.rank()) : y;
}

Tensor BatchNorm::forward(const Tensor& x, Context& context) const {
  if (x.rank() < 2 || x.size(1) != channels_)
    throw ArgumentError(
        fmt::format("[batch_norm] needs (B,{},…), got {}", channels_, to_string(x.shape())));
  if (!context.is_training())
    return scale_and_shift(x - per_channel(running_mean_, x.rank()),
                           per_channel(running_var_, x.rank()));

  const std::int64_t count = x.elements() / channels_;
  if (count < 2)
    throw ArgumentError(
        fmt::format("[batch_norm] training needs more than one value per channel, got {}",
                    to_string(x.shape())));
  Axes axes{0};
  for (int axis = 2; axis < x.rank(); ++axis) axes.push_back(axis);
  const Tensor batch_mean = mean(x, axes, true);
  const Tensor centred = x - batch_mean;
  const Tensor batch_var = mean(square(centred), axes, true);
  const auto n = static_cast<double>(count);
  follow(context, running_mean_, batch_mean, options_.momentum, 1);
  follow(context, running_var_, batch_var, options_.momentum, n / (n - 1));
  return scale_and_shift(centred, batch_var);
}

LayerNorm::LayerNorm(const Shape& shape, NormOptions options) : shape_(shape), options_(options) {
  for (const std::int64_t extent : shape) check_sizes("layer_norm", {extent});
  if (!options.affine) return;
  weight_ = ones_state("weight", shape);
  bias_ = zeros_state("bias", shape);
}

Tensor LayerNorm::forward(const Tensor& x, Context&) const {
  const int axes = shape_.rank();
  bool fits = x.rank() >= axes;
  for (int i = 0; fits && i < axes; ++i) fits = x.size(i - axes) == shape_[i];
  if (!fits)
    throw ArgumentError(fmt::format("[layer_norm] needs last axes {}, got {}", to_string(shape_),
                                    to_string(x.shape())));
  return layer_norm(x, value_or_empty(weight_), value_or_empty(bias_), axes, options_.eps);
}

GroupNorm::GroupNorm(std::int64_t groups, std::int64_t channels, NormOptions options)
    : groups_(groups), options_(options) {
  check_sizes("group_norm", {groups, channels});
  if (channels % groups != 0)
    throw ArgumentError(
        fmt::format("[group_norm] {} groups do not divide {} channels", groups, channels));
  if (!options.affine) return;
  weight_ = ones_state("weight", Shape{channels});
  bias_ = zeros_state("bias", Shape{channels});
}

Tensor GroupNorm::forward(const Tensor& x, Context&) const {
  return group_norm(x, groups_, value_or_empty(weight_), value_or_empty(bias_), options_.eps);
}

RMSNorm::RMSNorm(std::int64_t features, NormOptions options) : options_(options) {
  check_sizes("rms_norm", {features});
  if (options.affine) weight_ = ones_state("weight", Shape{features});
}

Tensor RMSNorm::forward(const Tensor& x, Context&) const {
  return rms_norm(x, value_or_empty(weight_), options_.eps);
}

}  // namespace genera::nn
