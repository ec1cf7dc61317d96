// The autoencoder of Kingma and Welling, "Auto-encoding variational Bayes" (1312.6114), appendix C,
// with ReLU in place of tanh: on both sides one hidden layer.
//
//     h = relu(W1 x + b1),  (mean, log variance) = W2 h + b2      q(z|x), appendix C.2
//     g = relu(W3 z + b3),  output = W4 g + b4                    p(x|z), appendix C.1 (logits)

#include "zoo/vae/model.h"

namespace genera::zoo::vae {

std::unique_ptr<LatentModel> make_mlp_vae(const VaeShape& shape, const Key& key) {
  const std::int64_t pixels = shape.channels * shape.height * shape.width;
  const auto hidden = [&](std::int64_t in, std::uint64_t layer) {
    return before_relu(nn::Linear(in, shape.hidden, key), in, key.fold_in(layer));
  };
  nn::Sequential encoder(nn::Flatten{}, hidden(pixels, 0), nn::Relu{},
                         nn::Linear(shape.hidden, 2 * shape.latent, key.fold_in(1)));
  nn::Sequential decoder(hidden(shape.latent, 2), nn::Relu{},
                         nn::Linear(shape.hidden, pixels, key.fold_in(3)),
                         nn::Reshape({shape.channels, shape.height, shape.width}));
  return std::make_unique<Vae>(shape, std::move(encoder), std::move(decoder));
}

}  // namespace genera::zoo::vae
