#include "zoo/gan/grid.h"

#include <fmt/core.h>
#include <genera/functions.h>
#include <genera/ops.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "zoo/common/failure.h"
#include "zoo/common/host_copy.h"
#include "zoo/gan/examples.h"

namespace genera::zoo::gan {
namespace {

constexpr std::int64_t modes = grid_side * grid_side;
constexpr std::int64_t points_at_once = 2500;  // of one figure, as published
constexpr int repeats = 10;
// An epoch means nothing where examples are drawn anew for ever; published runs say 100,000 points.
constexpr std::int64_t epoch_points = 100'000, smoke_points = 10'000;

double coordinate(std::int64_t index) {
  return grid_spacing * (static_cast<double>(index) - (grid_side - 1) / 2.0);
}

std::int64_t nearest_index(float value) {
  const double index = value / grid_spacing + (grid_side - 1) / 2.0;
  return std::isfinite(index) ? std::clamp<std::int64_t>(std::llround(index), 0, grid_side - 1) : 0;
}

class GridExamples : public Examples {
 public:
  explicit GridExamples(const TrainFlags& flags)
      : batch_(flags.batch),
        key_(Key(flags.seed).fold_in(1)),
        epoch_(flags.smoke ? smoke_points : epoch_points) {}

  Shape example() const override { return {2}; }
  std::int64_t classes() const override { return 0; }
  std::string name() const override { return "grid"; }
  std::string digest() const override {
    return fmt::format("generated:{}x{}:{}:{}", grid_side, grid_side, grid_spacing, grid_deviation);
  }
  std::int64_t batches_per_epoch() const override {
    return std::max<std::int64_t>(1, epoch_ / batch_);
  }
  RealBatch batch(std::int64_t index) override {
    return {grid_points(key_.fold_in(static_cast<std::uint64_t>(index)), batch_), {}};
  }
  std::string loss_label() const override { return "1 - modes/25 x share within 3 sigma"; }
  Metrics validate(const Sampler& sampler) override {
    const Samples samples = sampler(points_at_once, validation_seed);
    const GridCoverage c = grid_coverage(samples.values.as<float>());
    const double covered = static_cast<double>(c.modes) / modes;
    return {{"loss", 1 - covered * c.high_quality},
            {"modes", static_cast<double>(c.modes)},
            {"high_quality", c.high_quality},
            {"reverse_kl", c.reverse_kl}};
  }
  std::vector<Figure> evaluate(const Sampler& sampler, Console&) override {
    return figures([&](int repeat) {
      return sampler(points_at_once, test_seed + static_cast<std::uint64_t>(repeat)).values;
    });
  }
  std::vector<Reference> references(const std::vector<std::string>& others, Console&) override {
    if (!others.empty()) throw UsageError("--compare takes images; the grid's points are none");
    const Key key(test_seed);
    const auto drawn = [&](const auto& points) {
      return figures([&](int repeat) {
        return on_host(points(key.fold_in(static_cast<std::uint64_t>(repeat))));
      });
    };
    return {{"the mixture", drawn([](const Key& k) { return grid_points(k, points_at_once); })},
            {"noise", drawn([](const Key& k) {
               return random_uniform(k, {points_at_once, 2}, -5, 5);
             })}};
  }

 private:
  template <class Draw>
  static std::vector<Figure> figures(const Draw& draw) {
    std::vector<double> found, good, divergence;
    for (int repeat = 0; repeat < repeats; ++repeat) {
      const io::HostArray points = draw(repeat);
      const GridCoverage c = grid_coverage(points.as<float>());
      found.push_back(static_cast<double>(c.modes));
      good.push_back(c.high_quality);
      divergence.push_back(c.reverse_kl);
    }
    const std::string protocol =
        fmt::format("mean over {} draws of {} samples", repeats, points_at_once);
    return {mean_figure("modes", found, "of 25", protocol + ", modes with a sample within 3 sigma"),
            mean_figure("high_quality", good, "", protocol + ", share within 3 sigma of a mode"),
            mean_figure("reverse_kl", divergence, "nats", protocol + ", of the modes' shares")};
  }

  std::int64_t batch_;
  Key key_;
  std::int64_t epoch_;
};

}  // namespace

io::HostArray grid_picture(std::span<const float> points) {
  constexpr std::int64_t side = 480;
  constexpr double extent = 6;
  auto picture = io::HostArray::zeros(DType::f32, Shape{1, 3, side, side});
  const auto pixels = picture.as<float>();
  std::fill(pixels.begin(), pixels.end(), 1.0f);
  const auto at = [&](int channel, std::int64_t row, std::int64_t column) -> float& {
    return pixels[static_cast<std::size_t>((channel * side + row) * side + column)];
  };
  for (std::int64_t row = 0; row < side; ++row)
    for (std::int64_t column = 0; column < side; ++column) {
      const double x = (static_cast<double>(column) + 0.5) / side * 2 * extent - extent;
      const double y = extent - (static_cast<double>(row) + 0.5) / side * 2 * extent;
      const double dx = x - coordinate(nearest_index(static_cast<float>(x)));
      const double dy = y - coordinate(nearest_index(static_cast<float>(y)));
      if (std::hypot(dx, dy) < 3 * grid_deviation) at(1, row, column) = at(2, row, column) = 0.6f;
    }
  for (std::size_t i = 0; i + 1 < points.size(); i += 2) {
    const double column = (points[i] + extent) / (2 * extent) * side;
    const double row = (extent - points[i + 1]) / (2 * extent) * side;
    if (!(column >= 0 && column < side && row >= 0 && row < side)) continue;
    for (int channel = 0; channel < 3; ++channel)
      at(channel, static_cast<std::int64_t>(row), static_cast<std::int64_t>(column)) *= 0.55f;
  }
  return picture;
}

Tensor grid_points(const Key& key, std::int64_t count) {
  const Tensor cells =
      floor(random_uniform(key.fold_in(0), {count, 2}) * static_cast<double>(grid_side));
  const Tensor centres = (cells - (grid_side - 1) / 2.0) * grid_spacing;
  return centres + random_normal(key.fold_in(1), {count, 2}) * grid_deviation;
}

GridCoverage grid_coverage(std::span<const float> points) {
  std::array<double, modes> nearest{};
  std::array<bool, modes> found{};
  GridCoverage result;
  const double count = static_cast<double>(points.size()) / 2;
  for (std::size_t i = 0; i + 1 < points.size(); i += 2) {
    const std::int64_t column = nearest_index(points[i]), row = nearest_index(points[i + 1]);
    const auto mode = static_cast<std::size_t>(row * grid_side + column);
    nearest[mode] += 1;
    if (std::hypot(points[i] - coordinate(column), points[i + 1] - coordinate(row)) <=
        3 * grid_deviation) {
      found[mode] = true;
      result.high_quality += 1 / count;
    }
  }
  result.modes = std::count(found.begin(), found.end(), true);
  for (double number : nearest)
    if (number > 0) result.reverse_kl += number / count * std::log(number / count * modes);
  return result;
}

std::unique_ptr<Examples> make_grid_examples(const TrainFlags& flags) {
  return std::make_unique<GridExamples>(flags);
}

}  // namespace genera::zoo::gan
