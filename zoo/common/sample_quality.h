/// How near two sets of points lie to each other as draws from distributions: figures of generative
/// models that have no likelihood.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "zoo/common/features.h"
#include "zoo/common/summary.h"

namespace genera::zoo {

/// A normal distribution fitted to points: mean (D) and unbiased covariance (D,D), in f64.
struct Moments {
  std::vector<double> mean;
  std::vector<double> covariance;
};
/// ArgumentError for less than two points.
Moments moments(const Features& features);

/// The squared Fréchet distance between two normal distributions, |m_a - m_b|^2 + tr(A + B -
/// 2 (A^1/2 B A^1/2)^1/2) (Dowson and Landau, "The Fréchet distance between multivariate normal
/// distributions", 1982; with features of a network as in Heusel et al., 1706.08500, equation 6).
/// ArgumentError unless both have as many dimensions.
double frechet_distance(const Moments& a, const Moments& b);

/// The same of the distributions fitted to both sets. The standard error is by the jackknife over
/// ten tenths of both; the value itself is biased upwards with few points, so that only figures of
/// equal counts compare.
Figure frechet_figure(const Features& real, const Features& generated, const std::string& protocol);

/// For every point the squared distance to its k-th nearest other point of the same set. ArgumentError
/// unless there are more than k points.
std::vector<float> neighbour_distances(const Features& points, std::int64_t k);

/// What balls around the points of a set, each as wide as the distance to its k-th nearest neighbour
/// there, hold of another set.
struct Covering {
  std::vector<std::int32_t> holders;  ///< per point of the other set: in how many balls it lies
  std::vector<std::int32_t> held;     ///< per ball: how many points of the other set it holds
};
Covering covering(const Features& centres, const Features& points, std::int64_t k);

/// precision and recall with k = 3 (Kynkäänniemi et al., 1904.06991, section 3), density and
/// coverage with k = 5 (Naeem et al., 2002.09797, equations 3 and 4).
std::vector<Figure> neighbour_figures(const Features& real, const Features& generated,
                                      const std::string& protocol);

}  // namespace genera::zoo
