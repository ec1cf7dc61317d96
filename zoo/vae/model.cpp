#include "zoo/vae/model.h"

#include <genera/functions.h>

namespace genera::zoo::vae {

Tensor sample_normal(const Normal& normal, const Key& key) {
  return normal.mean + exp(0.5 * normal.log_variance) * random_normal(key, normal.mean.shape());
}

Normal split_normal(const Tensor& both) {
  const std::int64_t latent = both.size(1) / 2;
  return {slice(both, 1, 0, latent), clip(slice(both, 1, latent, 2 * latent), -12, 12)};
}

NormalDraw draw_normal(const Normal& posterior, const Normal& prior, const Key& key) {
  const Tensor z = sample_normal(posterior, key);
  return {
      z,
      sum(kl_normal(posterior.mean, posterior.log_variance, prior.mean, prior.log_variance), {1}),
      sum(normal_log_density(z, prior.mean, prior.log_variance) -
              normal_log_density(z, posterior.mean, posterior.log_variance),
          {1})};
}

NormalDraw draw_standard(const Normal& posterior, const Key& key) {
  const Tensor noise = random_normal(key, posterior.mean.shape());
  const Tensor z = posterior.mean + exp(0.5 * posterior.log_variance) * noise;
  // log q in terms of its noise: the constants cancel.
  return {z, sum(kl_standard_normal(posterior.mean, posterior.log_variance), {1}),
          0.5 * sum(square(noise) + posterior.log_variance - square(z), {1})};
}

Vae::Vae(const VaeShape& shape, nn::Sequential encoder, nn::Sequential decoder)
    : LatentModel(shape),
      encoder_(nn::named("encoder", std::move(encoder))),
      decoder_(nn::named("decoder", std::move(decoder))) {}

Encoded Vae::encode(const Tensor& x, const Tensor&) const {
  const Normal posterior = split_normal(encoder_(x));
  return {posterior.mean, posterior.log_variance};
}

LatentDraw Vae::draw(const Encoded& encoded, const Key& key) const {
  const NormalDraw drawn = draw_standard({encoded[0], encoded[1]}, key);
  return {decoder_(drawn.z), drawn.kl, drawn.log_ratio, {}, {}};
}

Tensor Vae::generate(std::int64_t count, const Key& key, const Tensor&) const {
  return decoder_(random_normal(key, {count, shape().latent}));
}

}  // namespace genera::zoo::vae
