#include "zoo/boltzmann/layered_machine.h"

#include <genera/functions.h>
#include <genera/ops.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>

namespace genera::zoo::boltzmann {
namespace {

constexpr double first_deviation = 0.01;

Tensor draw(const Tensor& means, const Key& key) {
  return cast(random_bernoulli(key, means), DType::f32);
}

}  // namespace

LayeredMachine::LayeredMachine(std::shared_ptr<const VisibleUnits> visible,
                               const std::vector<std::int64_t>& hidden, const Key& key)
    : visible_(std::move(visible)) {
  std::int64_t below = visible_->size();
  for (std::size_t l = 0; l < hidden.size(); ++l) {
    const std::string name = std::to_string(l + 1);  // of the hidden layer
    weights_.emplace_back("weight_" + name,
                          nn::init::normal(key.fold_in(l), {below, hidden[l]}, 0, first_deviation));
    biases_.emplace_back("bias_" + name, zeros({hidden[l]}));
    below = hidden[l];
  }
}

LayeredMachine LayeredMachine::first() const {
  LayeredMachine result(visible_);
  result.weights_ = {weights_[0]};
  result.biases_ = {biases_[0]};
  return result;
}

void LayeredMachine::visit(nn::Visitor& visitor) const {
  visitor.member(*visible_, "visible");
  for (std::size_t l = 0; l < depth(); ++l) visitor(weights_[l], biases_[l]);
}

std::vector<std::int64_t> LayeredMachine::chain_sizes() const {
  std::vector<std::int64_t> sizes;
  for (std::size_t l = 1; l <= depth(); l += 2) sizes.push_back(bias(l).shape()[0]);
  return sizes;
}

Tensor LayeredMachine::input(const Units& x, std::size_t l) const {
  Tensor sum;
  if (l > 0) sum = matmul(l == 1 ? visible_->message(x[0]) : x[l - 1], weights_[l - 1]);
  if (l < depth()) {
    const Tensor above = matmul(x[l + 1], transpose(weights_[l]));
    sum = sum ? sum + above : above;
  }
  return sum;
}

Tensor LayeredMachine::means(const Units& x, std::size_t l, const Tensor& beta) const {
  if (l == 0) return visible_->mean(input(x, 0), beta);
  return sigmoid(beta * (input(x, l) + bias(l)));
}

Units LayeredMachine::spread(const Units& chain) const {
  Units x(depth() + 1);
  for (std::size_t i = 0; i < chain.size(); ++i) x[2 * i + 1] = chain[i];
  return x;
}

Units LayeredMachine::chain_of(const Units& x) const {
  Units chain;
  for (std::size_t l = 1; l < x.size(); l += 2) chain.push_back(x[l]);
  return chain;
}

Tensor LayeredMachine::energy(const Units& x, DType dtype) const {
  Tensor total = visible_->energy(x[0], dtype);
  for (std::size_t l = 1; l <= depth(); ++l) {
    const Tensor below =
        matmul(l == 1 ? visible_->message(x[0]) : x[l - 1], weights_[l - 1]) + bias(l);
    total = total - sum(cast(x[l], dtype) * cast(below, dtype), {1});
  }
  return total;
}

// Mean field: each layer's means given those of its neighbours, odd and even ones in turn: equation
// 20 of Salakhutdinov and Hinton (2009), as coordinate ascent. One hidden layer needs one round.
Units LayeredMachine::infer(const Tensor& v, int iterations) const {
  const Tensor beta = scalar(1);
  Units x(depth() + 1);
  x[0] = v;
  for (std::size_t l = 1; l <= depth(); ++l) x[l] = full({v.size(0), bias(l).shape()[0]}, 0.5);
  for (int round = 0; round < (depth() == 1 ? 1 : iterations); ++round)
    for (const std::size_t first : {std::size_t{1}, std::size_t{2}})
      for (std::size_t l = first; l <= depth(); l += 2) x[l] = means(x, l, beta);
  return x;
}

Tensor LayeredMachine::entropy(const Units& x) const {
  constexpr double tiny = 1e-15;
  Tensor total;
  for (std::size_t l = 1; l <= depth(); ++l) {
    const Tensor p = clip(cast(x[l], DType::f64), tiny, 1 - tiny);
    const Tensor own = -sum(p * log(p) + (1 - p) * log1p(-p), {1});
    total = total ? total + own : own;
  }
  return total;
}

Units LayeredMachine::chain_from(const Units& inferred, const Key& key) const {
  Units chain = chain_of(inferred);
  for (std::size_t i = 0; i < chain.size(); ++i) chain[i] = draw(chain[i], key.fold_in(i));
  return chain;
}

Tensor LayeredMachine::visible_means(const Units& chain) const {
  return means(spread(chain), 0, scalar(1));
}

Sweep LayeredMachine::sweep(const Units& chain, const Tensor& beta, const Key& key) const {
  Units x = spread(chain);
  x[0] = visible_->sample(input(x, 0), beta, key.fold_in(0));
  for (std::size_t l = 2; l <= depth(); l += 2) x[l] = draw(means(x, l, beta), key.fold_in(l));
  Sweep result{x, x};
  for (std::size_t l = 1; l <= depth(); l += 2) {
    result.statistics[l] = means(x, l, beta);
    result.samples[l] = draw(result.statistics[l], key.fold_in(l));
  }
  return result;
}

Units LayeredMachine::clamped_sweep(Tensor& v, const Units& chain, const Tensor& known,
                                    const Key& key) const {
  const Tensor beta = scalar(1);
  Units x = spread(chain);
  v = where(known, v, visible_->sample(input(x, 0), beta, key.fold_in(0)));
  x[0] = v;
  for (std::size_t l = 2; l <= depth(); l += 2) x[l] = draw(means(x, l, beta), key.fold_in(l));
  for (std::size_t l = 1; l <= depth(); l += 2) x[l] = draw(means(x, l, beta), key.fold_in(l));
  return chain_of(x);
}

Tensor LayeredMachine::log_weight(const Units& chain, const Tensor& beta) const {
  const Units x = spread(chain);
  Tensor total = visible_->log_sum(cast(input(x, 0), DType::f64), beta);
  for (std::size_t l = 1; l <= depth(); ++l) {
    const Tensor own = cast(bias(l), DType::f64);
    total = total + (l % 2 == 1 ? beta * sum(cast(x[l], DType::f64) * own, {1})
                                : sum(softplus(beta * (cast(input(x, l), DType::f64) + own)), {1}));
  }
  return total;
}

Tensor LayeredMachine::log_weight_gain(const Units& chain, const Tensor& from,
                                       const Tensor& to) const {
  const Units x = spread(chain);
  const Tensor step = to - from;
  Tensor total = visible_->log_sum_gain(input(x, 0), from, to);
  for (std::size_t l = 1; l <= depth(); ++l) {
    const Tensor drive = l % 2 == 1 ? bias(l).value() : input(x, l) + bias(l);
    const Tensor own = l % 2 == 1 ? step * x[l] * drive : softplus_gain(from * drive, step * drive);
    total = total + cast(sum(own, {1}), DType::f64);
  }
  return total;
}

double LayeredMachine::base_log_z() const {
  const Tensor nothing = zeros({1, visible_size()}, DType::f64);
  double log_z = visible_->log_sum(nothing, scalar(0, DType::f64)).item<double>();
  for (const State& b : biases_) log_z += static_cast<double>(b.shape()[0]) * std::numbers::ln2;
  return log_z;
}

Units LayeredMachine::base_chain(std::int64_t count, const Key& key) const {
  Units chain;
  for (std::int64_t size : chain_sizes())
    chain.push_back(draw(full({count, size}, 0.5), key.fold_in(chain.size())));
  return chain;
}

// With d = <.>_data - <.>_model and offsets m: the centred gradient of a weight is
// d(x y^T) - m_x d(y)^T - d(x) m_y^T, and what it adds to the pre-activations at the offsets is
// taken off the biases. `gradients` are -d.
std::vector<Tensor> LayeredMachine::centred(const std::vector<State>& parameters,
                                            std::vector<Tensor> gradients, const Units& data,
                                            const Units& model) const {
  const auto of = [&](const State& state) -> Tensor& {
    const auto at = std::find(parameters.begin(), parameters.end(), state);
    return gradients[static_cast<std::size_t>(at - parameters.begin())];
  };
  const auto own_bias = [&](std::size_t l) -> Tensor& {
    return of(l == 0 ? visible_->bias() : bias(l));
  };
  const auto offset = [&](std::size_t l) {
    const auto values = [&](const Units& x) { return l == 0 ? visible_->message(x[0]) : x[l]; };
    return 0.5 * (mean(values(data), {0}) + mean(values(model), {0}));
  };
  for (std::size_t l = 0; l < depth(); ++l)
    of(weights_[l]) =
        of(weights_[l]) - outer(offset(l), own_bias(l + 1)) - outer(own_bias(l), offset(l + 1));
  for (std::size_t l = 0; l < depth(); ++l) {
    const Tensor& weight = of(weights_[l]);
    own_bias(l) = own_bias(l) - matmul(weight, offset(l + 1));
    own_bias(l + 1) = own_bias(l + 1) - matmul(offset(l), weight);
  }
  return gradients;
}

Tensor LayeredMachine::log_conditional(const Tensor& v, const Tensor& h) const {
  const Tensor input = cast(matmul(h, transpose(weights_[0])), DType::f64);
  const Tensor energy =
      visible_->energy(v, DType::f64) - sum(cast(visible_->message(v), DType::f64) * input, {1});
  return -energy - visible_->log_sum(input, scalar(1, DType::f64));
}

Tensor LayeredMachine::log_posterior(const Tensor& v, const Tensor& h) const {
  const Tensor logits = cast(matmul(visible_->message(v), weights_[0]) + bias(1), DType::f64);
  return sum(cast(h, DType::f64) * logits - softplus(logits), {1});
}

}  // namespace genera::zoo::boltzmann
