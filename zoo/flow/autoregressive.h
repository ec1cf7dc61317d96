/// Masked autoregressive flows (Papamakarios et al., "Masked autoregressive flow for density
/// estimation", 1705.07057).
#pragma once

#include "zoo/flow/bijection.h"
#include "zoo/flow/scalar_map.h"

namespace genera::zoo::flow {

/// A fully connected network whose output for number d sees the numbers before d only: MADE (Germain
/// et al., 1502.03509, equations 8 to 13). x (B,D) -> (B,PD), number d's parameter p at p D + d.
class MaskedNetwork : public nn::Module {
 public:
  MaskedNetwork(std::int64_t size, std::int64_t hidden, std::int64_t parameters, const Key& key);
  Tensor forward(const Tensor& x, Context& context) const override;
  void visit(nn::Visitor& visitor) const override { visitor.list("layer", layers_); }

 private:
  std::vector<nn::Linear> layers_;
  std::vector<Tensor> masks_;  // (out,in) of each layer: 1 where the weight may be used
};

/// z_d = f(x_d), the parameters of f from x_1 … x_(d-1) (1705.07057, equations 3 and 4, with any
/// increasing f). The inverse takes D passes through the network.
class Autoregressive : public Bijection {
 public:
  Autoregressive(MaskedNetwork network, std::shared_ptr<const ScalarMap> scalar_map);
  Mapped map(const Tensor& x, Context& context) const override;
  Tensor inverse(const Tensor& z) const override;
  void visit(nn::Visitor& visitor) const override { visitor(network_); }

 private:
  MaskedNetwork network_;
  std::shared_ptr<const ScalarMap> scalar_map_;
};

}  // namespace genera::zoo::flow
