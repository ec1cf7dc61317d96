/// The multi-scale architecture (Dinh et al., "Real NVP", 1605.08803, section 3.6).
#pragma once

#include "zoo/flow/bijection.h"
#include "zoo/flow/scalar_map.h"

namespace genera::zoo::flow {

/// x (B,C,H,W) -> (B,CHW): the first half of the channels is done, the other goes on through `rest`,
/// whose result is a vector. The first half is normalised by the mean and the scale that `network`
/// predicts from the other (Kingma and Dhariwal, 1807.03039, the learned prior of the authors'
/// program): as a bijection, an affine coupling.
class FactorOut : public Bijection {
 public:
  FactorOut(nn::Sequential network, std::shared_ptr<const Bijection> rest);
  Mapped map(const Tensor& x, Context& context) const override;
  Tensor inverse(const Tensor& z) const override;
  void visit(nn::Visitor& visitor) const override;

 private:
  nn::Sequential network_;
  std::shared_ptr<const Bijection> rest_;
  AffineMap prior_;
};

}  // namespace genera::zoo::flow
