#include "zoo/boltzmann/model.h"

#include <genera/functions.h>
#include <genera/ops.h>

namespace genera::zoo::boltzmann {

Model::Model(const ImageShape& shape, std::vector<std::shared_ptr<const LayeredMachine>> below,
             std::shared_ptr<const Machine> top)
    : shape_(shape), below_(std::move(below)), top_(std::move(top)) {}

void Model::visit(nn::Visitor& visitor) const {
  for (std::size_t l = 0; l < below_.size(); ++l)
    visitor.member(*below_[l], "below." + std::to_string(l));
  visitor.member(*top_, "machine");
}

Tensor Model::visible(const Tensor& images) const {
  const std::int64_t n = images.size(0), s = shape_.shrink;
  Tensor x = images;
  if (s > 1)
    x = mean(reshape(x, {n, shape_.channels, shape_.height / s, s, shape_.width / s, s}), {3, 5});
  if (shape_.binary) x = cast(greater_equal(x, 0.5), DType::f32);
  return reshape(x, {n, shape_.visible_size()});
}

Tensor Model::images(const Tensor& visible) const {
  return reshape(visible, {visible.size(0), shape_.channels, shape_.height / shape_.shrink,
                           shape_.width / shape_.shrink});
}

Tensor Model::up(Tensor v, std::size_t layers, const Key& key) const {
  for (std::size_t l = 0; l < layers; ++l)
    v = below_[l]->chain_from(below_[l]->infer(v, 1), key.fold_in(l))[0];
  return v;
}

Tensor Model::visible_means(const Units& chain, const Key& key) const {
  Tensor x = top_->visible_means(chain);
  for (std::size_t l = below_.size(); l-- > 0;) {
    const Tensor drawn = cast(random_bernoulli(key.fold_in(l), x), DType::f32);
    x = below_[l]->visible_means({drawn});
  }
  return x;
}

Tensor Model::bound(const Tensor& v, int iterations, const Key& key) const {
  Tensor x = v, directed;
  for (std::size_t l = 0; l < below_.size(); ++l) {
    const LayeredMachine& layer = *below_[l];
    const Tensor h = layer.chain_from(layer.infer(x, 1), key.fold_in(l))[0];
    const Tensor term = layer.log_conditional(x, h) - layer.log_posterior(x, h);
    directed = directed ? directed + term : term;
    x = h;
  }
  const Tensor own = log_probability_bound(*top_, x, iterations);
  return directed ? directed + own : own;
}

}  // namespace genera::zoo::boltzmann
