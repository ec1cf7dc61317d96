// The same bound (Kingma and Welling, 1312.6114) with a convolutional encoder and its mirror image
// as decoder: in place of pooling and upsampling, convolutions of stride 2 (Radford et al.,
// "Unsupervised representation learning with deep convolutional generative adversarial networks",
// 1511.06434, section 3).
//
//     q(z|x): (C,H,W) -conv-> (F,H/2,W/2) -conv-> (2F,H/4,W/4) -linear-> hidden
//             -linear-> (mean, log variance)
//     p(x|z): z -linear-> hidden -linear-> (2F,H/4,W/4) -conv^T-> (F,H/2,W/2) -conv^T-> (C,H,W)

#include "zoo/vae/conv_vae.h"

#include "zoo/common/failure.h"

namespace genera::zoo::vae {
namespace {

constexpr std::int64_t kernel = 4;

nn::Linear linear(std::int64_t in, std::int64_t out, const Key& key) {
  return before_relu(nn::Linear(in, out, key), in, key);
}

void check_sides(const VaeShape& shape) {
  if (shape.height % 4 != 0 || shape.width % 4 != 0)
    throw UsageError(
        "convolutions of stride 2 halve the images twice: height and width must be multiples of 4; "
        "use --model mlp");
}

}  // namespace

nn::Sequential conv_encoder(const VaeShape& shape, std::int64_t outputs, const Key& key) {
  check_sides(shape);
  const std::int64_t f = shape.filters;
  const std::int64_t features = 2 * f * (shape.height / 4) * (shape.width / 4);
  const auto conv = [&](std::int64_t in, std::int64_t out, std::uint64_t layer) {
    return before_relu(nn::Conv2d(in, out, kernel, key, {.stride = 2, .padding = 1}),
                       in * kernel * kernel, key.fold_in(layer));
  };
  return nn::Sequential(conv(shape.channels, f, 0), nn::Relu{}, conv(f, 2 * f, 1), nn::Relu{},
                        nn::Flatten{}, linear(features, shape.hidden, key.fold_in(2)), nn::Relu{},
                        nn::Linear(shape.hidden, outputs, key.fold_in(3)));
}

nn::Sequential conv_decoder(const VaeShape& shape, std::int64_t inputs, const Key& key) {
  check_sides(shape);
  const std::int64_t f = shape.filters, h = shape.height / 4, w = shape.width / 4;
  // Of a transposed convolution's window only every second row and column meets one output pixel.
  return nn::Sequential(
      linear(inputs, shape.hidden, key.fold_in(4)), nn::Relu{},
      linear(shape.hidden, 2 * f * h * w, key.fold_in(5)), nn::Relu{}, nn::Reshape({2 * f, h, w}),
      before_relu(nn::ConvTranspose2d(2 * f, f, kernel, key, {.stride = 2, .padding = 1}),
                  2 * f * kernel * kernel / 4, key.fold_in(6)),
      nn::Relu{},
      nn::ConvTranspose2d(f, shape.channels, kernel, key.fold_in(7), {.stride = 2, .padding = 1}));
}

std::unique_ptr<LatentModel> make_conv_vae(const VaeShape& shape, const Key& key) {
  return std::make_unique<Vae>(shape, conv_encoder(shape, 2 * shape.latent, key),
                               conv_decoder(shape, shape.latent, key));
}

}  // namespace genera::zoo::vae
