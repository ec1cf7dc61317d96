#include "zoo/flow/densities.h"

#include <genera/functions.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numbers>

namespace genera::zoo::flow {
namespace {

constexpr double pi = std::numbers::pi;

Tensor uniform(const Key& key, std::uint64_t use, std::int64_t count) {
  return random_uniform(key.fold_in(use), {count, 1});
}

Tensor noise(const Key& key, std::uint64_t use, std::int64_t count) {
  return random_normal(key.fold_in(use), {count, 2});
}

// One of 0 … choices-1, from a uniform number.
Tensor choice(const Tensor& u, int choices) { return minimum(floor(u * choices), choices - 1); }

Tensor direction(const Tensor& angle) { return concat({cos(angle), sin(angle)}, 1); }

double log_normal(double squared_distance, double deviation) {
  return -squared_distance / (2 * deviation * deviation) - std::log(2 * pi * deviation * deviation);
}

double log_mean_exp(const std::vector<double>& values) {
  const double largest = *std::max_element(values.begin(), values.end());
  double sum = 0;
  for (const double value : values) sum += std::exp(value - largest);
  return largest + std::log(sum / static_cast<double>(values.size()));
}

// The mixture of normal densities of one deviation around the centres, all of equal mass.
std::function<double(double, double)> mixture(std::vector<std::array<double, 2>> centres,
                                              double deviation) {
  return [centres = std::move(centres), deviation](double x, double y) {
    std::vector<double> parts;
    parts.reserve(centres.size());
    for (const auto& [u, v] : centres)
      parts.push_back(-((x - u) * (x - u) + (y - v) * (y - v)) / (2 * deviation * deviation));
    return log_mean_exp(parts) - std::log(2 * pi * deviation * deviation);
  };
}

// Centres at radius 4, deviation 0.5, all divided by sqrt(2).
Density2d eight_gaussians() {
  const double radius = 4 / std::numbers::sqrt2, deviation = 0.5 / std::numbers::sqrt2;
  const auto sample = [=](const Key& key, std::int64_t count) {
    const Tensor angle = choice(uniform(key, 0, count), 8) * (pi / 4);
    return radius * direction(angle) + deviation * noise(key, 1, count);
  };
  std::vector<std::array<double, 2>> centres;
  centres.reserve(8);
  for (int k = 0; k < 8; ++k)
    centres.push_back({radius * std::cos(k * pi / 4), radius * std::sin(k * pi / 4)});
  return {"8-gaussians", sample, mixture(centres, deviation), {-5.2, 5.2, -5.2, 5.2}};
}

// Two half circles (cos a, sin a) and (1 - cos a, 1/2 - sin a), a in [0, pi], with noise of deviation
// 0.1, moved by (-1/2, -1/10), times 2.
Density2d moons() {
  constexpr double deviation = 0.1, scale = 2, left = 0.5, down = 0.1;
  const auto sample = [=](const Key& key, std::int64_t count) {
    const Tensor upper = less(uniform(key, 0, count), 0.5);
    const Tensor on_circle = direction(uniform(key, 1, count) * pi);
    const std::vector<float> corner = {1.0f, 0.5f};
    const Tensor lower = Tensor::from(corner, Shape{1, 2}) - on_circle;
    const std::vector<float> shift = {static_cast<float>(left), static_cast<float>(down)};
    const Tensor point = where(broadcast_to(upper, Shape{count, 2}), on_circle, lower) -
                         Tensor::from(shift, Shape{1, 2});
    return scale * (point + deviation * noise(key, 2, count));
  };
  // The angle in steps much finer than the noise: exact to 1e-4.
  constexpr int steps = 100;
  std::vector<std::array<double, 2>> centres;
  for (int i = 0; i < steps; ++i) {
    const double a = (i + 0.5) * pi / steps, c = std::cos(a), s = std::sin(a);
    centres.push_back({scale * (c - left), scale * (s - down)});
    centres.push_back({scale * (1 - c - left), scale * (0.5 - s - down)});
  }
  return {"moons", sample, mixture(centres, scale * deviation), {-4.0, 4.0, -2.6, 2.4}};
}

// Circles of equal mass with normal noise around each point.
Density2d circles(const std::string& name, const std::vector<double>& radii, double deviation) {
  const auto sample = [=](const Key& key, std::int64_t count) {
    const Tensor which = choice(uniform(key, 0, count), static_cast<int>(radii.size()));
    Tensor radius = full({count, 1}, radii[0]);
    for (std::size_t k = 1; k < radii.size(); ++k)
      radius = where(equal(which, static_cast<double>(k)), full({count, 1}, radii[k]), radius);
    return radius * direction(uniform(key, 1, count) * (2 * pi)) + deviation * noise(key, 2, count);
  };
  // The noise averaged over the angle: a Bessel function, here scaled so that it does not overflow.
  const auto log_density = [=](double x, double y) {
    const double r = std::hypot(x, y);
    std::vector<double> parts;
    for (const double radius : radii) {
      const double t = r * radius / (deviation * deviation);
      const double log_bessel =
          t < 500 ? std::log(std::cyl_bessel_i(0.0, t)) - t
                  : std::log((1 + 1 / (8 * t) + 9 / (128 * t * t)) / std::sqrt(2 * pi * t));
      parts.push_back(log_normal((r - radius) * (r - radius), deviation) + log_bessel);
    }
    return log_mean_exp(parts);
  };
  const double reach = radii.back() + 5 * deviation;
  return {name, sample, log_density, {-reach, reach, -reach, reach}};
}

// Uniform on the 8 cells of size 2 x 2 of [-4,4]^2 whose row + column is even.
Density2d checkerboard() {
  const auto sample = [](const Key& key, std::int64_t count) {
    const Tensor row = choice(uniform(key, 0, count), 4);
    const Tensor column =
        2 * choice(uniform(key, 1, count), 2) + remainder(row, full({count, 1}, 2));
    const Tensor x = 2 * (column + uniform(key, 2, count)) - 4;
    const Tensor y = 2 * (row + uniform(key, 3, count)) - 4;
    return concat({x, y}, 1);
  };
  const auto log_density = [](double x, double y) {
    if (x < -4 || x >= 4 || y < -4 || y >= 4) return -std::numeric_limits<double>::infinity();
    const int cell = static_cast<int>((x + 4) / 2) + static_cast<int>((y + 4) / 2);
    return cell % 2 == 0 ? -std::log(32.0) : -std::numeric_limits<double>::infinity();
  };
  return {"checkerboard", sample, log_density, {-4.8, 4.8, -4.8, 4.8}};
}

}  // namespace

const std::vector<Density2d>& densities() {
  static const std::vector<Density2d> all = {eight_gaussians(), moons(),
                                             circles("rings", {0.75, 1.5, 2.25, 3}, 0.08),
                                             circles("circles", {1.5, 3}, 0.24), checkerboard()};
  return all;
}

const Density2d* find_density(const std::string& name) {
  for (const Density2d& density : densities())
    if (density.name == name) return &density;
  return nullptr;
}

double entropy(const Density2d& density, std::int64_t cells) {
  const Box& box = density.box;
  const double width = (box.x_high - box.x_low) / static_cast<double>(cells);
  const double height = (box.y_high - box.y_low) / static_cast<double>(cells);
  double sum = 0;
  for (std::int64_t i = 0; i < cells; ++i) {
    for (std::int64_t k = 0; k < cells; ++k) {
      const double log_p = density.log_density(box.x_low + (static_cast<double>(k) + 0.5) * width,
                                               box.y_low + (static_cast<double>(i) + 0.5) * height);
      if (std::isfinite(log_p)) sum -= std::exp(log_p) * log_p;
    }
  }
  return sum * width * height;
}

}  // namespace genera::zoo::flow
