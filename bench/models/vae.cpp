// Variational autoencoders with Bernoulli logits (Kingma and Welling, 1312.6114).
#include "../workload.h"

namespace bench {
namespace {

struct Vae {
  nn::Sequential encoder, decoder;
  std::int64_t latent;

  /// The negative evidence lower bound, summed over pixels, mean over the batch.
  Tensor loss(const Tensor& x, Context& context, Noise& noise) const {
    const auto moments = chunk(encoder(x, context), 2, 1);
    const Tensor &mean = moments[0], &log_variance = moments[1];
    const Tensor z = mean + exp(log_variance * 0.5) * noise.normal(mean.shape());
    const Tensor logits = decoder(z, context);
    const Tensor reconstruction = binary_cross_entropy_with_logits(logits, x, Reduction::sum);
    return (reconstruction + sum(kl_standard_normal(mean, log_variance))) *
           (1.0 / static_cast<double>(x.size(0)));
  }
};

Workload trained(const Vae& vae, const Shape& image) {
  const Tensor x = random_uniform(Key(2), image).eval();
  const auto encoder = nn::named("encoder", vae.encoder);
  const auto decoder = nn::named("decoder", vae.decoder);
  const auto states = nn::states(encoder, decoder);
  const auto adam = std::make_shared<optim::Adam>(states, optim::AdamOptions{.lr = 1e-3});
  return {states, {{"x", x}}, [=](Noise& noise) {
            Context context = Context::training(Key(0));
            return train(*adam, vae.loss(x, context, noise), context);
          }};
}

}  // namespace

Workload vae_mlp(bool small) {
  const Key key(0);
  const Vae vae{nn::Sequential{nn::Linear(784, 400, key.fold_in(0)), nn::Relu{},
                               nn::Linear(400, 40, key.fold_in(1))},
                nn::Sequential{nn::Linear(20, 400, key.fold_in(2)), nn::Relu{},
                               nn::Linear(400, 784, key.fold_in(3))},
                20};
  return trained(vae, {small ? 2 : 128, 784});
}

Workload conv_vae(bool small) {
  const Key key(0);
  const Vae vae{
      nn::Sequential{nn::Conv2d(1, 32, 4, key.fold_in(0), {.stride = 2, .padding = 1}), nn::Relu{},
                     nn::Conv2d(32, 64, 4, key.fold_in(1), {.stride = 2, .padding = 1}), nn::Relu{},
                     nn::Flatten{}, nn::Linear(64 * 7 * 7, 256, key.fold_in(2)), nn::Relu{},
                     nn::Linear(256, 64, key.fold_in(3))},
      nn::Sequential{
          nn::Linear(32, 256, key.fold_in(4)), nn::Relu{},
          nn::Linear(256, 64 * 7 * 7, key.fold_in(5)), nn::Relu{}, nn::Reshape({64, 7, 7}),
          nn::ConvTranspose2d(64, 32, 4, key.fold_in(6), {.stride = 2, .padding = 1}), nn::Relu{},
          nn::ConvTranspose2d(32, 1, 4, key.fold_in(7), {.stride = 2, .padding = 1})},
      32};
  return trained(vae, {small ? 2 : 128, 1, 28, 28});
}

}  // namespace bench
