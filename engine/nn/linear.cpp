#include <genera/nn.h>

#include "engine/nn/parameter.h"

namespace genera::nn {

Linear::Linear(std::int64_t in, std::int64_t out, const Key& key, LinearOptions options) {
  check_sizes("linear", {in, out});
  const Shape shape{out, in};
  weight_ = State("weight", init::fan_in_uniform(key.fold_in(0), shape, shape));
  if (options.bias) bias_ = State("bias", init::fan_in_uniform(key.fold_in(1), Shape{out}, shape));
}

Tensor Linear::forward(const Tensor& x, Context&) const {
  return linear(x, weight_, value_or_empty(bias_));
}

Embedding::Embedding(std::int64_t count, std::int64_t features, const Key& key) {
  check_sizes("embedding", {count, features});
  weight_ = State("weight", init::normal(key, Shape{count, features}));
}

Tensor Embedding::forward(const Tensor& indices, Context&) const {
  return embedding(indices, weight_);
}

}  // namespace genera::nn
