// Neural spline flow with couplings, RQ-NSF (C) (Durkan et al., "Neural spline flows", 1906.04032).
//
//     coupling:  y1 = x1,  y2 = g(x2; theta(x1)),  g a rational-quadratic spline      section 3.2
//
// Before each coupling of the halves in turn an invertible linear map mixes the numbers, by its LU
// factors (section 3.2; Oliva et al., 1801.09819).

#include "zoo/flow/coupling.h"
#include "zoo/flow/invertible_linear.h"
#include "zoo/flow/model.h"
#include "zoo/flow/networks.h"

namespace genera::zoo::flow {

std::shared_ptr<const Bijection> make_spline_flow(const FlowShape& shape, const Key& key) {
  const std::int64_t size = shape.example[0];
  const auto spline = std::make_shared<SplineMap>(shape.bins, shape.bound);
  Chain chain;
  for (std::int64_t i = 0; i < shape.layers; ++i) {
    const Key layer = key.fold_in(static_cast<std::uint64_t>(i));
    const Halves halves{.first = i % 2 == 1};
    chain.add(ActNorm(size));
    chain.add(LuLinear(size, layer.fold_in(0)));
    chain.add(Coupling(vector_network(Coupling::passing(size, halves), shape.hidden,
                                      spline->parameters() * Coupling::transformed(size, halves),
                                      layer.fold_in(1)),
                       spline, halves));
  }
  chain.add(ActNorm(size));
  return std::make_shared<Chain>(std::move(chain));
}

}  // namespace genera::zoo::flow
