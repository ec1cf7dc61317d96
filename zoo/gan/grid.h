/// The mixture of 25 normal distributions of equal weight, with standard deviation 0.05 around the
/// points of {-4,-2,0,2,4}^2 (Srivastava et al., "VEEGAN", 1705.07761; Lin et al., 1712.04086).
#pragma once

#include <genera/io.h>
#include <genera/random.h>
#include <genera/tensor.h>

#include <cstdint>
#include <span>

namespace genera::zoo::gan {

inline constexpr std::int64_t grid_side = 5;
inline constexpr double grid_spacing = 2;
inline constexpr double grid_deviation = 0.05;

/// Draws (count,2).
Tensor grid_points(const Key& key, std::int64_t count);

/// Points (N,2), row-major, as a picture (1,3,480,480) of [-6,6]^2: each a dot, behind them the
/// modes' circles of 3 standard deviations.
io::HostArray grid_picture(std::span<const float> points);

/// What points cover of the mixture.
struct GridCoverage {
  std::int64_t modes = 0;   ///< that at least one high-quality point lies nearest to
  double high_quality = 0;  ///< the share of points within 3 standard deviations of a mode
  double reverse_kl = 0;    ///< KL(points' modes || uniform) in nats, of all points
};
/// points (N,2), row-major.
GridCoverage grid_coverage(std::span<const float> points);

}  // namespace genera::zoo::gan
