/// The ladder VAE: Sønderby et al., "Ladder variational autoencoders" (1602.02282).
#pragma once

#include <vector>

#include "zoo/vae/model.h"

namespace genera::zoo::vae {

/// One stochastic layer z_i, (B,Z_i).
struct LadderLayer {
  nn::Sequential upward;    ///< d_(i-1) -> d_i; d_0 is the image
  nn::Sequential estimate;  ///< d_i -> (B,2 Z_i): what the image alone says of z_i
  nn::Sequential prior;     ///< z_(i+1) -> (B,2 Z_i): p(z_i|z_(i+1)); not used at the top
};

/// p(z) = p(z_1|z_2) … p(z_L), p(z_L) = N(0, I); p(x|z) sees z_1 only. The encoder goes up without
/// noise, estimating each z_i, and comes down drawing: q(z_i|x,z_(i+1)) is the product of the estimate
/// and p(z_i|z_(i+1)), both normal. Encoded: mean and log-variance of each estimate, from below.
class LadderVae : public LatentModel {
 public:
  /// `layers` from below; `decoder` maps z_1 (B,Z_1) to (B,C,H,W).
  LadderVae(const VaeShape& shape, std::vector<LadderLayer> layers, nn::Sequential decoder);

  std::string kl_text() const override { return "analytic given the layer above"; }
  Encoded encode(const Tensor& x, const Tensor& labels = {}) const override;
  /// kl is the sum over the layers, each analytic given the z above it (equation 5).
  LatentDraw draw(const Encoded& encoded, const Key& key) const override;
  /// Of the top layer; decode() takes those below at their prior's means.
  Tensor point(const Encoded& encoded) const override { return encoded[encoded.size() - 2]; }
  Tensor decode(const Tensor& points) const override;
  Tensor reconstruct(const Encoded& encoded) const override;
  Tensor generate(std::int64_t count, const Key& key, const Tensor& labels = {}) const override;
  void visit(nn::Visitor& visitor) const override;

 private:
  Normal prior_of(std::size_t layer, const Tensor& above) const;

  std::vector<LadderLayer> layers_;
  nn::Sequential decoder_;
};

/// The product of two normal densities, normalised: the estimate's weight is its share of the
/// precision (1602.02282, equations 18 and 19).
Normal combine_normals(const Normal& estimate, const Normal& prior);

}  // namespace genera::zoo::vae
