/// The variational autoencoders of this program: an encoder q(z|x) and a decoder p(x|z) each.
///
/// Letters: B batch; C, H, W channels, height and width of an image; Z latent dimensions.
#pragma once

#include <genera/nn.h>
#include <genera/ops.h>
#include <genera/random.h>
#include <genera/tensor.h>

#include <cmath>
#include <cstdint>
#include <memory>

namespace genera::zoo {

/// q(z|x) = N(mean, diag(exp(log_variance))) (Kingma and Welling, 1312.6114, equation 9); each
/// (B,Z).
struct Posterior {
  Tensor mean;
  Tensor log_variance;
};

/// Sizes of a model.
struct VaeShape {
  std::int64_t channels = 1;  ///< of the images, as height and width
  std::int64_t height = 28;
  std::int64_t width = 28;
  std::int64_t latent = 20;   ///< Z
  std::int64_t hidden = 400;  ///< units of each fully connected hidden layer
  /// conv: channels after the first convolution; twice as many after the second
  std::int64_t filters = 32;
};

class Vae : public nn::Module {
 public:
  /// `encoder` maps images (B,C,H,W) to (B,2Z), means before log-variances; `decoder` (B,Z) to
  /// (B,C,H,W).
  Vae(const VaeShape& shape, nn::Sequential encoder, nn::Sequential decoder);

  /// x (B,C,H,W) in [0,1]. The log-variance is clamped to [-12, 12]: outside, the bound's gradients
  /// overflow or say nothing.
  Posterior encode(const Tensor& x) const;
  /// z (B,Z) -> (B,C,H,W): the likelihood's parameter of each pixel (a logit, or a mean).
  Tensor decode(const Tensor& z) const { return decoder_(z); }
  void visit(nn::Visitor& visitor) const override { visitor(encoder_, decoder_); }

  const VaeShape& shape() const { return shape_; }

 private:
  VaeShape shape_;
  nn::Sequential encoder_, decoder_;
};

/// The layer as it should begin before a ReLU: weights normal with variance 2 / fan_in, no bias (He
/// et al., 1502.01852, equation 10). With less, little of x reaches z at first, and the posterior
/// collapses onto the prior.
template <class Layer>
Layer before_relu(Layer layer, std::int64_t fan_in, const Key& key) {
  const double deviation = std::sqrt(2.0 / static_cast<double>(fan_in));
  layer.weight().set(nn::init::normal(key, layer.weight().shape(), 0, deviation));
  layer.bias().set(zeros(layer.bias().shape()));
  return layer;
}

/// Fully connected, one hidden layer on each side (mlp_vae.cpp).
std::unique_ptr<Vae> make_mlp_vae(const VaeShape& shape, const Key& key);
/// Convolutions of stride 2 and one fully connected layer on each side (conv_vae.cpp).
std::unique_ptr<Vae> make_conv_vae(const VaeShape& shape, const Key& key);

}  // namespace genera::zoo
