/// The VQ-VAE: van den Oord et al., "Neural discrete representation learning" (1711.00937).
#pragma once

#include <genera/nn.h>

#include "zoo/vae/model.h"
#include "zoo/vae/pixel_cnn.h"

namespace genera::zoo::vae {

/// K vectors of D numbers, of which each vector is replaced by the nearest. They follow what they
/// replace by moving averages (1711.00937, appendix A.1).
class Codebook {
 public:
  Codebook(std::int64_t codes, std::int64_t dimensions, const Key& key);

  /// Which code is nearest to each row of z (N,D): i32 (N). The squared distance decides (equation 1).
  Tensor nearest(const Tensor& z) const;
  /// The codes' vectors: indices i32 (…) -> (…,D).
  Tensor vectors(const Tensor& indices) const;
  /// The new averages after rows z (N,D) went to `indices` (N): counts (equation 6), sums (7), and
  /// their quotient (8), which Laplace smoothing of the counts keeps finite. A code that hardly any
  /// row goes to is set on one of the rows (Dhariwal et al., "Jukebox",
  /// 2005.00341, section 3), which `key` chooses in proportion to its squared distance from its code:
  /// evenly chosen, most would fall where there are codes enough.
  std::vector<Update> follow(const Tensor& z, const Tensor& indices, const Key& key) const;
  std::vector<State> states() const { return {vectors_, counts_, sums_}; }

 private:
  Tensor badly_represented(const Tensor& z, const Tensor& indices, const Tensor& unused,
                           const Key& key) const;

  State vectors_, counts_, sums_;
};

/// z is a picture of h x w codes. q(z|x) puts all mass on the codes nearest to the encoder's output
/// (equation 1), so that KL(q || p) = -log p(z), whose prior p is a PixelCNN that is trained along on
/// the codes as they are: kl and log_ratio make a true bound. Encoded: the encoder's output
/// (B,D,h,w).
class VqVae : public LatentModel {
 public:
  /// `encoder` (B,C,H,W) -> (B,D,h,w), `decoder` back.
  VqVae(const VaeShape& shape, nn::Sequential encoder, nn::Sequential decoder, const Key& key);

  std::string kl_text() const override { return "-log p(z) of the code under the prior"; }
  Encoded encode(const Tensor& x, const Tensor& labels = {}) const override;
  /// `key` chooses where unused codes go; the draw itself is not random. The gradient of the decoder's
  /// input is handed to the encoder (straight-through, section 3.2); penalty is the commitment loss
  /// (equation 3), summed over positions and dimensions.
  LatentDraw draw(const Encoded& encoded, const Key& key) const override;
  Tensor point(const Encoded& encoded) const override { return flatten(encoded[0], 1); }
  Tensor decode(const Tensor& points) const override;
  Tensor generate(std::int64_t count, const Key& key, const Tensor& labels = {}) const override;
  void visit(nn::Visitor& visitor) const override;

  const GatedPixelCnn& prior() const { return prior_; }
  const Codebook& codebook() const { return codebook_; }

 private:
  nn::Sequential encoder_, decoder_;
  Codebook codebook_;
  GatedPixelCnn prior_;
};

}  // namespace genera::zoo::vae
