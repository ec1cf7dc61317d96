#include "zoo/vae/model.h"

namespace genera::zoo {

Vae::Vae(const VaeShape& shape, nn::Sequential encoder, nn::Sequential decoder)
    : shape_(shape),
      encoder_(nn::named("encoder", std::move(encoder))),
      decoder_(nn::named("decoder", std::move(decoder))) {}

Posterior Vae::encode(const Tensor& x) const {
  const Tensor encoded = encoder_(x);
  const std::int64_t latent = encoded.size(1) / 2;
  return {slice(encoded, 1, 0, latent), clip(slice(encoded, 1, latent, 2 * latent), -12, 12)};
}

}  // namespace genera::zoo
