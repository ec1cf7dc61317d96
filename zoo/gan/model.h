/// The two networks of a generative adversarial network (Goodfellow et al., 1406.2661): a generator
/// that makes examples of noise, and a discriminator (or critic) that scores examples.
///
/// Letters: B batch; Z latent dimensions; K classes; E… the extents of one example: (C,H,W) of an
/// image with values in [-1,1], (D) of a point.
#pragma once

#include <genera/nn.h>
#include <genera/ops.h>
#include <genera/random.h>
#include <genera/tensor.h>

#include <cstdint>

namespace genera::zoo::gan {

/// How a discriminator keeps its activations in bounds.
enum class CriticNorm {
  none,
  batch,     ///< batch normalisation (Radford et al., 1511.06434, section 3)
  spectral,  ///< every weight divided by its largest singular value (spectral_norm.h)
};

/// Sizes of the networks.
struct GanShape {
  Shape example = {1, 28, 28};  ///< E…
  std::int64_t classes = 0;     ///< K; 0: examples without labels
  std::int64_t latent = 64;     ///< Z
  /// Convolutions: channels of the layer next to the image, twice as many in the one behind it.
  /// Fully connected: units of a hidden layer.
  std::int64_t width = 64;
  std::int64_t pack = 1;  ///< examples that the discriminator sees at once (packing, PacGAN)
  CriticNorm critic_norm = CriticNorm::batch;
};

class Generator : public nn::Module {
 public:
  /// `body` maps (B,Z+K) to (B,E…).
  Generator(const GanShape& shape, nn::Sequential body)
      : shape_(shape), body_(nn::named("body", std::move(body))) {}

  /// z (B,Z), labels i32 (B), empty without classes -> (B,E…). The labels stand beside the noise,
  /// one-hot (Mirza and Osindero, 1411.1784, section 3.2).
  Tensor generate(const Tensor& z, const Tensor& labels, Context& context) const;
  void visit(nn::Visitor& visitor) const override { visitor(body_); }
  const GanShape& shape() const { return shape_; }

 private:
  GanShape shape_;
  nn::Sequential body_;
};

class Discriminator : public nn::Module {
 public:
  /// `body` maps examples to features (B,F).
  Discriminator(const GanShape& shape, nn::Sequential body, std::int64_t features, const Key& key);

  /// x (B,E…), labels i32 (B), empty without classes -> a score (B), unbounded, larger for what
  /// looks real. Labels enter as projection: w h(x) + e_y h(x) (Miyato and Koyama, 1802.05637,
  /// equation 3). With packing neighbours in the batch are scored as one: (B/pack).
  Tensor score(const Tensor& x, const Tensor& labels, Context& context) const;
  void visit(nn::Visitor& visitor) const override;

 private:
  GanShape shape_;
  nn::Sequential body_;
  nn::Sequential head_;
  State embedding_;  // (K,F)
};

struct Gan {
  Generator generator;
  Discriminator discriminator;
};

/// Convolutions of stride 2 (dcgan.cpp). UsageError unless examples are images whose sides are
/// multiples of 4.
Gan make_dcgan(const GanShape& shape, const Key& key);
/// Fully connected (mlp_gan.cpp).
Gan make_mlp_gan(const GanShape& shape, const Key& key);

}  // namespace genera::zoo::gan
