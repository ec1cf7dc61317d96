#include "zoo/flow/dequantisation.h"

#include <genera/functions.h>

#include "zoo/flow/networks.h"

namespace genera::zoo::flow {
namespace {

constexpr double levels = 256;

}  // namespace

Dequantised UniformDequantiser::dequantise(const Tensor& x, const Key& key, Context&) const {
  return {(x + random_uniform(key, x.shape())) / levels, zeros({x.size(0)})};
}

VariationalDequantiser::VariationalDequantiser(std::int64_t channels, std::int64_t hidden,
                                               std::int64_t couplings, const Key& key)
    : features_(nn::named("features", nn::Sequential(nn::Conv2d(4 * channels, hidden, 3,
                                                                key.fold_in(0), {.padding = 1}),
                                                     nn::Relu{}))) {
  for (std::int64_t i = 0; i < couplings; ++i) {
    const Halves halves{.first = i % 2 == 1, .passive = hidden};
    couplings_.emplace_back(image_network(hidden + 2 * channels, hidden, 2 * 2 * channels,
                                          key.fold_in(static_cast<std::uint64_t>(i) + 1)),
                            std::make_shared<AffineMap>(), halves);
  }
}

void VariationalDequantiser::visit(nn::Visitor& visitor) const {
  visitor(features_);
  visitor.list("coupling", couplings_);
}

Dequantised VariationalDequantiser::dequantise(const Tensor& x, const Key& key,
                                               Context& context) const {
  const Tensor noise = random_normal(key, x.shape());
  const Tensor features = features_(space_to_depth(x / levels - 0.5, 2), context);
  Tensor joint = concat({features, space_to_depth(noise, 2)}, 1);
  Tensor log_density = sum_of_example(standard_normal_log_density(noise));
  for (const Coupling& coupling : couplings_) {
    const Mapped mapped = coupling.map(joint, context);
    joint = mapped.value;
    log_density = log_density - mapped.log_det;
  }
  const Tensor logit = pixel_shuffle(slice(joint, 1, features.size(1), joint.size(1)), 2);
  // log of the sigmoid's derivative: log u + log(1 - u)
  log_density = log_density - sum_of_example(log_sigmoid(logit) + log_sigmoid(-logit));
  return {(x + sigmoid(logit)) / levels, log_density};
}

}  // namespace genera::zoo::flow
