#include "zoo/flow/pictures.h"

#include <fmt/core.h>
#include <genera/functions.h>

#include <algorithm>
#include <cmath>

#include "zoo/common/density_picture.h"
#include "zoo/common/host_copy.h"
#include "zoo/common/interpolation.h"

namespace genera::zoo::flow {
namespace {

constexpr std::int64_t cells = 160;
constexpr std::int64_t drawn_points = 50000;
constexpr std::int64_t images_at_once = 64;
constexpr std::int64_t vectors_at_once = 20000;

// The bytes that images in [0,1) with noise are rounded to, in [0,1].
Tensor rounded(const Tensor& images) { return clip(floor(images * 256.0), 0, 255) / 255.0; }

// The points (N,2) of two columns of rows (N,D).
std::vector<float> columns_of(const std::vector<float>& rows, std::size_t size, std::size_t first) {
  std::vector<float> points;
  for (std::size_t i = 0; i < rows.size(); i += size) {
    points.push_back(rows[i + first]);
    points.push_back(rows[i + first + 1]);
  }
  return points;
}

}  // namespace

io::HostArray decoded(const FlowModel& model, const std::vector<float>& z, std::int64_t count) {
  const auto size = static_cast<std::size_t>(model.size());
  const auto part = [&](std::int64_t first, std::int64_t n) {
    const auto rows = std::span(z).subspan(static_cast<std::size_t>(first) * size,
                                           static_cast<std::size_t>(n) * size);
    const Tensor x = model.from_latent(Tensor::from(rows, Shape{n, model.size()}));
    return model.is_image() ? rounded(x) : x;
  };
  return rows_on_host(count, model.shape().example,
                      model.is_image() ? images_at_once : vectors_at_once, part);
}

io::HostArray sample_examples(const FlowModel& model, std::int64_t count, std::uint64_t seed,
                              double temperature) {
  const Tensor z = random_normal(Key(seed).fold_in(0), {count, model.size()});
  return decoded(model, (z * temperature).to_vector<float>(), count);
}

io::HostArray density_pictures(const FlowModel& model, const Density2d& density,
                               std::uint64_t seed) {
  const std::vector<float> centres = cell_centres(density.box, cells);
  std::vector<std::vector<double>> panels(2);
  for (std::size_t i = 0; i < centres.size(); i += 2)
    panels[0].push_back(std::exp(density.log_density(centres[i], centres[i + 1])));
  const Tensor x = Tensor::from(centres, Shape{cells * cells, 2});
  for (const float value : exp(model.log_likelihood(x, Key(seed))).to_vector<float>())
    panels[1].push_back(value);
  const io::HostArray samples = sample_examples(model, drawn_points, seed, 1);
  panels.push_back(histogram(samples.as<float>(), density.box, cells));
  return heat_maps(panels, cells);
}

std::int64_t pair_columns(const FlowModel& model) {
  return std::min<std::int64_t>(4, model.size() - 1);
}

io::HostArray pair_pictures(const FlowModel& model, const Examples& examples, std::uint64_t seed,
                            double temperature) {
  constexpr std::int64_t pair_cells = 64;
  const auto size = static_cast<std::size_t>(model.size());
  const std::int64_t count = examples.size(data::Split::test);
  const std::vector<float> truth = examples.at(data::Split::test, 0, count).to_vector<float>();
  const io::HostArray drawn = sample_examples(model, count, seed, temperature);
  const std::vector<float> samples(drawn.as<float>().begin(), drawn.as<float>().end());
  const auto pairs = pair_columns(model);
  std::vector<std::vector<double>> panels(static_cast<std::size_t>(2 * pairs));
  for (std::int64_t pair = 0; pair < pairs; ++pair) {
    const auto first = static_cast<std::size_t>(pair);
    const std::vector<float> points = columns_of(truth, size, first);
    const Box box = box_of(points, count / 200);
    panels[first] = histogram(points, box, pair_cells);
    panels[first + static_cast<std::size_t>(pairs)] =
        histogram(columns_of(samples, size, first), box, pair_cells);
  }
  // Each column has units of its own: its densities are shown in parts of the largest.
  for (std::size_t pair = 0; pair < static_cast<std::size_t>(pairs); ++pair) {
    const double largest = *std::max_element(panels[pair].begin(), panels[pair].end());
    for (const std::size_t panel : {pair, pair + static_cast<std::size_t>(pairs)})
      for (double& value : panels[panel]) value = largest > 0 ? value / largest : 0;
  }
  return heat_maps(panels, pair_cells);
}

io::HostArray interpolated_examples(const FlowModel& model, const Examples& examples,
                                    const std::vector<std::int64_t>& indices, std::int64_t steps) {
  const auto latent = [&](std::int64_t index) {
    return model.latent(examples.at(data::Split::test, index, 1), Key(0)).to_vector<float>();
  };
  std::vector<float> path;
  const std::size_t rows = indices.size() / 2;
  for (std::size_t row = 0; row < rows; ++row) {
    const std::vector<float> a = latent(indices[2 * row]), b = latent(indices[2 * row + 1]);
    append_path(path, a, b, steps, true);
  }
  return decoded(model, path, static_cast<std::int64_t>(rows) * steps);
}

}  // namespace genera::zoo::flow
