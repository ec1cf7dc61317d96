#include "zoo/flow/networks.h"

#include <cmath>

namespace genera::zoo::flow {
namespace {

template <class Layer>
Layer zeroed(Layer layer) {
  layer.weight().set(zeros(layer.weight().shape()));
  layer.bias().set(zeros(layer.bias().shape()));
  return layer;
}

// He et al., 1502.01852, equation 10; no bias.
template <class Layer>
Layer before_relu(Layer layer, const Key& key) {
  layer.weight().set(nn::init::he_normal(key, layer.weight().shape()));
  layer.bias().set(zeros(layer.bias().shape()));
  return layer;
}

}  // namespace

nn::Sequential vector_network(std::int64_t in, std::int64_t hidden, std::int64_t out,
                              const Key& key) {
  return nn::Sequential(nn::Linear(in, hidden, key.fold_in(0)), nn::Relu{},
                        nn::Linear(hidden, hidden, key.fold_in(1)), nn::Relu{},
                        zeroed(nn::Linear(hidden, out, key)));
}

nn::Sequential image_network(std::int64_t in, std::int64_t hidden, std::int64_t out,
                             const Key& key) {
  const nn::Conv2dOptions same = {.padding = 1};
  return nn::Sequential(before_relu(nn::Conv2d(in, hidden, 3, key, same), key.fold_in(0)),
                        nn::Relu{}, before_relu(nn::Conv2d(hidden, hidden, 1, key), key.fold_in(1)),
                        nn::Relu{}, zeroed(nn::Conv2d(hidden, out, 3, key, same)));
}

}  // namespace genera::zoo::flow
