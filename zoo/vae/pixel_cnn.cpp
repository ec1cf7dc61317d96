#include "zoo/vae/pixel_cnn.h"

#include <genera/functions.h>

#include <string>

namespace genera::zoo::vae {
namespace {

// Of the convolutions: the row above and the position's own, one column more on each side; of one row
// the position to the left and the position itself. No window reaches what comes later.
constexpr std::int64_t above_height = 2, above_width = 3, left_width = 2;

// tanh(a) * sigmoid(b) of the two halves of the channels (1606.05328, equation 2).
Tensor gated(const Tensor& both) {
  const std::int64_t half = both.size(1) / 2;
  return tanh(slice(both, 1, 0, half)) * sigmoid(slice(both, 1, half, 2 * half));
}

// Which positions of a window a convolution may see: all, or without `itself` those before the position's
// own row (of a window of one row: its own column), which is the last one.
Tensor seen_positions(std::int64_t height, std::int64_t width, bool itself) {
  std::vector<float> seen;
  for (std::int64_t y = 0; y < height; ++y)
    for (std::int64_t x = 0; x < width; ++x) {
      const bool own = height > 1 ? y == height - 1 : x == width - 1;
      seen.push_back(own && !itself ? 0 : 1);
    }
  return Tensor::from(seen, Shape{1, 1, height, width});
}

}  // namespace

GatedPixelCnn::MaskedConv::MaskedConv(std::int64_t features, const Tensor& seen, const Key& key)
    : seen_(seen) {
  const Shape shape{2 * features, features, seen.size(2), seen.size(3)};
  weight_ = State("weight", nn::init::fan_in_uniform(key, shape, shape));
  bias_ = State("bias", zeros({2 * features}));
}

Tensor GatedPixelCnn::MaskedConv::forward(const Tensor& x, Context&) const {
  const std::int64_t height = seen_.size(2), width = seen_.size(3);
  const std::int64_t to_the_right = height > 1 ? width / 2 : 0;
  return conv2d(x, weight_.value() * seen_, bias_,
                {.pad_lo = {height - 1, width - 1 - to_the_right}, .pad_hi = {0, to_the_right}});
}

GatedPixelCnn::GatedPixelCnn(const Sizes& sizes, const Key& key)
    : sizes_(sizes),
      embedding_(
          nn::named("embedding", nn::Embedding(sizes.values, sizes.features, key.fold_in(0)))),
      before_logits_(nn::named("before_logits",
                               nn::Conv2d(sizes.features, 4 * sizes.features, 1, key.fold_in(1)))),
      logits_(
          nn::named("logits", nn::Conv2d(4 * sizes.features, sizes.values, 1, key.fold_in(2)))) {
  const std::int64_t f = sizes.features;
  for (std::int64_t i = 0; i < sizes.layers; ++i) {
    const Key layer = key.fold_in(static_cast<std::uint64_t>(10 + i));
    const std::string name = "layer" + std::to_string(i);
    // The first layer must not see the position itself (mask A); later ones see what the layers
    // before made of the positions before it (mask B).
    const bool itself = i > 0;
    layers_.push_back(
        {nn::named(
             name + ".vertical",
             MaskedConv(f, seen_positions(above_height, above_width, itself), layer.fold_in(0))),
         nn::named(name + ".horizontal",
                   MaskedConv(f, seen_positions(1, left_width, itself), layer.fold_in(1))),
         nn::named(name + ".across", nn::Conv2d(2 * f, 2 * f, 1, layer.fold_in(2))),
         nn::named(name + ".out", nn::Conv2d(f, f, 1, layer.fold_in(3)))});
  }
}

void GatedPixelCnn::visit(nn::Visitor& visitor) const {
  visitor(embedding_);
  for (const Layer& layer : layers_)
    visitor(layer.vertical, layer.horizontal, layer.across, layer.out);
  visitor(before_logits_, logits_);
}

Tensor GatedPixelCnn::logits(const Tensor& codes) const {
  const Tensor embedded = move_axis(embedding_(codes), -1, 1);
  Tensor above = embedded, left = embedded;
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    const Layer& layer = layers_[i];
    const Tensor vertical = layer.vertical(above);
    const Tensor horizontal = layer.out(gated(layer.horizontal(left) + layer.across(vertical)));
    above = gated(vertical);
    // In the first layer the way around the convolution would show the position itself.
    left = i == 0 ? horizontal : left + horizontal;
  }
  return move_axis(logits_(relu(before_logits_(relu(left)))), 1, -1);
}

Tensor GatedPixelCnn::negative_log_likelihood(const Tensor& codes) const {
  return sum(cross_entropy(logits(codes), codes, {.reduction = Reduction::none}), {1, 2});
}

Tensor GatedPixelCnn::sample(std::int64_t count, const Key& key) const {
  const Shape shape{count, sizes_.height, sizes_.width};
  const std::int64_t positions = sizes_.height * sizes_.width;
  std::vector<std::int32_t> codes(static_cast<std::size_t>(count * positions), 0);
  for (std::int64_t p = 0; p < positions; ++p) {
    // All positions are drawn and one is kept: one plan for all.
    const Tensor all = random_categorical(key.fold_in(static_cast<std::uint64_t>(p)),
                                          logits(Tensor::from(codes, shape)));
    const auto drawn = all.to_vector<std::int32_t>();
    for (auto i = static_cast<std::size_t>(p); i < codes.size();
         i += static_cast<std::size_t>(positions))
      codes[i] = drawn[i];
  }
  return Tensor::from(codes, shape);
}

}  // namespace genera::zoo::vae
