/// The latent-variable models of this program: a prior p(z), a decoder p(x|z) and an encoder q(z|x).
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
#include <string>
#include <vector>

namespace genera::zoo::vae {

/// Sizes of a model; what it does not have is not used.
struct VaeShape {
  std::int64_t channels = 1;  ///< of the images, as height and width
  std::int64_t height = 28;
  std::int64_t width = 28;
  std::int64_t latent = 20;   ///< Z; vqvae: of each code
  std::int64_t hidden = 400;  ///< units of each fully connected hidden layer; vqvae: of the prior
  /// conv, cvae, vqvae: channels after the first convolution; twice as many after the second
  std::int64_t filters = 32;
  /// ladder: stochastic ones; vqvae: gated ones of the prior, 0: as many as let the last code see all
  std::int64_t layers = 2;
  std::int64_t codes = 64;    ///< vqvae: entries of the codebook
  std::int64_t classes = 10;  ///< cvae
};

/// N(mean, diag(exp(log_variance))); each (B,Z).
struct Normal {
  Tensor mean;
  Tensor log_variance;
};
/// z = mean + exp(log_variance / 2) * noise (Kingma and Welling, 1312.6114, section 2.4).
Tensor sample_normal(const Normal& normal, const Key& key);
/// (B,2Z), means before log-variances. These are clamped to [-12, 12]: outside, the bound's
/// gradients overflow or say nothing.
Normal split_normal(const Tensor& both);

/// What q(z|x) is made from: tensors with one row per image, the same number for every image.
using Encoded = std::vector<Tensor>;

/// One z per row of what was encoded.
struct LatentDraw {
  Tensor output;                ///< (B,C,H,W): the decoder's, of z
  Tensor kl;                    ///< (B), nats: KL(q(z|x) || p(z)), analytic as far as it can be
  Tensor log_ratio;             ///< (B), nats: log p(z) - log q(z|x) of this z
  Tensor penalty;               ///< (B): what training adds to the loss; empty: nothing
  std::vector<Update> updates;  ///< of states that training changes beside the parameters
};

class LatentModel : public nn::Module {
 public:
  const VaeShape& shape() const { return shape_; }
  /// How kl is found, in words.
  virtual std::string kl_text() const { return "analytic"; }
  /// Whether encode() and generate() want labels.
  virtual bool conditional() const { return false; }

  /// x (B,C,H,W) in [0,1], labels i32 (B) where the model is conditional.
  virtual Encoded encode(const Tensor& x, const Tensor& labels = {}) const = 0;
  /// z ~ q(z|x), and the decoder's output: the likelihood's parameter of each pixel (a logit, or a
  /// mean).
  virtual LatentDraw draw(const Encoded& encoded, const Key& key) const = 0;
  /// What training adds to the loss beside draw()'s penalty: (B), given the mean image (B,C,H,W) of
  /// p(x|z) for each row that was encoded; empty: nothing.
  virtual Tensor penalty(const Encoded&, const Tensor&) const { return {}; }
  /// Where images lie in the latent space: (B,P), means; and the decoder's output there.
  virtual Tensor point(const Encoded& encoded) const = 0;
  virtual Tensor decode(const Tensor& points) const = 0;
  /// The decoder's output at the means of q(z|x).
  virtual Tensor reconstruct(const Encoded& encoded) const { return decode(point(encoded)); }
  /// The decoder's outputs of z ~ p(z). Row i depends on the key and on i only.
  virtual Tensor generate(std::int64_t count, const Key& key, const Tensor& labels = {}) const = 0;

 protected:
  explicit LatentModel(const VaeShape& shape) : shape_(shape) {}

 private:
  VaeShape shape_;
};

/// One z with p(z) = N(0, I) (Kingma and Welling, 1312.6114). Encoded: mean and log-variance.
class Vae : public LatentModel {
 public:
  /// `encoder` maps images (B,C,H,W) to (B,2Z), means before log-variances; `decoder` (B,Z) to
  /// (B,C,H,W).
  Vae(const VaeShape& shape, nn::Sequential encoder, nn::Sequential decoder);

  Encoded encode(const Tensor& x, const Tensor& labels = {}) const override;
  LatentDraw draw(const Encoded& encoded, const Key& key) const override;
  Tensor point(const Encoded& encoded) const override { return encoded[0]; }
  Tensor decode(const Tensor& z) const override { return decoder_(z); }
  Tensor generate(std::int64_t count, const Key& key, const Tensor& labels = {}) const override;
  void visit(nn::Visitor& visitor) const override { visitor(encoder_, decoder_); }

 private:
  nn::Sequential encoder_, decoder_;
};

/// z ~ posterior under the prior N(0, I): z (B,Z), and as in LatentDraw kl (B, analytic: 1312.6114,
/// appendix B) and log_ratio (B).
struct NormalDraw {
  Tensor z, kl, log_ratio;
};
NormalDraw draw_standard(const Normal& posterior, const Key& key);
/// The same under another prior.
NormalDraw draw_normal(const Normal& posterior, const Normal& prior, const Key& key);

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
std::unique_ptr<LatentModel> make_mlp_vae(const VaeShape& shape, const Key& key);
/// Convolutions of stride 2 and one fully connected layer on each side (conv_vae.cpp).
std::unique_ptr<LatentModel> make_conv_vae(const VaeShape& shape, const Key& key);
/// Given the class of the image (conditional_vae.cpp).
std::unique_ptr<LatentModel> make_conditional_vae(const VaeShape& shape, const Key& key);
/// Several stochastic layers (ladder_vae.h).
std::unique_ptr<LatentModel> make_ladder_vae(const VaeShape& shape, const Key& key);
/// Discrete z with a learned prior (vq_vae.h).
std::unique_ptr<LatentModel> make_vq_vae(const VaeShape& shape, const Key& key);

}  // namespace genera::zoo::vae
