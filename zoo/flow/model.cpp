#include "zoo/flow/model.h"

#include <genera/functions.h>

#include <cmath>

namespace genera::zoo::flow {

FlowModel::FlowModel(const FlowShape& shape, std::shared_ptr<const Bijection> flow, const Key& key)
    : shape_(shape), flow_(std::move(flow)), standardise_(is_image() ? 1 : shape.example[0]) {
  if (!is_image()) return;
  if (shape.variational > 0)
    dequantiser_ = std::make_shared<VariationalDequantiser>(shape.example[0], shape.hidden / 2,
                                                            shape.variational, key);
  else
    dequantiser_ = std::make_shared<UniformDequantiser>();
}

void FlowModel::visit(nn::Visitor& visitor) const {
  if (is_image())
    visitor.member(*dequantiser_, "dequantiser");
  else
    visitor.member(standardise_, "standardise");
  visitor.member(*flow_, "flow");
}

Mapped FlowModel::map(const Tensor& continuous, Context& context) const {
  if (is_image()) return flow_->map(continuous, context);
  const Mapped standard = standardise_.map(continuous, context);
  const Mapped mapped = flow_->map(standard.value, context);
  return {mapped.value, standard.log_det + mapped.log_det};
}

Tensor FlowModel::log_likelihood(const Tensor& x, const Key& key, Context& context) const {
  const auto log_density = [&](const Tensor& v) {
    const Mapped mapped = map(v, context);
    return sum_of_example(standard_normal_log_density(mapped.value)) + mapped.log_det;
  };
  if (!is_image()) return log_density(x);
  const Dequantised noisy = dequantiser_->dequantise(x, key, context);
  return log_density(noisy.value) - noisy.log_density -
         static_cast<double>(size()) * std::log(256.0);
}

Tensor FlowModel::log_likelihood(const Tensor& x, const Key& key) const {
  Context inference;
  return log_likelihood(x, key, inference);
}

Tensor FlowModel::continuous(const Tensor& x, const Key& key) const {
  Context inference;
  return is_image() ? dequantiser_->dequantise(x, key, inference).value : x;
}

Tensor FlowModel::latent(const Tensor& x, const Key& key) const {
  return to_latent(continuous(x, key));
}

Tensor FlowModel::to_latent(const Tensor& continuous) const {
  Context inference;
  return map(continuous, inference).value;
}

Tensor FlowModel::from_latent(const Tensor& z) const {
  const Tensor x = flow_->inverse(z);
  return is_image() ? x : standardise_.inverse(x);
}

void FlowModel::initialise(const Tensor& x, const Key& key) const {
  Context training = Context::training(key);
  log_likelihood(x, key, training);
  if (std::vector<Update> updates = training.take_updates(); !updates.empty())
    commit(std::move(updates));
}

void FlowModel::standardise(const std::vector<double>& mean,
                            const std::vector<double>& deviation) const {
  standardise_.set(mean, deviation);
}

}  // namespace genera::zoo::flow
