// Sønderby et al., "Ladder variational autoencoders" (1602.02282), with ReLU and without batch
// normalisation. z_1 has --latent dimensions, each layer above half as many.
//
//     d_i = MLP(d_(i-1)),  estimate_i = Linear(d_i)                         upwards, equations 11 to 13
//     q(z_L|x) = estimate_L,  q(z_i|x,z_(i+1)) ~ estimate_i * p(z_i|z_(i+1))    downwards, 17 to 19

#include "zoo/vae/ladder_vae.h"

#include <genera/functions.h>

#include <algorithm>
#include <string>

namespace genera::zoo::vae {

Normal combine_normals(const Normal& estimate, const Normal& prior) {
  const Tensor difference = prior.log_variance - estimate.log_variance;
  return {prior.mean + sigmoid(difference) * (estimate.mean - prior.mean),
          prior.log_variance - softplus(difference)};
}

LadderVae::LadderVae(const VaeShape& shape, std::vector<LadderLayer> layers, nn::Sequential decoder)
    : LatentModel(shape),
      layers_(std::move(layers)),
      decoder_(nn::named("decoder", std::move(decoder))) {
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    layers_[i].upward.set_name("upward." + std::to_string(i));
    layers_[i].estimate.set_name("estimate." + std::to_string(i));
    layers_[i].prior.set_name("prior." + std::to_string(i));
  }
}

void LadderVae::visit(nn::Visitor& visitor) const {
  for (const LadderLayer& layer : layers_) visitor(layer.upward, layer.estimate, layer.prior);
  visitor(decoder_);
}

Encoded LadderVae::encode(const Tensor& x, const Tensor&) const {
  Encoded encoded;
  Tensor d = x;
  for (const LadderLayer& layer : layers_) {
    d = layer.upward(d);
    const Normal estimate = split_normal(layer.estimate(d));
    encoded.push_back(estimate.mean);
    encoded.push_back(estimate.log_variance);
  }
  return encoded;
}

Normal LadderVae::prior_of(std::size_t layer, const Tensor& above) const {
  return split_normal(layers_[layer].prior(above));
}

LatentDraw LadderVae::draw(const Encoded& encoded, const Key& key) const {
  const std::size_t top = layers_.size() - 1;
  auto [z, kl, log_ratio] =
      draw_standard({encoded[2 * top], encoded[2 * top + 1]}, key.fold_in(top));
  for (std::size_t i = top; i-- > 0;) {
    const Normal prior = prior_of(i, z);
    const Normal posterior = combine_normals({encoded[2 * i], encoded[2 * i + 1]}, prior);
    const NormalDraw below = draw_normal(posterior, prior, key.fold_in(i));
    z = below.z;
    kl = kl + below.kl;
    log_ratio = log_ratio + below.log_ratio;
  }
  return {decoder_(z), kl, log_ratio, {}, {}};
}

Tensor LadderVae::decode(const Tensor& points) const {
  Tensor z = points;
  for (std::size_t i = layers_.size() - 1; i-- > 0;) z = prior_of(i, z).mean;
  return decoder_(z);
}

Tensor LadderVae::reconstruct(const Encoded& encoded) const {
  Tensor z = point(encoded);
  for (std::size_t i = layers_.size() - 1; i-- > 0;)
    z = combine_normals({encoded[2 * i], encoded[2 * i + 1]}, prior_of(i, z)).mean;
  return decoder_(z);
}

Tensor LadderVae::generate(std::int64_t count, const Key& key, const Tensor&) const {
  const std::size_t top = layers_.size() - 1;
  const Shape of_top{count, std::max<std::int64_t>(shape().latent >> top, 1)};
  Tensor z = random_normal(key.fold_in(top), of_top);
  for (std::size_t i = top; i-- > 0;) z = sample_normal(prior_of(i, z), key.fold_in(i));
  return decoder_(z);
}

std::unique_ptr<LatentModel> make_ladder_vae(const VaeShape& shape, const Key& key) {
  const std::int64_t pixels = shape.channels * shape.height * shape.width;
  const auto hidden = [&](std::int64_t in, const Key& layer) {
    return before_relu(nn::Linear(in, shape.hidden, layer), in, layer);
  };
  const auto latent = [&](std::size_t i) { return std::max<std::int64_t>(shape.latent >> i, 1); };
  std::vector<LadderLayer> layers;
  for (std::size_t i = 0; i < static_cast<std::size_t>(shape.layers); ++i) {
    const Key layer = key.fold_in(i);
    nn::Sequential upward =
        i == 0 ? nn::Sequential(nn::Flatten{}, hidden(pixels, layer.fold_in(0)), nn::Relu{})
               : nn::Sequential(hidden(shape.hidden, layer.fold_in(0)), nn::Relu{});
    nn::Sequential estimate;
    estimate.add(nn::Linear(shape.hidden, 2 * latent(i), layer.fold_in(1)));
    nn::Sequential prior;
    if (i + 1 < static_cast<std::size_t>(shape.layers))
      prior = nn::Sequential(hidden(latent(i + 1), layer.fold_in(2)), nn::Relu{},
                             nn::Linear(shape.hidden, 2 * latent(i), layer.fold_in(3)));
    layers.push_back({std::move(upward), std::move(estimate), std::move(prior)});
  }
  const Key last = key.fold_in(1000);
  nn::Sequential decoder(hidden(shape.latent, last.fold_in(0)), nn::Relu{},
                         nn::Linear(shape.hidden, pixels, last.fold_in(1)),
                         nn::Reshape({shape.channels, shape.height, shape.width}));
  return std::make_unique<LadderVae>(shape, std::move(layers), std::move(decoder));
}

}  // namespace genera::zoo::vae
