/// Ways between two points of a latent space.
#pragma once

#include <cstdint>
#include <vector>

namespace genera::zoo {

/// The point at t in [0,1] between a and b (with as many numbers each): on a great circle with the
/// length interpolated too, or on a line.
std::vector<double> interpolate(const std::vector<float>& a, const std::vector<float>& b, double t,
                                bool spherical);

/// Appends `steps` such points to `points`, evenly spread from a to b, both included; a single one
/// lies halfway.
void append_path(std::vector<float>& points, const std::vector<float>& a,
                 const std::vector<float>& b, std::int64_t steps, bool spherical);

}  // namespace genera::zoo
