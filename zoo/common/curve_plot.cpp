#include "zoo/common/curve_plot.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "zoo/common/markup.h"

namespace genera::zoo {
namespace {

constexpr double width = 800, height = 480;
constexpr double left = 80, right = 20, top = 46, bottom = 58;
constexpr double letter_width = 7;  // of the font's usual letters, rather more
constexpr std::size_t most_points = 1000;
constexpr const char* colours[] = {"#1f77b4", "#d62728", "#2ca02c", "#9467bd"};

using Points = std::vector<std::pair<double, double>>;

struct Frame {
  double x_low = 0, x_high = 1, y_low = 0, y_high = 1;

  double x(double value) const {
    return left + (value - x_low) / (x_high - x_low) * (width - left - right);
  }
  double y(double value) const {
    return height - bottom - (value - y_low) / (y_high - y_low) * (height - top - bottom);
  }
};

Points finite_points(const Points& points) {
  Points result;
  for (const auto& [x, y] : points)
    if (std::isfinite(x) && std::isfinite(y)) result.emplace_back(x, y);
  return result;
}

// Means of equal runs of points: a curve of any length becomes at most `most_points` long.
Points thinned(const Points& points) {
  if (points.size() <= most_points) return points;
  const std::size_t run = (points.size() + most_points - 1) / most_points;
  Points result;
  for (std::size_t i = 0; i < points.size(); i += run) {
    const std::size_t end = std::min(i + run, points.size());
    double x = 0, y = 0;
    for (std::size_t k = i; k < end; ++k) {
      x += points[k].first;
      y += points[k].second;
    }
    const double n = static_cast<double>(end - i);
    result.emplace_back(x / n, y / n);
  }
  return result;
}

// Over a window of a twentieth of the curve. It narrows at the steep beginning only: at the end the
// curve would come down to the last noisy point.
Points moving_average(const Points& points) {
  const std::size_t half = points.size() / 40;
  Points result;
  for (std::size_t i = 0; i < points.size(); ++i) {
    const std::size_t reach = std::min(half, i);
    const std::size_t end = std::min(i + reach + 1, points.size());
    const std::size_t begin = end - (2 * reach + 1);
    double y = 0;
    for (std::size_t k = begin; k < end; ++k) y += points[k].second;
    result.emplace_back(points[i].first, y / static_cast<double>(end - begin));
  }
  return result;
}

Frame frame_of(const std::vector<Points>& curves) {
  std::vector<double> values;
  Frame frame;
  bool first = true;
  for (const Points& points : curves) {
    for (const auto& [x, y] : points) {
      frame.x_low = first ? x : std::min(frame.x_low, x);
      frame.x_high = first ? x : std::max(frame.x_high, x);
      first = false;
      values.push_back(y);
    }
  }
  if (values.empty()) return frame;
  std::sort(values.begin(), values.end());
  frame.y_low = values.front();
  frame.y_high = values[(values.size() - 1) - values.size() / 50];
  const double margin =
      std::max((frame.y_high - frame.y_low) * 0.05, std::max(std::abs(frame.y_high), 1e-9) * 1e-6);
  frame.y_low -= margin;
  frame.y_high += margin;
  if (frame.x_high <= frame.x_low) frame.x_high = frame.x_low + 1;
  return frame;
}

std::string polyline(const Points& points, const Frame& frame, const char* colour, double stroke,
                     double opacity) {
  std::string path;
  for (const auto& [x, y] : points) path += fmt::format("{:.1f},{:.1f} ", frame.x(x), frame.y(y));
  if (points.size() == 1)
    return fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3\" fill=\"{}\"/>\n",
                       frame.x(points[0].first), frame.y(points[0].second), colour);
  return fmt::format(
      "<polyline points=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"{}\" "
      "stroke-opacity=\"{}\" stroke-linejoin=\"round\"/>\n",
      path, colour, stroke, opacity);
}

std::string text_at(double x, double y, const char* anchor, const std::string& text,
                    const char* more = "") {
  return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\"{}>{}</text>\n", x, y,
                     anchor, more, escaped_markup(text));
}

// All labels of an axis in one unit, which its largest tick chooses.
std::string tick_text(double value, const std::vector<double>& ticks) {
  const double largest = std::max(std::abs(ticks.front()), std::abs(ticks.back()));
  if (value == 0 || largest < 1e4) return fmt::format("{:.6g}", value);
  return largest >= 1e6 ? fmt::format("{:.6g}M", value / 1e6) : fmt::format("{:.6g}k", value / 1e3);
}

std::string axes(const Frame& frame, const PlotLabels& labels) {
  const double base = height - bottom;
  std::string svg;
  const std::vector<double> along = round_ticks(frame.x_low, frame.x_high, 8);
  for (double tick : along) {
    const double x = frame.x(tick);
    svg += fmt::format("<path d=\"M{0:.1f} {1}V{2}\" stroke=\"#e4e4e4\"/>\n", x, top, base);
    svg += text_at(x, base + 18, "middle", tick_text(tick, along));
  }
  const std::vector<double> up = round_ticks(frame.y_low, frame.y_high, 7);
  for (double tick : up) {
    const double y = frame.y(tick);
    svg += fmt::format("<path d=\"M{} {:.1f}H{}\" stroke=\"#e4e4e4\"/>\n", left, y, width - right);
    svg += text_at(left - 8, y + 4, "end", tick_text(tick, up));
  }
  svg += fmt::format("<path d=\"M{0} {1}V{2}H{3}\" fill=\"none\" stroke=\"#444\"/>\n", left, top,
                     base, width - right);
  svg += text_at((left + width - right) / 2, height - 14, "middle", labels.x);
  svg += text_at(
      0, 0, "middle", labels.y,
      fmt::format(" transform=\"translate(20 {:.1f}) rotate(-90)\"", (top + base) / 2).c_str());
  svg += text_at(left, 26, "start", labels.title, " font-size=\"16\" font-weight=\"bold\"");
  return svg;
}

}  // namespace

std::vector<double> round_ticks(double low, double high, int count) {
  std::vector<double> ticks;
  if (!(high > low) || count < 1) return ticks;
  const double raw = (high - low) / count;
  const double power = std::pow(10.0, std::floor(std::log10(raw)));
  double step = 10 * power;
  for (double factor : {5.0, 2.0, 1.0})
    if (factor * power >= raw) step = factor * power;
  // From 2^53 on, i + 1 can be i.
  for (double i = std::ceil(low / step); i * step <= high && i + 1 > i; ++i)
    ticks.push_back(i * step + 0.0);
  return ticks;
}

std::string plot_svg(std::span<const Curve> curves, const PlotLabels& labels) {
  std::vector<Points> points;
  for (const Curve& curve : curves) points.push_back(thinned(finite_points(curve.points)));
  const Frame frame = frame_of(points);
  std::string svg = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" "
      "height=\"{1}\" font-family=\"sans-serif\" font-size=\"12\" fill=\"#222\">\n"
      "<title>{2}</title>\n<rect width=\"{0}\" height=\"{1}\" fill=\"white\"/>\n"
      "<clipPath id=\"frame\"><rect x=\"{3}\" y=\"{4}\" width=\"{5}\" "
      "height=\"{6}\"/></clipPath>\n",
      width, height, escaped_markup(labels.title), left, top, width - left - right,
      height - top - bottom);
  svg += axes(frame, labels);
  svg += "<g clip-path=\"url(#frame)\">\n";
  for (std::size_t i = 0; i < points.size(); ++i) {
    if (points[i].empty()) continue;
    const char* colour = colours[i % std::size(colours)];
    if (curves[i].noisy) svg += polyline(points[i], frame, colour, 1, 0.3);
    svg += polyline(curves[i].noisy ? moving_average(points[i]) : points[i], frame, colour, 2, 1);
  }
  svg += "</g>\n";
  std::size_t longest = 14;
  for (const Curve& curve : curves) longest = std::max(longest, curve.name.size());
  const double legend = width - right - 30 - letter_width * static_cast<double>(longest);
  for (std::size_t i = 0; i < points.size(); ++i) {
    const double y = top + 16 + 18 * static_cast<double>(i);
    svg += fmt::format("<path d=\"M{0} {1}h24\" stroke=\"{2}\" stroke-width=\"2\"/>\n", legend,
                       y - 4, colours[i % std::size(colours)]);
    svg += text_at(legend + 30, y, "start", curves[i].name);
  }
  return svg + "</svg>\n";
}

}  // namespace genera::zoo
