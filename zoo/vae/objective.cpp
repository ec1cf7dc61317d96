#include "zoo/vae/objective.h"

#include <genera/functions.h>
#include <genera/ops.h>

#include <cmath>

namespace genera::zoo {
namespace {

const Axes pixels = {1, 2, 3};
// Half the range of a byte image: a scale at which the untrained likelihood has gradients
// everywhere.
constexpr double first_log_scale = -1.5;
// A scale far below one of 256 levels gives no more likelihood, only steeper gradients.
constexpr double least_log_scale = -7;

// x (B,...) with each row `times` times in a row.
Tensor repeat_rows(const Tensor& x, std::int64_t times) { return repeat(x, times, 0); }

}  // namespace

Tensor sample_posterior(const Posterior& posterior, const Key& key) {
  const Tensor noise = random_normal(key, posterior.mean.shape());
  return posterior.mean + exp(0.5 * posterior.log_variance) * noise;
}

VaeObjective::VaeObjective(std::shared_ptr<const Vae> vae, Likelihood likelihood)
    : vae_(std::move(vae)), likelihood_(likelihood) {
  const VaeShape& shape = vae_->shape();
  if (likelihood_ == Likelihood::logistic)
    log_scale_ = State("likelihood.log_scale",
                       full({1, shape.channels, shape.height, shape.width}, first_log_scale));
}

std::vector<State> VaeObjective::parameters() const {
  std::vector<State> states = vae_->parameters();
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

VaeObjective::Parts VaeObjective::negative_elbo(const Tensor& x, const Key& key) const {
  const Posterior posterior = vae_->encode(x);
  const Tensor output = vae_->decode(sample_posterior(posterior, key));
  return {-log_likelihood(x, output),
          sum(kl_standard_normal(posterior.mean, posterior.log_variance), {1})};
}

Tensor VaeObjective::log_weights(const Tensor& x, const Posterior& posterior, std::int64_t samples,
                                 const Key& key) const {
  const Posterior repeated = {repeat_rows(posterior.mean, samples),
                              repeat_rows(posterior.log_variance, samples)};
  const Tensor noise = random_normal(key, repeated.mean.shape());
  const Tensor z = repeated.mean + exp(0.5 * repeated.log_variance) * noise;
  // log p(z) - log q(z|x); log q in terms of its noise: the constants cancel.
  const Tensor ratio = 0.5 * sum(square(noise) + repeated.log_variance - square(z), {1});
  const Tensor weights = log_likelihood(repeat_rows(x, samples), vae_->decode(z)) + ratio;
  return reshape(weights, Shape{x.size(0), samples});
}

}  // namespace genera::zoo
