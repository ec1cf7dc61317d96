#include "zoo/vae/vq_vae.h"

#include <genera/functions.h>

#include <algorithm>

#include "zoo/common/failure.h"

namespace genera::zoo::vae {
namespace {

constexpr double decay = 0.99;         // gamma of appendix A.1
constexpr double first_count = 0.15;   // a code that begins far from all rows moves after 40 steps
constexpr double smoothing = 1e-5;     // of the counts
constexpr double least_count = 0.1;    // rows per step, below which a code is set anew
constexpr double commitment = 0.25;    // beta of equation 3
constexpr std::int64_t reduction = 4;  // of height and width by the encoder
constexpr std::int64_t conv_kernel = 4;  // of stride 2

VaeShape with_prior_layers(VaeShape shape) {
  if (shape.layers == 0)
    shape.layers = std::max<std::int64_t>(std::max(shape.height, shape.width) / reduction - 1, 1);
  return shape;
}

}  // namespace

Codebook::Codebook(std::int64_t codes, std::int64_t dimensions, const Key& key)
    : vectors_("vectors", random_normal(key, {codes, dimensions}), false),
      counts_("counts", full({codes}, first_count), false),
      sums_("sums", random_normal(key, {codes, dimensions}) * first_count, false) {}

Tensor Codebook::nearest(const Tensor& z) const {
  const Tensor e = vectors_.value();
  // |z - e|^2 without |z|^2, which is the same for all codes.
  return argmin(sum(square(e), {1}) - 2.0 * matmul(z, transpose(e)), 1);
}

Tensor Codebook::vectors(const Tensor& indices) const {
  return embedding(indices, vectors_.value());
}

// For each unused code a row. Weighted sampling without replacement (Efraimidis and Spirakis, 2006):
// the rows with the largest log(u)/weight. Of a tiny batch several codes get the same row.
Tensor Codebook::badly_represented(const Tensor& z, const Tensor& indices, const Tensor& unused,
                                   const Key& key) const {
  const std::int64_t available = std::min(unused.size(0), z.size(0));
  const Tensor error = sum(square(z - vectors(indices)), {1});
  const Tensor order = log(random_uniform(key, {z.size(0)})) / error;
  const Tensor rank = cumsum(cast(unused, DType::i32), 0) - 1.0;
  return gather(top_k(order, available).second, clip(rank, 0, static_cast<double>(available - 1)));
}

std::vector<Update> Codebook::follow(const Tensor& z, const Tensor& indices, const Key& key) const {
  const std::int64_t codes = counts_.shape()[0];
  const Tensor chosen = one_hot(indices, codes);
  const Tensor counts = decay * counts_.value() + (1 - decay) * sum(chosen, {0});
  const Tensor sums = decay * sums_.value() + (1 - decay) * matmul(transpose(chosen), z);
  const Tensor total = sum(counts);
  const Tensor smoothed =
      (counts + smoothing) / (total + smoothing * static_cast<double>(codes)) * total;
  const Tensor unused = less(counts, least_count);
  const Tensor somewhere = gather(z, badly_represented(z, indices, unused, key));
  const Tensor unused_row = unsqueeze(unused, 1);
  return {{counts_, where(unused, full_like(counts, 1), counts)},
          {sums_, where(unused_row, somewhere, sums)},
          {vectors_, where(unused_row, somewhere, sums / unsqueeze(smoothed, 1))}};
}

VqVae::VqVae(const VaeShape& shape, nn::Sequential encoder, nn::Sequential decoder, const Key& key)
    : LatentModel(with_prior_layers(shape)),
      encoder_(nn::named("encoder", std::move(encoder))),
      decoder_(nn::named("decoder", std::move(decoder))),
      codebook_(shape.codes, shape.latent, key.fold_in(0)),
      prior_(nn::named("prior", GatedPixelCnn({.values = shape.codes,
                                               .height = shape.height / reduction,
                                               .width = shape.width / reduction,
                                               .features = shape.hidden,
                                               .layers = this->shape().layers},
                                              key.fold_in(1)))) {}

void VqVae::visit(nn::Visitor& visitor) const {
  visitor(encoder_, decoder_, prior_);
  for (const State& state : codebook_.states()) visitor.member(state);
}

Encoded VqVae::encode(const Tensor& x, const Tensor&) const { return {encoder_(x)}; }

LatentDraw VqVae::draw(const Encoded& encoded, const Key& key) const {
  const Tensor z = move_axis(encoded[0], 1, -1);  // (B,h,w,D)
  const Shape of_codes{z.size(0), z.size(1), z.size(2)};
  const Tensor rows = stop_gradient(reshape(z, {-1, z.size(3)}));
  const Tensor indices = codebook_.nearest(rows);
  const Tensor codes = reshape(indices, of_codes);
  const Tensor quantized = stop_gradient(codebook_.vectors(codes));
  const Tensor straight_through = z + stop_gradient(quantized - z);
  const Tensor nll = prior_.negative_log_likelihood(codes);
  return {decoder_(move_axis(straight_through, -1, 1)), nll, -nll,
          commitment * sum(square(z - quantized), {1, 2, 3}), codebook_.follow(rows, indices, key)};
}

Tensor VqVae::decode(const Tensor& points) const {
  const std::int64_t h = shape().height / reduction, w = shape().width / reduction;
  const Tensor z = move_axis(reshape(points, {-1, shape().latent, h, w}), 1, -1);
  const Tensor indices = codebook_.nearest(reshape(z, {-1, shape().latent}));
  const Tensor codes = reshape(indices, Shape{points.size(0), h, w});
  return decoder_(move_axis(codebook_.vectors(codes), -1, 1));
}

Tensor VqVae::generate(std::int64_t count, const Key& key, const Tensor&) const {
  return decoder_(move_axis(codebook_.vectors(prior_.sample(count, key)), -1, 1));
}

std::unique_ptr<LatentModel> make_vq_vae(const VaeShape& shape, const Key& key) {
  if (shape.height % reduction != 0 || shape.width % reduction != 0)
    throw UsageError(
        "--model vqvae halves the images twice: height and width must be multiples of 4");
  const std::int64_t f = shape.filters;
  const auto conv = [&](std::int64_t in, std::int64_t out, std::uint64_t layer) {
    return before_relu(nn::Conv2d(in, out, conv_kernel, key, {.stride = 2, .padding = 1}),
                       in * conv_kernel * conv_kernel, key.fold_in(layer));
  };
  nn::Sequential encoder(conv(shape.channels, f, 0), nn::Relu{}, conv(f, 2 * f, 1), nn::Relu{},
                         nn::Conv2d(2 * f, shape.latent, 3, key.fold_in(2), {.padding = 1}));
  // Of a transposed convolution's window only every second row and column meets one output pixel.
  nn::Sequential decoder(
      before_relu(nn::Conv2d(shape.latent, 2 * f, 3, key, {.padding = 1}), shape.latent * 9,
                  key.fold_in(3)),
      nn::Relu{},
      before_relu(nn::ConvTranspose2d(2 * f, f, conv_kernel, key, {.stride = 2, .padding = 1}),
                  2 * f * conv_kernel * conv_kernel / 4, key.fold_in(4)),
      nn::Relu{},
      nn::ConvTranspose2d(f, shape.channels, conv_kernel, key.fold_in(5),
                          {.stride = 2, .padding = 1}));
  return std::make_unique<VqVae>(shape, std::move(encoder), std::move(decoder), key.fold_in(6));
}

}  // namespace genera::zoo::vae
