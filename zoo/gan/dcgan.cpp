// The networks of Radford et al., "Unsupervised representation learning with deep convolutional
// generative adversarial networks" (1511.06434, section 3 and figure 1), with two levels instead of
// four, for images of 28 x 28.
//
//     G: z -linear-> (2F,H/4,W/4) -BN, ReLU, conv^T-> (F,H/2,W/2) -BN, ReLU, conv^T, tanh-> (C,H,W)
//     D: x -conv, leaky ReLU-> (F,H/2,W/2) -conv, BN, leaky ReLU-> (2F,H/4,W/4) -linear-> score
//
// With spectral normalisation D has no batch normalisation (Miyato et al., 1802.05957, table 3),
// and likewise none with a gradient penalty, which is of single examples (Gulrajani et al.,
// 1704.00028, section 4).

#include "zoo/common/failure.h"
#include "zoo/gan/model.h"
#include "zoo/gan/spectral_norm.h"

namespace genera::zoo::gan {
namespace {

constexpr std::int64_t kernel = 4;
constexpr double leak = 0.2;

// Weights begin at N(0, 0.02), gains of batch normalisation at N(1, 0.02) (section 4).
template <class Layer>
Layer from_normal(Layer layer, double mean, const Key& key) {
  layer.weight().set(nn::init::normal(key, layer.weight().shape(), mean, 0.02));
  return layer;
}

nn::BatchNorm batch_norm(std::int64_t channels, const Key& key) {
  return from_normal(nn::BatchNorm(channels), 1, key);
}

nn::Sequential generator(const GanShape& shape, std::int64_t height, std::int64_t width,
                         const Key& key) {
  const std::int64_t f = shape.width;
  const auto up = [&](std::int64_t in, std::int64_t out, bool bias, std::uint64_t layer) {
    return from_normal(
        nn::ConvTranspose2d(in, out, kernel, key, {.stride = 2, .padding = 1, .bias = bias}), 0,
        key.fold_in(layer));
  };
  return nn::Sequential(from_normal(nn::Linear(shape.latent + shape.classes, 2 * f * height * width,
                                               key, {.bias = false}),
                                    0, key.fold_in(0)),
                        nn::Reshape({2 * f, height, width}), batch_norm(2 * f, key.fold_in(1)),
                        nn::Relu{}, up(2 * f, f, false, 2), batch_norm(f, key.fold_in(3)),
                        nn::Relu{}, up(f, shape.example[0], true, 4), nn::Tanh{});
}

nn::Sequential discriminator(const GanShape& shape, const Key& key) {
  const std::int64_t f = shape.width;
  nn::Sequential body;
  const auto down = [&](std::int64_t in, std::int64_t out, std::uint64_t layer) {
    const nn::Conv2dOptions options{.stride = 2, .padding = 1};
    if (shape.critic_norm == CriticNorm::spectral)
      body.add(SpectralConv2d(in, out, kernel, key.fold_in(layer), options));
    else
      body.add(from_normal(nn::Conv2d(in, out, kernel, key, options), 0, key.fold_in(layer)));
  };
  down(shape.example[0], f, 0);
  body.add(nn::LeakyRelu(leak));
  down(f, 2 * f, 1);
  if (shape.critic_norm == CriticNorm::batch) body.add(batch_norm(2 * f, key.fold_in(2)));
  body.add(nn::LeakyRelu(leak));
  body.add(nn::Flatten{});
  return body;
}

}  // namespace

Gan make_dcgan(const GanShape& shape, const Key& key) {
  if (shape.example.rank() != 3 || shape.example[1] % 4 != 0 || shape.example[2] % 4 != 0)
    throw UsageError(
        "--network conv halves images twice: it wants images whose height and width are multiples "
        "of 4; use --network mlp");
  if (shape.pack != 1) throw UsageError("--pack goes with --network mlp only");
  const std::int64_t height = shape.example[1] / 4, width = shape.example[2] / 4;
  return {
      nn::named("generator", Generator(shape, generator(shape, height, width, key.fold_in(0)))),
      nn::named("discriminator", Discriminator(shape, discriminator(shape, key.fold_in(1)),
                                               2 * shape.width * height * width, key.fold_in(2)))};
}

}  // namespace genera::zoo::gan
