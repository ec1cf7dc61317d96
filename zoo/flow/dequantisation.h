/// From bytes to numbers with a density.
#pragma once

#include <genera/random.h>

#include "zoo/flow/bijection.h"
#include "zoo/flow/coupling.h"

namespace genera::zoo::flow {

/// (x + u) / 256 for bytes x and noise u in [0,1) of density q(u|x), and log q(u|x): (B,C,H,W), (B).
struct Dequantised {
  Tensor value;
  Tensor log_density;
};

/// The log-likelihood of bytes is at least E[log p((x+u)/256) - log q(u|x)] - D log 256, p a density
/// on [0,1]^D (Theis et al., 1511.01844, section 3.1; Ho et al., "Flow++", 1902.00275, equation 12).
class Dequantiser : public nn::Module {
 public:
  /// x (B,C,H,W) f32, whole numbers from 0 to 255.
  virtual Dequantised dequantise(const Tensor& x, const Key& key, Context& context) const = 0;
};

/// u uniform: q = 1.
class UniformDequantiser : public Dequantiser {
 public:
  Dequantised dequantise(const Tensor& x, const Key& key, Context& context) const override;
};

/// u = sigmoid(g(e; x)), e standard normal, g affine couplings on the squeezed noise that see
/// features of x (1902.00275, section 3.1).
class VariationalDequantiser : public Dequantiser {
 public:
  VariationalDequantiser(std::int64_t channels, std::int64_t hidden, std::int64_t couplings,
                         const Key& key);
  Dequantised dequantise(const Tensor& x, const Key& key, Context& context) const override;
  void visit(nn::Visitor& visitor) const override;

 private:
  nn::Sequential features_;
  std::vector<Coupling> couplings_;
};

}  // namespace genera::zoo::flow
