// Losses and densities: against their definitions, and far out where naive formulas fail.
#include "tests/functions_harness.h"

namespace genera {
namespace {

using namespace functions_harness;

double log_sigmoid_of(double x) {
  return -(std::max(-x, 0.0) + std::log1p(std::exp(-std::abs(x))));
}

TEST_CASE("mse, l1, huber, hinge") {
  const Tensor x = vector({1, 2, 5}), t = vector({1, 4, 2});
  check_values(mse_loss(x, t, Reduction::none), {0, 4, 9});
  check_values(mse_loss(x, t), {13. / 3}, Shape{});
  check_values(l1_loss(x, t, Reduction::sum), {5}, Shape{});
  check_values(huber_loss(x, t, 2.5, Reduction::none), {0, 2, 2.5 * (3 - 1.25)});
  check_values(hinge_loss(vector({0.5, -2, 3}), vector({1, 1, -1}), Reduction::none), {0.5, 3, 4});
  check_refused("huber_loss", [&] { huber_loss(x, t, 0); });
  check_refused("mse_loss", [&] { mse_loss(x, noise({2})); });
  check_gradients([](const auto& in) { return huber_loss(in[0], in[1], 0.7, Reduction::none); },
                  {noise({6}), noise({6}, 1)});
}

TEST_CASE("binary cross-entropy with logits: values, and gradients of every order at 0") {
  Numbers logits, targets, expected;
  for (const double x : {-800.0, -30.0, -2.0, 0.0, 0.5, 30.0, 800.0})
    for (const double t : {0.0, 0.3, 1.0}) {
      logits.push_back(x);
      targets.push_back(t);
      expected.push_back((t == 0 ? 0 : -t * log_sigmoid_of(x)) -
                         (t == 1 ? 0 : (1 - t) * log_sigmoid_of(-x)));
    }
  for (const DType dtype : {DType::f64, DType::f32}) {
    const double tolerance = dtype == DType::f64 ? 1e-12 : 1e-6;
    const Tensor x = vector(logits, dtype), t = vector(targets, dtype);
    check_values(binary_cross_entropy_with_logits(x, t, Reduction::none), expected, tolerance);
    Numbers slopes;
    const Numbers rounded = list(t);
    for (std::size_t i = 0; i < logits.size(); ++i)
      slopes.push_back(1 / (1 + std::exp(-logits[i])) - rounded[i]);
    check_values(grad(binary_cross_entropy_with_logits(x, t, Reduction::sum), {x})[0], slopes,
                 tolerance);
  }
  const Tensor zero = vector({0, 0}), t = vector({0.25, 1});
  const Tensor first = grad(binary_cross_entropy_with_logits(zero, t, Reduction::sum), {zero})[0];
  check_values(first, {0.25, -0.5});
  const Tensor second = grad(sum(first), {zero})[0];
  check_values(second, {0.25, 0.25});
  const Tensor third = grad(sum(second), {zero})[0];
  check_values(third, {0, 0});
  check_values(grad(sum(third), {zero})[0], {-0.125, -0.125});
  // A confident right answer keeps its small loss.
  const double small =
      binary_cross_entropy_with_logits(vector({20}, DType::f32), vector({1}, DType::f32))
          .item<double>();
  CHECK(std::abs(small / std::log1p(std::exp(-20)) - 1) < 1e-5);
  check_gradients([](const auto& in) { return binary_cross_entropy_with_logits(in[0], in[1]); },
                  {noise({3, 2}), noise({2}, 1)});
  check_refused("binary_cross_entropy_with_logits",
                [] { binary_cross_entropy_with_logits(noise({2}), noise({3})); });
}

TEST_CASE("cross_entropy: labels, smoothing, weights") {
  const Tensor x = tensor({1, 2, 3, 1000, 0, -1000}, {2, 3});
  const double total = std::log(std::exp(-2) + std::exp(-1) + 1);
  const Tensor labels = integers({1, 1}, {2});
  check_values(cross_entropy(x, labels, {.reduction = Reduction::none}), {1 + total, 1000});
  check_values(cross_entropy(x, labels), {(1001 + total) / 2}, Shape{});
  const double smooth = 0.9 * (1 + total) + 0.1 * (1 + total);  // the mean of 2 + t, 1 + t and t
  check_values(cross_entropy(slice(x, 0, 0, 1), integers({1}, {1}), {.label_smoothing = 0.1}),
               {smooth}, Shape{});
  const CrossEntropyOptions weighted_options{.weights = vector({3, 1})};
  check_values(cross_entropy(x, labels, weighted_options), {(3 * (1 + total) + 1000) / 4}, Shape{});
  const CrossEntropyOptions ignoring{.weights = vector({1, 0}), .reduction = Reduction::none};
  check_values(cross_entropy(x, integers({1, -100}, {2}), ignoring), {1 + total, 0});
  for (const double slope :
       list(grad(cross_entropy(x, integers({1, -100}, {2}), {.weights = vector({1, 0})}), {x})[0]))
    CHECK(std::isfinite(slope));
  check_values(cross_entropy(x, integers({3, -1}, {2}), {.reduction = Reduction::none}),
               {nan, nan});
  check_values(nll_loss(log_softmax(x), labels), {(1001 + total) / 2}, Shape{});
  check_refused("cross_entropy", [&] { cross_entropy(x, integers({1}, {1})); });
  check_refused("cross_entropy", [&] { cross_entropy(x, vector({1, 1})); });
  check_refused(
      "cross_entropy", [&] { cross_entropy(x, labels, {.weights = vector({1})}); }, "weights");
  const Tensor many = integers({0, 3, 2, 1, 1, 0}, {2, 3});
  for (const double s : {0.0, 0.2})
    check_gradients(
        [=](const auto& in) { return cross_entropy(in[0], many, {.label_smoothing = s}); },
        {noise({2, 3, 4})});
}

TEST_CASE("normal densities and divergences") {
  const Tensor m = vector({0, 1, -2}), v = vector({0, 1, -1});
  Numbers standard, density, divergence;
  const Tensor n = vector({0.5, -1, 1}), w = vector({0.3, -0.7, 1.2}), x = vector({0.1, 2, -3});
  const double log_two_pi = std::log(2 * 3.14159265358979323846);
  for (std::size_t i = 0; i < 3; ++i) {
    const double mi = list(m)[i], vi = list(v)[i], ni = list(n)[i], wi = list(w)[i],
                 xi = list(x)[i];
    standard.push_back(0.5 * (mi * mi + std::exp(vi) - 1 - vi));
    density.push_back(-0.5 * (log_two_pi + vi + (xi - mi) * (xi - mi) / std::exp(vi)));
    divergence.push_back(0.5 *
                         (wi - vi + (std::exp(vi) + (mi - ni) * (mi - ni)) / std::exp(wi) - 1));
  }
  check_values(kl_standard_normal(m, v), standard);
  check_values(normal_log_density(x, m, v), density);
  check_values(kl_normal(m, v, n, w), divergence);
  check_equal(kl_normal(m, v, zeros_like(m), zeros_like(m)), kl_standard_normal(m, v));
  check_equal(standard_normal_log_density(x), normal_log_density(x, zeros_like(m), zeros_like(m)));
  check_gradients([](const auto& in) { return kl_standard_normal(in[0], in[1]); }, {m, v});
  check_gradients([](const auto& in) { return kl_normal(in[0], in[1], in[2], in[3]); },
                  {m, v, n, w});
  check_gradients([](const auto& in) { return normal_log_density(in[0], in[1], in[2]); },
                  {x, m, v});
}

TEST_CASE("the discretised logistic's 256 probabilities sum to 1") {
  const Tensor levels = arange(256, DType::f64) * (1 / 255.);
  for (const double mean_value : {-0.5, 0.0, 0.3, 1.0, 1.7})
    for (const double log_scale : {-9.0, -4.0, -1.0, 2.0}) {
      const Tensor mean_tensor = full({}, mean_value, DType::f64),
                   scale = full({}, log_scale, DType::f64);
      const Tensor log_p = discretized_logistic_log_likelihood(levels, mean_tensor, scale);
      check_values(logsumexp(log_p), {0}, Shape{}, 1e-9);
    }
}

TEST_CASE("the discretised logistic agrees with differences of the distribution function") {
  const auto cdf = [](double x) { return 1 / (1 + std::exp(-x)); };
  const double m = 0.4, s = std::exp(-2.5);
  Numbers expected, at;
  for (int level = 0; level < 256; level += 5) {
    const double x = level / 255.;
    const double upper = level == 255 ? 1 : cdf((x + 0.5 / 255 - m) / s);
    const double lower = level == 0 ? 0 : cdf((x - 0.5 / 255 - m) / s);
    expected.push_back(std::log(upper - lower));
    at.push_back(x);
  }
  const Tensor mean_tensor = full({}, m, DType::f64), scale = full({}, -2.5, DType::f64);
  check_values(discretized_logistic_log_likelihood(vector(at), mean_tensor, scale), expected,
               1e-10);
  check_values(discretized_logistic_log_likelihood(
                   vector(at, DType::f32), cast(mean_tensor, DType::f32), cast(scale, DType::f32)),
               expected, 1e-5);
  // In [-1,1], and far from the mean, where the difference underflows.
  const Tensor far = discretized_logistic_log_likelihood(
      vector({-1, 0.5, 1}, DType::f32), vector({50}, DType::f32), vector({-3}, DType::f32),
      {.low = -1, .high = 1});
  for (const double value : list(far)) CHECK(std::isfinite(value));
  const Tensor x = vector({0, 20 / 255., 100 / 255., 1}), mu = noise({4}, 1),
               ls = vector({-6, -3, -1, 0.5});
  check_gradients(
      [=](const auto& in) { return discretized_logistic_log_likelihood(x, in[0], in[1]); },
      {mu, ls}, 1e-5);
  for (const double slope : list(grad(sum(far), {far})[0])) CHECK(std::isfinite(slope));
  const Tensor extreme = vector({-40, 0.2, 40}, DType::f32),
               tight = vector({-7, -7, -7}, DType::f32);
  const Tensor total =
      sum(discretized_logistic_log_likelihood(vector({0, 0.5, 1}, DType::f32), extreme, tight));
  const Gradients gradients = grad(total, {extreme, tight});
  for (const Tensor& gradient : gradients.values)
    for (const double slope : list(gradient)) CHECK(std::isfinite(slope));
  check_refused("discretized_logistic_log_likelihood",
                [&] { discretized_logistic_log_likelihood(x, mu, ls, {.levels = 1}); });
}

}  // namespace
}  // namespace genera
