// The masked autoregressive flow (Papamakarios et al., "Masked autoregressive flow for density
// estimation", 1705.07057).
//
//     z_d = x_d exp(s_d) + t_d,   (s_d, t_d) a function of x_1 … x_(d-1)     equations 3 and 4
//
// The order of the numbers is reversed from layer to layer (section 4.1); ActNorm stands where the
// paper has batch normalisation (section 3.4).

#include "zoo/flow/autoregressive.h"
#include "zoo/flow/model.h"

namespace genera::zoo::flow {

std::shared_ptr<const Bijection> make_maf(const FlowShape& shape, const Key& key) {
  const std::int64_t size = shape.example[0];
  const auto affine = std::make_shared<AffineMap>();
  Chain chain;
  for (std::int64_t i = 0; i < shape.layers; ++i) {
    chain.add(ActNorm(size));
    if (i > 0) chain.add(Reversal());
    chain.add(Autoregressive(MaskedNetwork(size, shape.hidden, affine->parameters(),
                                           key.fold_in(static_cast<std::uint64_t>(i))),
                             affine));
  }
  return std::make_shared<Chain>(std::move(chain));
}

}  // namespace genera::zoo::flow
