/// Ways between two points of a latent space.
#pragma once

#include <vector>

namespace genera::zoo {

/// The point at t in [0,1] between z_a and z_b (of equal length): on a great circle with the length interpolated too, or on
/// a line.
std::vector<double> interpolate(const std::vector<float>& a, const std::vector<float>& b, double t,
                                bool spherical);

}  // namespace genera::zoo
