#include "zoo/vae/pictures.h"

#include <genera/ops.h>

#include <algorithm>
#include <span>

#include "zoo/common/host_copy.h"
#include "zoo/common/interpolation.h"

namespace genera::zoo::vae {
namespace {

// Of samples: memory for any --count.
constexpr std::int64_t images_at_once = 1000;

std::vector<float> row(const std::vector<float>& matrix, std::int64_t index, std::int64_t length) {
  const auto begin = matrix.begin() + index * length;
  return {begin, begin + length};
}

}  // namespace

io::HostArray sample_images(const VaeObjective& objective, std::int64_t count, std::uint64_t seed,
                            bool draws, const std::vector<std::int32_t>& labels) {
  const VaeShape& shape = objective.model().shape();
  const auto part = [&](std::int64_t first, std::int64_t n) {
    const Key key = first == 0 ? Key(seed) : Key(seed).fold_in(static_cast<std::uint64_t>(first));
    Tensor given;
    if (!labels.empty())
      given =
          Tensor::from(std::vector(labels.begin() + first, labels.begin() + first + n), Shape{n});
    const Tensor output = objective.model().generate(n, key.fold_in(0), given);
    return draws ? objective.draw_image(output, key.fold_in(1)) : objective.mean_image(output);
  };
  return rows_on_host(count, {shape.channels, shape.height, shape.width}, images_at_once, part);
}

std::vector<std::int32_t> cycled_labels(std::int64_t count, std::int64_t classes) {
  std::vector<std::int32_t> labels(static_cast<std::size_t>(count));
  for (std::int64_t i = 0; i < count; ++i)
    labels[static_cast<std::size_t>(i)] = static_cast<std::int32_t>(i % classes);
  return labels;
}

io::HostArray reconstructed_images(const VaeObjective& objective, const data::Images& images,
                                   const std::vector<std::int64_t>& indices, std::int64_t columns) {
  const data::Batch batch = images.batch(indices);
  const Tensor x = batch.images;
  const LatentModel& model = objective.model();
  const Tensor reconstruction =
      objective.mean_image(model.reconstruct(model.encode(x, batch.labels)));
  std::vector<Tensor> rows;
  const auto count = static_cast<std::int64_t>(indices.size());
  for (std::int64_t begin = 0; begin < count; begin += columns) {
    const std::int64_t end = std::min(begin + columns, count);
    rows.push_back(slice(x, 0, begin, end));
    rows.push_back(slice(reconstruction, 0, begin, end));
  }
  return on_host(concat(rows, 0));
}

io::HostArray interpolated_images(const VaeObjective& objective, const data::Images& images,
                                  const std::vector<std::int64_t>& indices, std::int64_t steps,
                                  bool spherical) {
  const data::Batch batch = images.batch(indices);
  const Tensor x = batch.images;
  const LatentModel& model = objective.model();
  const Tensor point = model.point(model.encode(x, batch.labels));
  const std::vector<float> points = point.to_vector<float>();
  const std::int64_t latent = point.size(1);
  const auto rows = static_cast<std::int64_t>(indices.size()) / 2;
  std::vector<float> path;
  for (std::int64_t r = 0; r < rows; ++r) {
    const auto a = row(points, 2 * r, latent), b = row(points, 2 * r + 1, latent);
    append_path(path, a, b, steps, spherical);
  }
  const Tensor z = Tensor::from(path, Shape{rows * steps, latent});
  const Tensor decoded = objective.mean_image(model.decode(z));
  std::vector<Tensor> parts;
  for (std::int64_t r = 0; r < rows; ++r) {
    parts.push_back(slice(x, 0, 2 * r, 2 * r + 1));
    parts.push_back(slice(decoded, 0, r * steps, (r + 1) * steps));
    parts.push_back(slice(x, 0, 2 * r + 1, 2 * r + 2));
  }
  return on_host(concat(parts, 0));
}

}  // namespace genera::zoo::vae
