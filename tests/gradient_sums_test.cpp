// How gradients from many uses of one tensor are added up.
#include <doctest/doctest.h>
#include <genera/autodiff.h>
#include <genera/functions.h>
#include <genera/profile.h>

#include <cmath>
#include <string>
#include <vector>

namespace genera {
namespace {

constexpr std::int64_t width = 16, batch = 2;

Tensor fixed(const Shape& shape, double phase) {
  return sin(cast(iota({shape.elements()}, 0), DType::f64) + full({}, phase, DType::f64)).eval();
}
Tensor matrix(std::int64_t rows, std::int64_t columns, double phase) {
  return reshape(fixed({rows * columns}, phase), {rows, columns}).eval();
}

/// The loss of a recurrent net whose step t uses weights[t].
Tensor recurrent_loss(const std::vector<Tensor>& weights, bool transposed) {
  Tensor h = matrix(batch, width, 0.5);
  for (std::size_t t = 0; t < weights.size(); ++t) {
    const Tensor w = transposed ? transpose(weights[t]) : weights[t];
    h = tanh(matmul(h, w) * 0.3 + matrix(batch, width, static_cast<double>(t)));
  }
  return sum(h * h * h);
}

std::size_t count(const std::string& text, const std::string& word) {
  std::size_t found = 0;
  for (std::size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1))
    ++found;
  return found;
}

}  // namespace

TEST_CASE("a recurrent weight's gradient is one product, and the sum of its steps'") {
  constexpr std::size_t steps = 5;
  for (const bool transposed : {false, true}) {
    const Tensor w = matrix(width, width, 2.5);
    const std::vector<Tensor> shared(steps, w);
    const Gradients together = grad(recurrent_loss(shared, transposed), {w});

    std::vector<Tensor> apart;  // the same values, each a tensor of its own
    for (std::size_t t = 0; t < steps; ++t) apart.push_back(detach(w + zeros_like(w)));
    const Gradients each = grad(recurrent_loss(apart, transposed), std::span<const Tensor>(apart));
    Tensor total = each[0];
    for (std::size_t t = 1; t < steps; ++t) total = total + each[t];

    CHECK(max(abs(total)).item<double>() > 0.1);
    CHECK(max(abs(together[0] - total)).item<double>() < 1e-14);
    // Forward and backward products of the states, and one for the weight.
    CHECK(count(plan_text({together[0]}), "MatMul") < count(plan_text({total}), "MatMul") - 3);
  }
}

TEST_CASE("products that are not thin, and other terms, are added one by one") {
  const Tensor w = matrix(width, width, 1), x = matrix(4 * width, width, 2);
  const auto loss = [&](const std::vector<Tensor>& weights) {
    Tensor y = x;
    for (const Tensor& weight : weights) y = matmul(y, weight) * 0.2 + sum(weight * weight);
    return mean(y * y);
  };
  const std::vector<Tensor> apart{detach(w * 1.0), detach(w * 1.0), detach(w * 1.0)};
  const Gradients together = grad(loss({w, w, w}), {w});
  const Gradients each = grad(loss(apart), std::span<const Tensor>(apart));
  const Tensor total = each[0] + each[1] + each[2];
  CHECK((max(abs(together[0] - total)) / max(abs(total))).item<double>() < 1e-14);
}

}  // namespace genera
