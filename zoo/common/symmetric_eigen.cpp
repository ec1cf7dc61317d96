#include "zoo/common/symmetric_eigen.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace genera::zoo {
namespace {

constexpr int most_sweeps = 60;  // convergence is quadratic: a dozen is usual

// Makes a[p][q] zero by a rotation of rows and columns p and q (section 8.5.2), and applies it to v.
void rotate(std::vector<double>& a, std::vector<double>& v, std::size_t n, std::size_t p,
            std::size_t q) {
  const double off = a[p * n + q];
  if (off == 0) return;
  const double tau = (a[q * n + q] - a[p * n + p]) / (2 * off);
  const double t = std::copysign(1, tau) / (std::abs(tau) + std::hypot(1, tau));
  const double c = 1 / std::hypot(1, t), s = t * c;
  for (std::size_t k = 0; k < n; ++k) {
    const double left = a[k * n + p], right = a[k * n + q];
    a[k * n + p] = c * left - s * right;
    a[k * n + q] = s * left + c * right;
  }
  for (std::size_t k = 0; k < n; ++k) {
    const double upper = a[p * n + k], lower = a[q * n + k];
    a[p * n + k] = c * upper - s * lower;
    a[q * n + k] = s * upper + c * lower;
  }
  for (std::size_t k = 0; k < n; ++k) {
    const double left = v[k * n + p], right = v[k * n + q];
    v[k * n + p] = c * left - s * right;
    v[k * n + q] = s * left + c * right;
  }
}

}  // namespace

SymmetricEigen symmetric_eigen(const std::vector<double>& matrix, std::size_t n) {
  std::vector<double> a(n * n), v(n * n, 0);
  double norm = 0;
  for (std::size_t i = 0; i < n; ++i) {
    v[i * n + i] = 1;
    for (std::size_t j = 0; j < n; ++j) {
      a[i * n + j] = 0.5 * (matrix[i * n + j] + matrix[j * n + i]);
      norm += a[i * n + j] * a[i * n + j];
    }
  }
  const double small =
      norm * std::numeric_limits<double>::epsilon() * std::numeric_limits<double>::epsilon();
  for (int sweep = 0; sweep < most_sweeps; ++sweep) {
    double off = 0;
    for (std::size_t p = 0; p < n; ++p)
      for (std::size_t q = p + 1; q < n; ++q) off += a[p * n + q] * a[p * n + q];
    if (!(off > small)) break;
    for (std::size_t p = 0; p < n; ++p)
      for (std::size_t q = p + 1; q < n; ++q) rotate(a, v, n, p, q);
  }
  SymmetricEigen result;
  for (std::size_t i = 0; i < n; ++i) result.values.push_back(a[i * n + i]);
  result.vectors = std::move(v);
  return result;
}

}  // namespace genera::zoo
