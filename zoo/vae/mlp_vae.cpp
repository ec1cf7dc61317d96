// The autoencoder of Kingma and Welling, "Auto-encoding variational Bayes" (1312.6114), appendix C,
// with ReLU in place of tanh: on both sides one hidden layer.
//
//     h = relu(W1 x + b1),  (mean, log variance) = W2 h + b2      q(z|x), appendix C.2
//     g = relu(W3 z + b3),  output = W4 g + b4                    p(x|z), appendix C.1 (logits)

#include <genera/ops.h>

#include "zoo/vae/model.h"

namespace genera::zoo {
namespace {

class MlpVae : public Vae {
 public:
  MlpVae(const VaeShape& shape, const Key& key) : Vae(shape) {
    const std::int64_t pixels = shape.channels * shape.height * shape.width;
    const auto hidden = [&](std::int64_t in, std::uint64_t layer) {
      return before_relu(nn::Linear(in, shape.hidden, key), in, key.fold_in(layer));
    };
    encoder_ = nn::Sequential(nn::Flatten{}, hidden(pixels, 0), nn::Relu{},
                              nn::Linear(shape.hidden, 2 * shape.latent, key.fold_in(1)));
    decoder_ = nn::Sequential(hidden(shape.latent, 2), nn::Relu{},
                              nn::Linear(shape.hidden, pixels, key.fold_in(3)),
                              nn::Reshape({shape.channels, shape.height, shape.width}));
    encoder_.set_name("encoder");
    decoder_.set_name("decoder");
  }

  Posterior encode(const Tensor& x) const override { return split_posterior(encoder_(x)); }
  Tensor decode(const Tensor& z) const override { return decoder_(z); }
  void visit(nn::Visitor& visitor) const override { visitor(encoder_, decoder_); }

 private:
  nn::Sequential encoder_, decoder_;
};

}  // namespace

std::unique_ptr<Vae> make_mlp_vae(const VaeShape& shape, const Key& key) {
  return std::make_unique<MlpVae>(shape, key);
}

Posterior split_posterior(const Tensor& encoded) {
  const std::int64_t latent = encoded.size(1) / 2;
  return {slice(encoded, 1, 0, latent), clip(slice(encoded, 1, latent, 2 * latent), -12, 12)};
}

}  // namespace genera::zoo
