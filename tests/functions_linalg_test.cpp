// Determinants, inverses and solves, to second order.
#include "tests/functions_harness.h"

namespace genera {
namespace {

using namespace functions_harness;

/// Well-conditioned matrices (batch,n,n).
Tensor matrices(std::int64_t batch, std::int64_t n, double seed = 0) {
  return detach(noise({batch, n, n}, seed) + eye(n, -1, DType::f64) * 3);
}

/// A A^T + I of a matrix, for Cholesky.
Tensor positive_definite(const Tensor& a) {
  return matmul(a, transpose(a)) + eye(a.size(-1), -1, a.dtype());
}

/// The determinant by the sum over permutations.
double determinant(const Numbers& a, std::int64_t n) {
  if (n == 0) return 1;
  double total = 0;
  for (std::int64_t column = 0; column < n; ++column) {
    Numbers minor;
    for (std::int64_t r = 1; r < n; ++r)
      for (std::int64_t c = 0; c < n; ++c)
        if (c != column) minor.push_back(a[static_cast<std::size_t>(r * n + c)]);
    total += (column % 2 == 0 ? 1 : -1) * a[static_cast<std::size_t>(column)] *
             determinant(minor, n - 1);
  }
  return total;
}

TEST_CASE("det and slogdet agree with the sum over permutations") {
  for (const std::int64_t n : {1, 2, 3, 4, 5}) {
    CAPTURE(n);
    for (int seed = 0; seed < 6; ++seed) {
      const Tensor a = noise({n, n}, seed);
      const double expected = determinant(list(a), n);
      check_values(det(a), {expected}, Shape{}, 1e-10);
      const SlogDet result = slogdet(a);
      check_values(result.sign, {expected > 0 ? 1.0 : -1.0}, Shape{});
      check_values(result.logabsdet, {std::log(std::abs(expected))}, Shape{}, 1e-10);
    }
  }
  const Tensor a = noise({2, 3, 4, 4});
  CHECK(det(a).shape() == Shape{2, 3});
  check_equal(det(a), slogdet(a).sign * exp(slogdet(a).logabsdet), 1e-10);
}

TEST_CASE("det and slogdet of permutations and singular matrices") {
  check_values(det(tensor({0, 1, 1, 0}, {2, 2})), {-1}, Shape{});
  check_values(det(tensor({0, 1, 0, 0, 0, 1, 1, 0, 0}, {3, 3})), {1}, Shape{});
  const Tensor singular = tensor({1, 2, 2, 4}, {2, 2});
  check_values(det(singular), {0}, Shape{});
  check_values(slogdet(singular).sign, {0}, Shape{});
  check_values(slogdet(singular).logabsdet, {-inf}, Shape{});
  check_refused("det", [] { det(noise({2, 3})); });
  check_refused("slogdet", [] { slogdet(noise({3})); });
}

TEST_CASE("solve and inverse undo matmul") {
  const Tensor a = matrices(2, 4), b = noise({2, 4, 3}, 1);
  check_equal(matmul(a, solve(a, b)), b, 1e-10);
  check_equal(matmul(a, inverse(a)), broadcast_to(eye(4, -1, DType::f64), {2, 4, 4}), 1e-10);
  const Tensor one = slice(a, 0, 0, 1);
  check_equal(matmul(a, solve(a, slice(b, 0, 0, 1))), broadcast_to(slice(b, 0, 0, 1), b.shape()),
              1e-10);
  check_equal(matmul(one, solve(one, b)), b, 1e-10);
  const Tensor matrix = reshape(one, Shape{4, 4}), vector_b = noise({4}, 2);
  CHECK(solve(matrix, vector_b).shape() == Shape{4});
  check_equal(matmul(matrix, solve(matrix, vector_b)), vector_b, 1e-10);
  check_equal(matmul(matrix, solve(matrix, b)), b, 1e-10);
  CHECK(solve(a, vector_b).shape() == Shape{2, 4});
  check_refused("solve", [&] { solve(a, noise({3, 1})); });
  check_refused("solve", [&] { solve(a, noise({5, 4, 1})); });
  check_refused("inverse", [&] { inverse(b); });
}

TEST_CASE("cholesky_solve and cholesky_logdet agree with solve and slogdet") {
  const Tensor a = detach(positive_definite(noise({2, 3, 3})));
  const Tensor b = noise({2, 3, 2}, 1);
  const Tensor factor = cholesky(a);
  check_equal(cholesky_solve(factor, b), solve(a, b), 1e-10);
  check_equal(cholesky_logdet(factor), slogdet(a).logabsdet, 1e-10);
  check_equal(cholesky_solve(factor, noise({3}, 2)), solve(a, noise({3}, 2)), 1e-10);
}

TEST_CASE("gradients of linear algebra, first and second order") {
  const double tolerance = 1e-5;
  const Tensor a = matrices(2, 3), b = noise({2, 3, 2}, 1);
  check_gradients([](const auto& x) { return det(x[0]); }, {a}, tolerance);
  check_gradients([](const auto& x) { return slogdet(x[0]).logabsdet; }, {a}, tolerance);
  check_gradients([](const auto& x) { return inverse(x[0]); }, {a}, tolerance);
  check_gradients([](const auto& x) { return solve(x[0], x[1]); }, {a, b}, tolerance);
  check_gradients([](const auto& x) { return solve(x[0], x[1]); },
                  {reshape(slice(a, 0, 0, 1), Shape{3, 3}).eval(), noise({3}, 2)}, tolerance);
  check_gradients([](const auto& x) { return cholesky(positive_definite(x[0])); }, {a}, tolerance);
  check_gradients(
      [](const auto& x) { return cholesky_solve(cholesky(positive_definite(x[0])), x[1]); }, {a, b},
      tolerance);
  check_gradients([](const auto& x) { return cholesky_logdet(cholesky(positive_definite(x[0]))); },
                  {a}, tolerance);
  // d log|det A| / dA = A^-T
  check_equal(grad(sum(slogdet(a).logabsdet), {a})[0], transpose(inverse(a)), 1e-10);
}

}  // namespace
}  // namespace genera
