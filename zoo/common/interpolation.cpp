#include "zoo/common/interpolation.h"

#include <algorithm>
#include <cmath>

namespace genera::zoo {

std::vector<double> interpolate(const std::vector<float>& a, const std::vector<float>& b, double t,
                                bool spherical) {
  double aa = 0, bb = 0, ab = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    aa += double{a[i]} * a[i];
    bb += double{b[i]} * b[i];
    ab += double{a[i]} * b[i];
  }
  const double length_a = std::sqrt(aa), length_b = std::sqrt(bb);
  double weight_a = 1 - t, weight_b = t;
  if (spherical && length_a > 0 && length_b > 0) {
    const double angle = std::acos(std::clamp(ab / (length_a * length_b), -1.0, 1.0));
    // Nearly parallel or opposite: the circle is not defined well, the line is.
    if (angle > 1e-3 && angle < 3.14) {
      const double length = (1 - t) * length_a + t * length_b;
      weight_a = std::sin((1 - t) * angle) / std::sin(angle) * length / length_a;
      weight_b = std::sin(t * angle) / std::sin(angle) * length / length_b;
    }
  }
  std::vector<double> point(a.size());
  for (std::size_t i = 0; i < a.size(); ++i) point[i] = weight_a * a[i] + weight_b * b[i];
  return point;
}

void append_path(std::vector<float>& points, const std::vector<float>& a,
                 const std::vector<float>& b, std::int64_t steps, bool spherical) {
  for (std::int64_t k = 0; k < steps; ++k) {
    const double t = steps > 1 ? static_cast<double>(k) / static_cast<double>(steps - 1) : 0.5;
    for (const double value : interpolate(a, b, t, spherical))
      points.push_back(static_cast<float>(value));
  }
}

}  // namespace genera::zoo
