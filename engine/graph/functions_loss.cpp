// Losses and log densities.
#include "engine/graph/composite.h"

#include <fmt/format.h>

#include <cmath>

namespace genera {
namespace {

constexpr double log_two_pi = 1.83787706640934548356;

void check_operands(std::string_view function, const Tensor& a, const Tensor& b) {
  check_floating(function, a, b);
  check_elementwise(function, a, b);
}

Tensor reduced(const Tensor& elements, Reduction reduction) {
  switch (reduction) {
    case Reduction::mean:
      return mean(elements);
    case Reduction::sum:
      return sum(elements);
    case Reduction::none:
      break;
  }
  return elements;
}

void check_labels(std::string_view function, const Tensor& x, const Tensor& labels) {
  check_floating(function, x);
  check_tensor(function, labels);
  bool fits = labels.dtype() == DType::i32 && labels.rank() == x.rank() - 1;
  for (int axis = 0; fits && axis < labels.rank(); ++axis) fits = labels.size(axis) == x.size(axis);
  if (!fits)
    fail(function, fmt::format("needs (…,C) and i32 labels (…), got {} and {}", describe(x),
                               describe(labels)));
}

/// x[…,label]; NaN where the label is outside [0,C). By comparison instead of an index, so that it
/// fuses with the reduction around it and its gradient needs no scatter.
Tensor picked(const Tensor& x, const Tensor& labels) {
  const Tensor column = unsqueeze(labels, -1);
  const Tensor hit = equal(column, arange(x.size(-1)));
  const Tensor value = sum(where(hit, x, lit(x, 0)), {-1});
  const Tensor known = logical_and(less(lit(labels, -1), labels),
                                   less(labels, lit(labels, static_cast<double>(x.size(-1)))));
  return where(known, value, lit(value, std::nan("")));
}

Tensor weighted(std::string_view function, const Tensor& losses,
                const CrossEntropyOptions& options) {
  if (!options.weights) return reduced(losses, options.reduction);
  const Tensor& weights = options.weights;
  check_same_dtype(function, losses, weights);
  if (!(weights.shape() == losses.shape()))
    fail(function, fmt::format("weights must be {}, one per label, got {}",
                               to_string(losses.shape()), describe(weights)));
  const Tensor zero = lit(losses, 0);
  const Tensor products = where(equal(weights, zero), zero, multiply(losses, weights));
  if (options.reduction == Reduction::mean) return divide(sum(products), sum(weights));
  return reduced(products, options.reduction);
}

/// -(1 - s) x[label] - s mean(x) with label smoothing s, for x = log probabilities up to a constant
/// per row.
Tensor expected_loss(std::string_view function, const Tensor& x, const Tensor& labels, double s) {
  if (!(s >= 0 && s <= 1))
    fail(function, fmt::format("label_smoothing must be in [0,1], got {}", s));
  const Tensor hard = negative(picked(x, labels));
  if (s == 0) return hard;
  const Tensor soft = mean(x, {-1});
  return subtract(multiply(hard, number(hard, 1 - s)), multiply(soft, number(soft, s)));
}

}  // namespace

Tensor mse_loss(const Tensor& x, const Tensor& target, Reduction reduction) {
  check_operands("mse_loss", x, target);
  return reduced(square(subtract(x, target)), reduction);
}

Tensor l1_loss(const Tensor& x, const Tensor& target, Reduction reduction) {
  check_operands("l1_loss", x, target);
  return reduced(abs(subtract(x, target)), reduction);
}

Tensor huber_loss(const Tensor& x, const Tensor& target, double delta, Reduction reduction) {
  check_operands("huber_loss", x, target);
  if (!(delta > 0)) fail("huber_loss", fmt::format("delta must be above 0, got {}", delta));
  const Tensor error = subtract(x, target);
  const Tensor size = abs(error);
  const Tensor bound = number(error, delta);
  const Tensor half = lit(error, 0.5);
  const Tensor parabola = multiply(half, multiply(error, error));
  const Tensor line = multiply(bound, subtract(size, multiply(half, bound)));
  return reduced(where(less(size, bound), parabola, line), reduction);
}

Tensor hinge_loss(const Tensor& x, const Tensor& target, Reduction reduction) {
  check_operands("hinge_loss", x, target);
  const Tensor margin = multiply(target, x);
  return reduced(relu(subtract(lit(margin, 1), margin)), reduction);
}

Tensor binary_cross_entropy_with_logits(const Tensor& logits, const Tensor& targets,
                                        Reduction reduction) {
  const std::string_view function = "binary_cross_entropy_with_logits";
  check_operands(function, logits, targets);
  const Shape shape = broadcast_shape(function, logits.shape(), targets.shape());
  const Tensor x = broadcast_to(logits, shape);
  // max(x,0) - x t + log(1 + e^-|x|), whose parts keep the small loss of a confident right answer.
  // The sign of x is a constant factor, so that gradients are short, and exact at 0 as well.
  const Tensor below = less(x, lit(x, 0));
  const Tensor step = where(below, lit(x, 0), lit(x, 1));
  const Tensor sign = where(below, lit(x, 1), lit(x, -1));
  const Tensor base = multiply(x, subtract(step, targets));
  return reduced(add(base, softplus(multiply(x, sign))), reduction);
}

Tensor cross_entropy(const Tensor& logits, const Tensor& labels,
                     const CrossEntropyOptions& options) {
  check_labels("cross_entropy", logits, labels);
  // The largest logit is taken off first, so that neither part of the difference is large.
  const Tensor x = subtract(logits, stop_gradient(max(logits, {-1}, true)));
  const Tensor loss = expected_loss("cross_entropy", x, labels, options.label_smoothing);
  return weighted("cross_entropy", add(log(sum(exp(x), {-1})), loss), options);
}

Tensor nll_loss(const Tensor& log_probs, const Tensor& labels, const CrossEntropyOptions& options) {
  check_labels("nll_loss", log_probs, labels);
  return weighted("nll_loss", expected_loss("nll_loss", log_probs, labels, options.label_smoothing),
                  options);
}

Tensor kl_standard_normal(const Tensor& mean, const Tensor& log_var) {
  check_operands("kl_standard_normal", mean, log_var);
  const Tensor twice = add(fma(mean, mean, expm1(log_var)), negative(log_var));
  return multiply(twice, lit(twice, 0.5));
}

Tensor kl_normal(const Tensor& mean_a, const Tensor& log_var_a, const Tensor& mean_b,
                 const Tensor& log_var_b) {
  check_operands("kl_normal", mean_a, log_var_a);
  check_operands("kl_normal", mean_a, mean_b);
  check_operands("kl_normal", mean_a, log_var_b);
  const Tensor ratio = subtract(log_var_a, log_var_b);
  const Tensor distance = multiply(square(subtract(mean_a, mean_b)), exp(negative(log_var_b)));
  const Tensor twice = add(subtract(expm1(ratio), ratio), distance);
  return multiply(twice, lit(twice, 0.5));
}

Tensor normal_log_density(const Tensor& x, const Tensor& mean, const Tensor& log_var) {
  check_operands("normal_log_density", x, mean);
  check_operands("normal_log_density", x, log_var);
  const Tensor distance = multiply(square(subtract(x, mean)), exp(negative(log_var)));
  const Tensor twice = add(distance, add(log_var, lit(log_var, log_two_pi)));
  return multiply(twice, lit(twice, -0.5));
}

Tensor standard_normal_log_density(const Tensor& x) {
  check_floating("standard_normal_log_density", x);
  return fma(multiply(x, lit(x, -0.5)), x, lit(x, -0.5 * log_two_pi));
}

Tensor discretized_logistic_log_likelihood(const Tensor& x, const Tensor& mean,
                                           const Tensor& log_scale,
                                           const DiscretizedLogisticOptions& options) {
  const std::string_view function = "discretized_logistic_log_likelihood";
  check_operands(function, x, mean);
  check_operands(function, x, log_scale);
  if (options.levels < 2 || !(options.high > options.low))
    fail(function, fmt::format("needs at least 2 levels between low < high, got {} from {} to {}",
                               options.levels, options.low, options.high));
  const double width = (options.high - options.low) / (options.levels - 1);
  const Tensor inverse_scale = exp(negative(log_scale));
  const Tensor centred = subtract(x, mean);
  const Tensor half = lit(centred, width / 2);
  const Tensor upper = multiply(add(centred, half), inverse_scale);
  const Tensor lower = multiply(subtract(centred, half), inverse_scale);
  // With the bin [l,u] in units of the scale: log(sigmoid(u) - sigmoid(l)) = log(sigmoid(u)) +
  // log(sigmoid(-l)) + log(1 - e^(l-u)) exactly, none of which cancels. An open bin lacks the other
  // end's two terms.
  const Tensor bin = multiply(inverse_scale, lit(inverse_scale, width));
  const Tensor inner = log(negative(expm1(negative(bin))));
  const Tensor first = less(x, lit(x, options.low + width / 2));
  const Tensor last = less(lit(x, options.high - width / 2), x);
  const Tensor zero = lit(upper, 0);
  const Tensor below = where(last, zero, softplus(negative(upper)));
  const Tensor above = where(first, zero, softplus(lower));
  const Tensor within = where(logical_or(first, last), zero, inner);
  return subtract(subtract(within, below), above);
}

}  // namespace genera
