/// Densities and point clouds in the plane as pictures.
#pragma once

#include <genera/io.h>

#include <cstdint>
#include <span>
#include <vector>

namespace genera::zoo {

/// A part of the plane.
struct Box {
  double x_low = -1;
  double x_high = 1;
  double y_low = -1;
  double y_high = 1;
};

/// The smallest box around points (N,2), row-major, that leaves out the `outliers` smallest and the
/// as many largest numbers of each axis, widened by a twentieth on each side.
Box box_of(std::span<const float> points, std::int64_t outliers = 0);

/// The centres of cells x cells cells, as points (cells*cells,2): rows from the top (largest y) down,
/// each from left to right, as in a picture.
std::vector<float> cell_centres(const Box& box, std::int64_t cells);

/// The share of the points (N,2) in each of those cells, divided by the cell's area: a density, whose
/// sum times that area is 1 if all points lie inside.
std::vector<double> histogram(std::span<const float> points, const Box& box, std::int64_t cells);

/// Pictures (N,3,cells,cells) f32 in [0,1] of `panels`, each the densities of cells x cells cells, in
/// one colour scale from dark (0) to bright (the 99.9th percentile of the first panel's positive
/// cells; NaN is dark): for write_grid().
io::HostArray heat_maps(const std::vector<std::vector<double>>& panels, std::int64_t cells);

}  // namespace genera::zoo
