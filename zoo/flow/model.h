/// The flows of this program.
///
/// Letters: B batch; D numbers of an example; C, H, W channels, height and width of an image.
#pragma once

#include <genera/random.h>

#include <cstdint>
#include <memory>
#include <string>

#include "zoo/flow/actnorm.h"
#include "zoo/flow/bijection.h"
#include "zoo/flow/dequantisation.h"

namespace genera::zoo::flow {

/// Sizes of a flow.
struct FlowShape {
  Shape example;                 ///< (D), or (C,H,W)
  std::int64_t layers = 8;       ///< couplings of a vector; steps of each level of an image
  std::int64_t hidden = 64;      ///< units, or channels, of the couplings' hidden layers
  std::int64_t levels = 2;       ///< images: how often they are squeezed
  std::int64_t bins = 8;         ///< of a spline
  double bound = 3;              ///< splines act on [-bound, bound]
  std::string linear = "lu";     ///< Glow's 1x1 convolution: "lu" or "plain"
  double logit = 0;              ///< images: alpha of the logit; 0: none
  std::int64_t variational = 0;  ///< images: couplings of the dequantisation; 0: uniform
};

/// A bijection f from examples to vectors z, whose density is N(0, I): log p(x) = log N(f(x)) + log
/// |det df/dx| (1912.02762, equation 1). Vectors are standardised first, bytes dequantised.
class FlowModel : public nn::Module {
 public:
  FlowModel(const FlowShape& shape, std::shared_ptr<const Bijection> flow, const Key& key);

  /// Vectors x (B,D): log p(x). Images (B,C,H,W) of whole numbers from 0 to 255: a lower bound of the
  /// log-probability of the bytes, with one draw of the dequantisation noise. (B), nats.
  Tensor log_likelihood(const Tensor& x, const Key& key, Context& context) const;
  Tensor log_likelihood(const Tensor& x, const Key& key) const;
  /// z (B,D) of x, which are as for log_likelihood.
  Tensor latent(const Tensor& x, const Key& key) const;
  /// What the flow sees of x: vectors, or images in [0,1) with their noise.
  Tensor continuous(const Tensor& x, const Key& key) const;
  /// z (B,D) -> vectors, or images in about [0,1) (before they are rounded).
  Tensor from_latent(const Tensor& z) const;
  /// f of what continuous() gave.
  Tensor to_latent(const Tensor& continuous) const;

  /// Starts the layers whose start depends on data from the examples x; does nothing when that was
  /// done before.
  void initialise(const Tensor& x, const Key& key) const;
  void standardise(const std::vector<double>& mean, const std::vector<double>& deviation) const;
  void visit(nn::Visitor& visitor) const override;

  const FlowShape& shape() const { return shape_; }
  bool is_image() const { return shape_.example.rank() == 3; }
  std::int64_t size() const { return shape_.example.elements(); }  ///< D

 private:
  Mapped map(const Tensor& continuous, Context& context) const;

  FlowShape shape_;
  std::shared_ptr<const Bijection> flow_;
  Standardise standardise_;
  std::shared_ptr<const Dequantiser> dequantiser_;
};

/// Couplings with affine maps: of halves for vectors, checkerboard and channel-wise for images
/// (realnvp.cpp).
std::shared_ptr<const Bijection> make_realnvp(const FlowShape& shape, const Key& key);
/// Steps of ActNorm, 1x1 convolution and affine coupling; images only (glow.cpp).
std::shared_ptr<const Bijection> make_glow(const FlowShape& shape, const Key& key);
/// Masked autoregressive layers with affine maps; vectors only (maf.cpp).
std::shared_ptr<const Bijection> make_maf(const FlowShape& shape, const Key& key);
/// Couplings with rational-quadratic splines; vectors only (spline_flow.cpp).
std::shared_ptr<const Bijection> make_spline_flow(const FlowShape& shape, const Key& key);

}  // namespace genera::zoo::flow
