#include "zoo/common/sample_quality.h"

#include <fmt/core.h>
#include <genera/functions.h>
#include <genera/ops.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "zoo/common/symmetric_eigen.h"

namespace genera::zoo {
namespace {

constexpr std::int64_t rows_at_once = 500;
constexpr int jackknife_groups = 10;

// Sums from which moments of a set, or of all of it but a part, follow without the points.
struct Sums {
  double count = 0;
  std::vector<double> first, second;  // (D), (D,D)
};

Sums sums(const Features& features, std::int64_t begin, std::int64_t end,
          const std::vector<double>& origin) {
  const auto n = static_cast<std::size_t>(features.size);
  Sums result{static_cast<double>(end - begin), std::vector<double>(n), std::vector<double>(n * n)};
  std::vector<double> x(n);
  for (std::int64_t row = begin; row < end; ++row) {
    const float* at = features.values.data() + row * features.size;
    for (std::size_t i = 0; i < n; ++i) {
      x[i] = at[i] - origin[i];
      result.first[i] += x[i];
    }
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t j = 0; j < n; ++j) result.second[i * n + j] += x[i] * x[j];
  }
  return result;
}

std::vector<double> mean_point(const Features& features) {
  const auto n = static_cast<std::size_t>(features.size);
  std::vector<double> mean(n);
  for (std::size_t k = 0; k < features.values.size(); ++k) mean[k % n] += features.values[k];
  for (double& value : mean) value /= static_cast<double>(features.count);
  return mean;
}

// `origin` was subtracted from the points that were summed.
Moments moments_of(const Sums& sums, const std::vector<double>& origin) {
  const std::size_t n = sums.first.size();
  Moments result{origin, std::vector<double>(n * n)};
  for (std::size_t i = 0; i < n; ++i) result.mean[i] += sums.first[i] / sums.count;
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < n; ++j)
      result.covariance[i * n + j] =
          (sums.second[i * n + j] - sums.first[i] * sums.first[j] / sums.count) / (sums.count - 1);
  return result;
}

// The moments without each tenth in turn; the points around their mean, so that nothing cancels.
struct Tenths {
  explicit Tenths(const Features& features) : origin(mean_point(features)) {
    for (int g = 0; g < jackknife_groups; ++g)
      parts.push_back(sums(features, g * features.count / jackknife_groups,
                           (g + 1) * features.count / jackknife_groups, origin));
  }
  // -1: of all points
  Moments without(int left_out) const {
    Sums all = parts.front();
    all.count = 0;
    std::fill(all.first.begin(), all.first.end(), 0);
    std::fill(all.second.begin(), all.second.end(), 0);
    for (int g = 0; g < jackknife_groups; ++g) {
      if (g == left_out) continue;
      const Sums& part = parts[static_cast<std::size_t>(g)];
      all.count += part.count;
      for (std::size_t i = 0; i < all.first.size(); ++i) all.first[i] += part.first[i];
      for (std::size_t i = 0; i < all.second.size(); ++i) all.second[i] += part.second[i];
    }
    return moments_of(all, origin);
  }
  std::vector<double> origin;
  std::vector<Sums> parts;
};

void check_points(const Features& features, std::int64_t least, const char* what) {
  if (features.count < least)
    throw ArgumentError(
        fmt::format("[{}] needs at least {} points, got {}", what, least, features.count));
}

// (D,D) x (D,D), both row-major.
std::vector<double> product(const std::vector<double>& a, const std::vector<double>& b,
                            std::size_t n) {
  std::vector<double> c(n * n, 0);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t k = 0; k < n; ++k)
      for (std::size_t j = 0; j < n; ++j) c[i * n + j] += a[i * n + k] * b[k * n + j];
  return c;
}

// The symmetric square root of a positive semidefinite matrix; eigenvalues that rounding made
// negative are 0.
std::vector<double> square_root(const std::vector<double>& a, std::size_t n) {
  const SymmetricEigen eigen = symmetric_eigen(a, n);
  std::vector<double> scaled(n * n), transposed(n * n);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t k = 0; k < n; ++k) {
      scaled[i * n + k] = eigen.vectors[i * n + k] * std::sqrt(std::max(0.0, eigen.values[k]));
      transposed[k * n + i] = eigen.vectors[i * n + k];
    }
  return product(scaled, transposed, n);
}

// The squared distances (rows,count) from rows [begin,end) of `from` to all points of `to`.
class Distances {
 public:
  Distances(const Features& from, const Features& to)
      : size_(from.size), from_(from), origin_(mean_point(to)) {
    to_ = tensor(to, 0, to.count);
    to_norms_ = sum(square(to_), {1});
    eval({to_, to_norms_});
  }
  std::vector<float> rows(std::int64_t begin, std::int64_t end) const {
    const Tensor some = tensor(from_, begin, end);
    const Tensor norms = sum(square(some), {1}, true);
    return maximum(norms + to_norms_ - 2.0 * matmul(some, transpose(to_)), 0).to_vector<float>();
  }

 private:
  // |a - b|^2 = |a|^2 + |b|^2 - 2ab loses least where the points lie around the origin.
  Tensor tensor(const Features& features, std::int64_t begin, std::int64_t end) const {
    std::vector<float> centred(features.values.begin() + begin * size_,
                               features.values.begin() + end * size_);
    for (std::size_t k = 0; k < centred.size(); ++k)
      centred[k] = static_cast<float>(centred[k] - origin_[k % static_cast<std::size_t>(size_)]);
    return Tensor::from(centred, Shape{end - begin, size_});
  }

  std::int64_t size_;
  const Features& from_;
  std::vector<double> origin_;
  Tensor to_, to_norms_;
};

Figure share_figure(const std::string& name, const std::vector<std::int32_t>& counts, double scale,
                    bool whether, const std::string& protocol) {
  std::vector<double> values;
  values.reserve(counts.size());
  for (std::int32_t count : counts) values.push_back(whether ? (count > 0 ? 1 : 0) : count * scale);
  return mean_figure(name, values, "", protocol);
}

}  // namespace

Moments moments(const Features& features) {
  check_points(features, 2, "moments");
  const auto origin = mean_point(features);
  return moments_of(sums(features, 0, features.count, origin), origin);
}

double frechet_distance(const Moments& a, const Moments& b) {
  const std::size_t n = a.mean.size();
  if (b.mean.size() != n)
    throw ArgumentError(
        fmt::format("[frechet_distance] one distribution has {} dimensions, the "
                    "other {}",
                    n, b.mean.size()));
  const auto root = square_root(a.covariance, n);
  const auto between = symmetric_eigen(product(product(root, b.covariance, n), root, n), n);
  double distance = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const double difference = a.mean[i] - b.mean[i];
    distance += difference * difference + a.covariance[i * n + i] + b.covariance[i * n + i] -
                2 * std::sqrt(std::max(0.0, between.values[i]));
  }
  return distance;
}

Figure frechet_figure(const Features& real, const Features& generated,
                      const std::string& protocol) {
  check_points(real, 2 * jackknife_groups, "frechet_figure");
  check_points(generated, 2 * jackknife_groups, "frechet_figure");
  const Tenths of_real(real), of_generated(generated);
  Figure figure{"frechet", frechet_distance(of_real.without(-1), of_generated.without(-1)), 0, "",
                protocol};
  std::vector<double> partial;
  partial.reserve(jackknife_groups);
  for (int g = 0; g < jackknife_groups; ++g)
    partial.push_back(frechet_distance(of_real.without(g), of_generated.without(g)));
  const double mean = std::accumulate(partial.begin(), partial.end(), 0.0) / jackknife_groups;
  double spread = 0;
  for (double value : partial) spread += (value - mean) * (value - mean);
  figure.standard_error = std::sqrt(spread * (jackknife_groups - 1) / jackknife_groups);
  return figure;
}

std::vector<float> neighbour_distances(const Features& points, std::int64_t k) {
  check_points(points, k + 1, "neighbour_distances");
  const Distances distances(points, points);
  std::vector<float> result(static_cast<std::size_t>(points.count));
  for (std::int64_t begin = 0; begin < points.count; begin += rows_at_once) {
    const std::int64_t end = std::min(begin + rows_at_once, points.count);
    std::vector<float> rows = distances.rows(begin, end);
    for (std::int64_t row = begin; row < end; ++row) {
      const auto first = rows.begin() + (row - begin) * points.count;
      // The nearest of all is the point itself, which is no neighbour.
      std::nth_element(first, first + k, first + points.count);
      result[static_cast<std::size_t>(row)] = first[k];
    }
  }
  return result;
}

Covering covering(const Features& centres, const Features& points, std::int64_t k) {
  const std::vector<float> radii = neighbour_distances(centres, k);
  const Distances distances(centres, points);
  Covering result{std::vector<std::int32_t>(static_cast<std::size_t>(points.count)),
                  std::vector<std::int32_t>(radii.size())};
  for (std::int64_t begin = 0; begin < centres.count; begin += rows_at_once) {
    const std::int64_t end = std::min(begin + rows_at_once, centres.count);
    const std::vector<float> rows = distances.rows(begin, end);
    for (std::int64_t centre = begin; centre < end; ++centre) {
      const float* row = rows.data() + (centre - begin) * points.count;
      const float radius = radii[static_cast<std::size_t>(centre)];
      std::int32_t held = 0;
      for (std::size_t j = 0; j < result.holders.size(); ++j) {
        const std::int32_t inside = row[j] <= radius ? 1 : 0;
        result.holders[j] += inside;
        held += inside;
      }
      result.held[static_cast<std::size_t>(centre)] = held;
    }
  }
  return result;
}

std::vector<Figure> neighbour_figures(const Features& real, const Features& generated,
                                      const std::string& protocol) {
  constexpr std::int64_t precision_k = 3, density_k = 5;
  const Covering by_real = covering(real, generated, precision_k);
  const Covering by_generated = covering(generated, real, precision_k);
  const Covering wide = covering(real, generated, density_k);
  const auto text = [&](std::int64_t k) { return fmt::format("{}, k = {}", protocol, k); };
  return {share_figure("precision", by_real.holders, 1, true, text(precision_k)),
          share_figure("recall", by_generated.holders, 1, true, text(precision_k)),
          share_figure("density", wide.holders, 1.0 / density_k, false, text(density_k)),
          share_figure("coverage", wide.held, 1, true, text(density_k))};
}

}  // namespace genera::zoo
