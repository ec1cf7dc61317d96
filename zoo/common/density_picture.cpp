#include "zoo/common/density_picture.h"

#include <fmt/core.h>
#include <genera/error.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace genera::zoo {
namespace {

using Colour = std::array<double, 3>;

// From dark to bright, so that it reads in grey too.
constexpr std::array<Colour, 6> scale = {{{0.02, 0.02, 0.10},
                                          {0.23, 0.07, 0.40},
                                          {0.55, 0.14, 0.45},
                                          {0.87, 0.30, 0.34},
                                          {0.98, 0.62, 0.35},
                                          {1.00, 0.98, 0.78}}};

Colour colour_of(double brightness) {
  const double at = std::clamp(brightness, 0.0, 1.0) * static_cast<double>(scale.size() - 1);
  const std::size_t low = std::min(static_cast<std::size_t>(at), scale.size() - 2);
  const double part = at - static_cast<double>(low);
  Colour colour;
  for (std::size_t c = 0; c < 3; ++c)
    colour[c] = (1 - part) * scale[low][c] + part * scale[low + 1][c];
  return colour;
}

double brightest(const std::vector<double>& panel) {
  std::vector<double> positive;
  for (const double value : panel)
    if (value > 0 && std::isfinite(value)) positive.push_back(value);
  if (positive.empty()) return 1;
  const auto at =
      positive.begin() + static_cast<std::ptrdiff_t>(positive.size() - 1 - positive.size() / 1000);
  std::nth_element(positive.begin(), at, positive.end());
  return *at;
}

// The index of the cell that a coordinate lies in; -1 outside.
std::int64_t cell_of(double value, double low, double high, std::int64_t cells) {
  if (!(value >= low && value < high)) return -1;
  const double at = (value - low) / (high - low) * static_cast<double>(cells);
  return std::min(static_cast<std::int64_t>(at), cells - 1);
}

}  // namespace

Box box_of(std::span<const float> points, std::int64_t outliers) {
  const std::size_t count = points.size() / 2, skip = static_cast<std::size_t>(outliers);
  if (count < 2 * skip + 1)
    throw ArgumentError(
        fmt::format("[box_of] {} points, of which {} are left out", count, 2 * skip));
  std::array<std::pair<double, double>, 2> ends;
  for (std::size_t axis = 0; axis < 2; ++axis) {
    std::vector<float> values;
    for (std::size_t i = 0; i < count; ++i) values.push_back(points[2 * i + axis]);
    std::sort(values.begin(), values.end());
    const double low = values[skip], high = values[count - 1 - skip];
    const double margin = high > low ? (high - low) / 20 : 0.5;
    ends[axis] = {low - margin, high + margin};
  }
  return {ends[0].first, ends[0].second, ends[1].first, ends[1].second};
}

std::vector<float> cell_centres(const Box& box, std::int64_t cells) {
  std::vector<float> centres;
  const double n = static_cast<double>(cells);
  for (std::int64_t row = 0; row < cells; ++row) {
    for (std::int64_t column = 0; column < cells; ++column) {
      const double x = (static_cast<double>(column) + 0.5) / n;
      const double y = 1 - (static_cast<double>(row) + 0.5) / n;
      centres.push_back(static_cast<float>(box.x_low + x * (box.x_high - box.x_low)));
      centres.push_back(static_cast<float>(box.y_low + y * (box.y_high - box.y_low)));
    }
  }
  return centres;
}

std::vector<double> histogram(std::span<const float> points, const Box& box, std::int64_t cells) {
  std::vector<double> shares(static_cast<std::size_t>(cells * cells), 0.0);
  const double area =
      (box.x_high - box.x_low) * (box.y_high - box.y_low) / static_cast<double>(cells * cells);
  const std::size_t count = points.size() / 2;
  const double share = 1 / (static_cast<double>(count) * area);
  for (std::size_t i = 0; i + 1 < points.size(); i += 2) {
    const std::int64_t column = cell_of(points[i], box.x_low, box.x_high, cells);
    const std::int64_t row = cell_of(points[i + 1], box.y_low, box.y_high, cells);
    if (column >= 0 && row >= 0)
      shares[static_cast<std::size_t>((cells - 1 - row) * cells + column)] += share;
  }
  return shares;
}

io::HostArray heat_maps(const std::vector<std::vector<double>>& panels, std::int64_t cells) {
  const auto pixels = static_cast<std::size_t>(cells * cells);
  io::HostArray pictures = io::HostArray::zeros(
      DType::f32, Shape{static_cast<std::int64_t>(panels.size()), 3, cells, cells});
  const auto values = pictures.as<float>();
  const double largest = panels.empty() ? 1 : brightest(panels.front());
  for (std::size_t n = 0; n < panels.size(); ++n) {
    if (panels[n].size() != pixels)
      throw ArgumentError(fmt::format("[heat_maps] panel {} has {} cells instead of {}", n,
                                      panels[n].size(), pixels));
    for (std::size_t i = 0; i < pixels; ++i) {
      const double density = panels[n][i];
      const Colour colour = colour_of(density > 0 ? density / largest : 0);
      for (std::size_t c = 0; c < 3; ++c)
        values[(3 * n + c) * pixels + i] = static_cast<float>(colour[c]);
    }
  }
  return pictures;
}

}  // namespace genera::zoo
