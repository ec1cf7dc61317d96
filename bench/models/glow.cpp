// Glow (Kingma and Dhariwal, 1807.03039) on 1 x 32 x 32: L = 3 levels of K = 8 steps, each ActNorm,
// 1 x 1 convolution and affine coupling; learned priors.
#include "../workload.h"

namespace bench {
namespace {

struct Sizes {
  std::int64_t batch, width;
  int steps;
};
Sizes sizes(bool small, std::int64_t batch) {
  return small ? Sizes{2, 4, 1} : Sizes{batch, 128, 8};
}

/// A prior, or the last layer of a coupling net: small at first, so that the flow begins near a
/// rotation and what it samples stays finite (section 3.3).
nn::Conv2d small_layer(std::int64_t width, std::int64_t channels, const Key& key) {
  nn::Conv2d layer(width, channels, 3, key, {.padding = 1});
  for (const State& state : {layer.weight(), layer.bias()}) state.set(state.value() * 0.1);
  return layer;
}

/// One step of flow (section 3) on (B,C,H,W).
class FlowStep : public nn::Module {
 public:
  FlowStep(std::int64_t channels, std::int64_t width, const Key& key)
      : log_scale_("log_scale", random_normal(key.fold_in(0), {channels, 1, 1}) * 0.1),
        shift_("shift", random_normal(key.fold_in(1), {channels, 1, 1}) * 0.1),
        mixing_("mixing", nn::init::orthogonal(key.fold_in(2), {channels, channels})),
        net_{nn::Conv2d(channels / 2, width, 3, key.fold_in(3), {.padding = 1}), nn::Relu{},
             nn::Conv2d(width, width, 1, key.fold_in(4)), nn::Relu{},
             small_layer(width, channels, key.fold_in(5))} {
    net_.set_name("net");
  }
  void visit(nn::Visitor& visitor) const override { visitor(log_scale_, shift_, mixing_, net_); }

  /// y, and log|det| summed over the batch is added to `total` (table 1).
  Tensor run(const Tensor& x, Context& context, Tensor& total) const {
    const Tensor normed = (x + shift_) * exp(log_scale_);
    const Tensor mixed = conv(normed, unsqueeze(unsqueeze(mixing_, -1), -1));
    const auto halves = chunk(mixed, 2, 1);
    const auto [scale, shift] = moves(halves[0], context);
    const auto places = static_cast<double>(x.elements() / x.size(1));
    total = total + (sum(log_scale_) + slogdet(mixing_).logabsdet) * places + sum(log(scale));
    return concat({halves[0], (halves[1] + shift) * scale}, 1);
  }

  Tensor inverse(const Tensor& y) const {
    Context context;
    const auto halves = chunk(y, 2, 1);
    const auto [scale, shift] = moves(halves[0], context);
    const Tensor mixed = concat({halves[0], halves[1] / scale - shift}, 1);
    const Tensor back = genera::inverse(mixing_);
    return conv(mixed, unsqueeze(unsqueeze(back, -1), -1)) * exp(-log_scale_) - shift_;
  }

 private:
  std::pair<Tensor, Tensor> moves(const Tensor& seen, Context& context) const {
    const auto parts = chunk(net_(seen, context), 2, 1);
    return {sigmoid(parts[0] + 2.0), parts[1]};
  }

  State log_scale_, shift_, mixing_;
  nn::Sequential net_;
};

class Glow : public nn::Module {
 public:
  Glow(const Sizes& sizes, const Key& key)
      : top_("top", random_normal(key.fold_in(1000), {32, 4, 4}) * 0.1) {
    std::uint64_t made = 0;
    std::int64_t channels = 1;
    for (std::size_t level = 0; level < levels; ++level) {
      channels *= 4;
      for (int i = 0; i < sizes.steps; ++i)
        steps_.emplace_back(channels, sizes.width, key.fold_in(made++));
      if (level + 1 == levels) break;
      channels /= 2;
      priors_.push_back(small_layer(channels, 2 * channels, key.fold_in(made++)));
    }
  }
  void visit(nn::Visitor& visitor) const override {
    visitor(top_);
    visitor.list("steps", steps_);
    visitor.list("priors", priors_);
  }

  /// Mean negative log-likelihood of x (B,1,32,32), in nats.
  Tensor loss(const Tensor& x, Context& context) const {
    Tensor h = x, total = zeros({});
    const std::size_t steps = steps_.size() / levels;
    for (std::size_t level = 0; level < levels; ++level) {
      h = space_to_depth(h, 2);
      for (std::size_t i = 0; i < steps; ++i) h = steps_[level * steps + i].run(h, context, total);
      if (level + 1 == levels) break;
      const auto halves = chunk(h, 2, 1);
      const auto prior = chunk(priors_[level](halves[0], context), 2, 1);
      total = total + sum(normal_log_density(halves[1], prior[0], prior[1] * 2.0));
      h = halves[0];
    }
    const auto prior = chunk(top_.value(), 2, 0);
    total = total + sum(normal_log_density(h, prior[0], prior[1] * 2.0));
    return total * (-1 / static_cast<double>(x.size(0)));
  }

  /// `batch` images (B,1,32,32).
  Tensor sample(std::int64_t batch, Noise& noise) const {
    const auto draw = [&](const std::vector<Tensor>& prior, const Shape& shape) {
      return prior[0] + exp(prior[1]) * noise.normal(shape);
    };
    const std::size_t steps = steps_.size() / levels;
    Tensor h = draw(chunk(top_.value(), 2, 0), {batch, 16, 4, 4});
    for (std::size_t level = levels; level-- > 0;) {
      if (level + 1 < levels) h = concat({h, draw(chunk(priors_[level](h), 2, 1), h.shape())}, 1);
      for (std::size_t i = steps; i-- > 0;) h = steps_[level * steps + i].inverse(h);
      h = pixel_shuffle(h, 2);
    }
    return h;
  }

 private:
  static constexpr std::size_t levels = 3;
  State top_;
  std::vector<FlowStep> steps_;
  std::vector<nn::Conv2d> priors_;
};

}  // namespace

Workload glow(bool small) {
  const Sizes s = sizes(small, 32);
  return trained_on_images(std::make_shared<Glow>(s, Key(0)), s.batch, 1e-4);
}

Workload glow_sample64(bool small) {
  const Sizes s = sizes(small, 64);
  const auto model = std::make_shared<Glow>(s, Key(0));
  return {model->states(), {}, [=](Noise& noise) { return model->sample(s.batch, noise).eval(); }};
}

}  // namespace bench
