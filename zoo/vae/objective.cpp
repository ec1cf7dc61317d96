#include "zoo/vae/objective.h"

#include <genera/functions.h>
#include <genera/ops.h>

#include <cmath>

namespace genera::zoo::vae {
namespace {

const Axes pixels = {1, 2, 3};
// Half the range of a byte image: a scale at which the untrained likelihood has gradients
// everywhere.
constexpr double first_log_scale = -1.5;
// A scale far below one of 256 levels gives no more likelihood, only steeper gradients.
constexpr double least_log_scale = -7;

}  // namespace

VaeObjective::VaeObjective(std::shared_ptr<const LatentModel> model, Likelihood likelihood)
    : model_(std::move(model)), likelihood_(likelihood) {
  const VaeShape& shape = model_->shape();
  if (likelihood_ == Likelihood::logistic)
    log_scale_ = State("likelihood.log_scale",
                       full({1, shape.channels, shape.height, shape.width}, first_log_scale));
}

std::vector<State> VaeObjective::parameters() const {
  std::vector<State> states = model_->parameters();
  if (log_scale_) states.push_back(log_scale_);
  return states;
}

std::vector<State> VaeObjective::states() const {
  std::vector<State> states = model_->states();
  if (log_scale_) states.push_back(log_scale_);
  return states;
}

Tensor VaeObjective::log_likelihood(const Tensor& x, const Tensor& output) const {
  if (likelihood_ == Likelihood::bernoulli)
    return -sum(binary_cross_entropy_with_logits(output, x, Reduction::none), pixels);
  const Tensor log_scale =
      broadcast_to(maximum(log_scale_.value(), least_log_scale), output.shape());
  return sum(discretized_logistic_log_likelihood(x, output, log_scale), pixels);
}

Tensor VaeObjective::mean_image(const Tensor& output) const {
  return likelihood_ == Likelihood::bernoulli ? sigmoid(output) : clip(output, 0, 1);
}

Tensor VaeObjective::draw_image(const Tensor& output, const Key& key) const {
  if (likelihood_ == Likelihood::bernoulli)
    return cast(random_bernoulli(key, sigmoid(output)), DType::f32);
  const Tensor u = random_uniform(key, output.shape(), 1e-6, 1 - 1e-6);
  const Tensor scale = exp(maximum(log_scale_.value(), least_log_scale));
  return round(clip(output + scale * (log(u) - log1p(-u)), 0, 1) * 255.0) / 255.0;
}

VaeObjective::Parts VaeObjective::negative_elbo(const Tensor& x, const Key& key,
                                                const Tensor& labels) const {
  const Encoded encoded = model_->encode(x, labels);
  LatentDraw drawn = model_->draw(encoded, key);
  Tensor penalty = drawn.penalty;
  if (const Tensor more = model_->penalty(encoded, mean_image(drawn.output)))
    penalty = penalty ? penalty + more : more;
  return {-log_likelihood(x, drawn.output), drawn.kl, penalty, std::move(drawn.updates)};
}

Tensor VaeObjective::log_weights(const Tensor& x, const Encoded& encoded, std::int64_t samples,
                                 const Key& key) const {
  Encoded repeated;
  for (const Tensor& part : encoded) repeated.push_back(repeat(part, samples, 0));
  const LatentDraw drawn = model_->draw(repeated, key);
  const Tensor weights = log_likelihood(repeat(x, samples, 0), drawn.output) + drawn.log_ratio;
  return reshape(weights, Shape{x.size(0), samples});
}

Tensor iwae_bound(const Tensor& log_weights) {
  return logsumexp(log_weights, {1}) - std::log(static_cast<double>(log_weights.size(1)));
}

}  // namespace genera::zoo::vae
