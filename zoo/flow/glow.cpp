// Glow (Kingma and Dhariwal, "Glow: generative flow with invertible 1x1 convolutions", 1807.03039).
//
//     step:   ActNorm -> 1x1 convolution -> affine coupling                 section 3, figure 2a
//     level:  squeeze -> `layers` steps -> half of the channels are done    figure 2b
//
// The networks of the couplings are convolutions 3x3, 1x1, 3x3 as in the paper, started as in He et
// al. instead of by ActNorm.

#include "zoo/flow/coupling.h"
#include "zoo/flow/invertible_linear.h"
#include "zoo/flow/model.h"
#include "zoo/flow/multi_scale.h"
#include "zoo/flow/networks.h"

namespace genera::zoo::flow {
namespace {

// The levels from `level` on, of images (channels,height,width).
Chain levels_from(const FlowShape& shape, const Shape& image, std::int64_t level, const Key& key) {
  const Shape squeezed = {4 * image[0], image[1] / 2, image[2] / 2};
  const std::int64_t channels = squeezed[0];
  const Key here = key.fold_in(static_cast<std::uint64_t>(level));
  const auto affine = std::make_shared<AffineMap>();
  Chain chain;
  chain.add(Squeeze());
  for (std::int64_t i = 0; i < shape.layers; ++i) {
    const Key step = here.fold_in(static_cast<std::uint64_t>(i));
    chain.add(ActNorm(channels));
    if (shape.linear == "plain")
      chain.add(PlainLinear(channels, step.fold_in(0)));
    else
      chain.add(LuLinear(channels, step.fold_in(0)));
    chain.add(Coupling(image_network(channels / 2, shape.hidden, channels, step.fold_in(1)), affine,
                       Halves{}));
  }
  if (level + 1 == shape.levels) {
    chain.add(ActNorm(channels));  // the mean and scale of the prior
    chain.add(Flattened(squeezed));
    return chain;
  }
  const Shape kept = {channels / 2, squeezed[1], squeezed[2]};
  chain.add(FactorOut(image_network(kept[0], shape.hidden, channels,
                                    here.fold_in(static_cast<std::uint64_t>(shape.layers))),
                      std::make_shared<Chain>(levels_from(shape, kept, level + 1, key))));
  return chain;
}

}  // namespace

std::shared_ptr<const Bijection> make_glow(const FlowShape& shape, const Key& key) {
  Chain chain;
  if (shape.logit > 0) chain.add(Logit(shape.logit));
  chain.add(levels_from(shape, shape.example, 0, key));
  return std::make_shared<Chain>(std::move(chain));
}

}  // namespace genera::zoo::flow
