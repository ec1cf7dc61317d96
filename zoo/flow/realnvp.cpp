// Real NVP (Dinh et al., "Density estimation using Real NVP", 1605.08803).
//
//     coupling:  y1 = x1,  y2 = x2 exp(s(x1)) + t(x1)                      equation 4 (and 9, masked)
//     log |det J| = sum(s(x1))                                             equation 6
//
// Of vectors, couplings transform the two halves in turn. Of an image a level is `layers` checkerboard
// couplings, a squeeze, `layers` channel-wise couplings, and half of the channels are done (figures 3
// and 4). ActNorm (Kingma and Dhariwal, 1807.03039) stands where the paper has batch normalisation:
// nothing but the first batch depends on other examples then.

#include "zoo/flow/coupling.h"
#include "zoo/flow/model.h"
#include "zoo/flow/multi_scale.h"
#include "zoo/flow/networks.h"

namespace genera::zoo::flow {
namespace {

Chain vector_flow(const FlowShape& shape, const Key& key) {
  const std::int64_t size = shape.example[0];
  const auto affine = std::make_shared<AffineMap>();
  Chain chain;
  for (std::int64_t i = 0; i < shape.layers; ++i) {
    const Halves halves{.first = i % 2 == 1};
    chain.add(ActNorm(size));
    chain.add(Coupling(vector_network(Coupling::passing(size, halves), shape.hidden,
                                      2 * Coupling::transformed(size, halves),
                                      key.fold_in(static_cast<std::uint64_t>(i))),
                       affine, halves));
  }
  return chain;
}

// The levels from `level` on, of images (channels,height,width).
Chain image_flow(const FlowShape& shape, const Shape& image, std::int64_t level, const Key& key) {
  const std::int64_t channels = image[0];
  const Key here = key.fold_in(static_cast<std::uint64_t>(level));
  const auto affine = std::make_shared<AffineMap>();
  Chain chain;
  std::uint64_t layer = 0;
  const auto checkerboard = [&](std::int64_t i) {
    chain.add(ActNorm(channels));
    chain.add(CheckerboardCoupling(
        image_network(channels + 1, shape.hidden, 2 * channels, here.fold_in(layer++)), affine,
        i % 2 == 1));
  };
  for (std::int64_t i = 0; i < shape.layers; ++i) checkerboard(i);
  if (level + 1 == shape.levels) {
    checkerboard(shape.layers);  // the last level ends with one more (section 3.6)
    chain.add(Flattened(image));
    return chain;
  }
  chain.add(Squeeze());
  const Shape squeezed = {4 * channels, image[1] / 2, image[2] / 2};
  for (std::int64_t i = 0; i < shape.layers; ++i) {
    chain.add(ActNorm(squeezed[0]));
    chain.add(
        Coupling(image_network(squeezed[0] / 2, shape.hidden, squeezed[0], here.fold_in(layer++)),
                 affine, Halves{.first = i % 2 == 1}));
  }
  const Shape kept = {squeezed[0] / 2, squeezed[1], squeezed[2]};
  chain.add(FactorOut(image_network(kept[0], shape.hidden, squeezed[0], here.fold_in(layer++)),
                      std::make_shared<Chain>(image_flow(shape, kept, level + 1, key))));
  return chain;
}

}  // namespace

std::shared_ptr<const Bijection> make_realnvp(const FlowShape& shape, const Key& key) {
  if (shape.example.rank() == 1) return std::make_shared<Chain>(vector_flow(shape, key));
  Chain chain;
  if (shape.logit > 0) chain.add(Logit(shape.logit));
  chain.add(image_flow(shape, shape.example, 0, key));
  return std::make_shared<Chain>(std::move(chain));
}

}  // namespace genera::zoo::flow
