#include <genera/error.h>
#include <genera/nn.h>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string_view>
#include <vector>

namespace genera::nn::init {
namespace {

struct Fans {
  double in, out;
};

Fans fans(std::string_view initialiser, const Shape& shape) {
  if (shape.rank() < 2 || shape.elements() == 0)
    throw ArgumentError(fmt::format("[{}] needs a weight (out,in,…) with elements, got {}",
                                    initialiser, to_string(shape)));
  const double field =
      static_cast<double>(shape.elements()) / static_cast<double>(shape[0] * shape[1]);
  return {field * static_cast<double>(shape[1]), field * static_cast<double>(shape[0])};
}

Tensor symmetric_uniform(const Key& key, const Shape& shape, double bound) {
  return random_uniform(key, shape, -bound, bound);
}

/// Makes the `count` rows of length `n` orthonormal, twice over against cancellation (Gram and
/// Schmidt; R has a positive diagonal, so that Gaussian rows give uniformly distributed ones).
void orthonormalise(std::vector<double>& rows, std::size_t count, std::size_t n) {
  const auto dot = [n](const double* a, const double* b) {
    double total = 0;
    for (std::size_t i = 0; i < n; ++i) total += a[i] * b[i];
    return total;
  };
  for (std::size_t r = 0; r < count; ++r) {
    double* row = rows.data() + r * n;
    for (int pass = 0; pass < 2; ++pass) {
      for (std::size_t k = 0; k < r; ++k) {
        const double* other = rows.data() + k * n;
        const double overlap = dot(row, other);
        for (std::size_t i = 0; i < n; ++i) row[i] -= overlap * other[i];
      }
    }
    const double scale = 1 / std::sqrt(dot(row, row));
    for (std::size_t i = 0; i < n; ++i) row[i] *= scale;
  }
}

}  // namespace

Tensor constant(const Shape& shape, double value) {
  const std::vector<float> values(static_cast<std::size_t>(shape.elements()),
                                  static_cast<float>(value));
  return Tensor::from(values, shape);
}

Tensor uniform(const Key& key, const Shape& shape, double low, double high) {
  return random_uniform(key, shape, low, high);
}

Tensor normal(const Key& key, const Shape& shape, double mean, double stddev) {
  return random_normal(key, shape) * stddev + mean;
}

Tensor truncated_normal(const Key& key, const Shape& shape, double mean, double stddev,
                        double bound) {
  if (!(bound >= 0.5))
    throw ArgumentError(fmt::format(
        "[truncated_normal] needs a bound of at least 0.5 standard deviations, got {}", bound));
  // So many rounds that one element in 10^9 is left outside, which is then moved to the bound.
  const double outside = std::erfc(bound / std::sqrt(2.0));
  const int rounds =
      outside > 0 ? static_cast<int>(std::ceil(std::log(1e-9) / std::log(outside))) : 1;
  Tensor z = random_normal(key.fold_in(0), shape);
  for (int round = 1; round < rounds; ++round)
    z = where(less_equal(abs(z), bound), z,
              random_normal(key.fold_in(static_cast<std::uint64_t>(round)), shape));
  return clip(z, -bound, bound) * stddev + mean;
}

Tensor fan_in_uniform(const Key& key, const Shape& shape, const Shape& weight) {
  return symmetric_uniform(key, shape, 1 / std::sqrt(fans("fan_in_uniform", weight).in));
}

Tensor xavier_uniform(const Key& key, const Shape& shape, double gain) {
  const Fans fan = fans("xavier_uniform", shape);
  return symmetric_uniform(key, shape, gain * std::sqrt(6 / (fan.in + fan.out)));
}

Tensor xavier_normal(const Key& key, const Shape& shape, double gain) {
  const Fans fan = fans("xavier_normal", shape);
  return normal(key, shape, 0, gain * std::sqrt(2 / (fan.in + fan.out)));
}

Tensor he_uniform(const Key& key, const Shape& shape, double gain) {
  return symmetric_uniform(key, shape, gain * std::sqrt(3 / fans("he_uniform", shape).in));
}

Tensor he_normal(const Key& key, const Shape& shape, double gain) {
  return normal(key, shape, 0, gain / std::sqrt(fans("he_normal", shape).in));
}

Tensor orthogonal(const Key& key, const Shape& shape, double gain) {
  fans("orthogonal", shape);
  const auto rows = static_cast<std::size_t>(shape[0]);
  const std::size_t columns = static_cast<std::size_t>(shape.elements()) / rows;
  const std::size_t count = std::min(rows, columns), length = std::max(rows, columns);
  const std::vector<float> draws = random_normal(key, shape).to_vector<float>();
  std::vector<double> basis(draws.begin(), draws.end());
  orthonormalise(basis, count, length);
  std::vector<float> values(basis.size());
  for (std::size_t r = 0; r < rows; ++r)
    for (std::size_t c = 0; c < columns; ++c)
      values[r * columns + c] = static_cast<float>(
          gain * (rows <= columns ? basis[r * columns + c] : basis[c * rows + r]));
  return Tensor::from(values, shape);
}

}  // namespace genera::nn::init
