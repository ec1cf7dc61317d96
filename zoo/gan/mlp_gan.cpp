// Fully connected networks, as in the first GAN (Goodfellow et al., "Generative adversarial nets",
// 1406.2661), with three hidden layers each, as in the toy experiments of Gulrajani et al.
// (1704.00028). With packing D sees several examples in a row (Lin et al., "PacGAN: the power of
// two samples in generative adversarial networks", 1712.04086).

#include "zoo/gan/model.h"
#include "zoo/gan/spectral_norm.h"

namespace genera::zoo::gan {
namespace {

constexpr int hidden_layers = 3;

nn::Linear before_relu(std::int64_t in, std::int64_t out, const Key& key) {
  nn::Linear layer(in, out, key);
  layer.weight().set(nn::init::he_normal(key, layer.weight().shape()));
  layer.bias().set(zeros(layer.bias().shape()));
  return layer;
}

nn::Sequential generator(const GanShape& shape, const Key& key) {
  nn::Sequential body;
  std::int64_t in = shape.latent + shape.classes;
  for (int layer = 0; layer < hidden_layers; ++layer) {
    body.add(before_relu(in, shape.width, key.fold_in(static_cast<std::uint64_t>(layer))));
    body.add(nn::Relu{});
    in = shape.width;
  }
  body.add(nn::Linear(in, shape.example.elements(), key.fold_in(hidden_layers)));
  if (shape.example.rank() > 1) {
    body.add(nn::Tanh{});
    body.add(nn::Reshape({shape.example[0], shape.example[1], shape.example[2]}));
  }
  return body;
}

nn::Sequential discriminator(const GanShape& shape, const Key& key) {
  nn::Sequential body;
  body.add(nn::Flatten{});
  std::int64_t in = shape.pack * shape.example.elements();
  for (int layer = 0; layer < hidden_layers; ++layer) {
    const Key layer_key = key.fold_in(static_cast<std::uint64_t>(layer));
    if (shape.critic_norm == CriticNorm::spectral)
      body.add(SpectralLinear(in, shape.width, layer_key));
    else
      body.add(before_relu(in, shape.width, layer_key));
    if (shape.critic_norm == CriticNorm::batch && layer > 0) body.add(nn::BatchNorm(shape.width));
    body.add(nn::LeakyRelu(0.2));
    in = shape.width;
  }
  return body;
}

}  // namespace

Gan make_mlp_gan(const GanShape& shape, const Key& key) {
  return {nn::named("generator", Generator(shape, generator(shape, key.fold_in(0)))),
          nn::named("discriminator", Discriminator(shape, discriminator(shape, key.fold_in(1)),
                                                   shape.width, key.fold_in(2)))};
}

}  // namespace genera::zoo::gan
