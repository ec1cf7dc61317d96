/// Curves over steps, drawn as SVG.
#pragma once

#include <span>
#include <string>
#include <utility>
#include <vector>

namespace genera::zoo {

struct Curve {
  std::string name;
  std::vector<std::pair<double, double>> points;  ///< (x, y), x ascending
  bool noisy = false;  ///< drawn thin and pale, with its moving average on top
};

struct PlotLabels {
  std::string title;
  std::string x;
  std::string y;
};

/// An SVG page with axes, round tick values, a legend and the curves. The vertical range leaves out
/// the first peak of a falling curve (its largest 2 % of values), so that the end is readable.
/// Points that are not finite are left out.
std::string plot_svg(std::span<const Curve> curves, const PlotLabels& labels);

/// Round numbers (1, 2 or 5 times a power of ten apart) that cover [low, high] with about `count`
/// steps; those inside it.
std::vector<double> round_ticks(double low, double high, int count);

}  // namespace genera::zoo
