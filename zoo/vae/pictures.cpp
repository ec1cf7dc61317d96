#include "zoo/vae/pictures.h"

#include <genera/ops.h>

#include <algorithm>

#include "zoo/common/interpolation.h"

namespace genera::zoo {
namespace {

io::HostArray on_host(const Tensor& images) {
  auto array = io::HostArray::zeros(DType::f32, images.shape());
  images.copy_to(array.bytes);
  return array;
}

std::vector<float> row(const std::vector<float>& matrix, std::int64_t index, std::int64_t length) {
  const auto begin = matrix.begin() + index * length;
  return {begin, begin + length};
}

}  // namespace

io::HostArray sample_images(const VaeObjective& objective, std::int64_t count, std::uint64_t seed,
                            bool draws) {
  const Key key(seed);
  const Tensor z = random_normal(key.fold_in(0), {count, objective.vae().shape().latent});
  const Tensor output = objective.vae().decode(z);
  return on_host(draws ? objective.draw_image(output, key.fold_in(1))
                       : objective.mean_image(output));
}

io::HostArray reconstructed_images(const VaeObjective& objective, const data::Images& images,
                                   const std::vector<std::int64_t>& indices, std::int64_t columns) {
  const Tensor x = images.batch(indices).images;
  const Tensor mean = objective.vae().encode(x).mean;
  const Tensor reconstruction = objective.mean_image(objective.vae().decode(mean));
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
  const Tensor x = images.batch(indices).images;
  const Tensor mean = objective.vae().encode(x).mean;
  const std::vector<float> means = mean.to_vector<float>();
  const std::int64_t latent = objective.vae().shape().latent;
  const auto rows = static_cast<std::int64_t>(indices.size()) / 2;
  std::vector<float> path;
  for (std::int64_t r = 0; r < rows; ++r) {
    const auto a = row(means, 2 * r, latent), b = row(means, 2 * r + 1, latent);
    for (std::int64_t k = 0; k < steps; ++k) {
      const double t = steps > 1 ? static_cast<double>(k) / static_cast<double>(steps - 1) : 0.5;
      for (double value : interpolate(a, b, t, spherical))
        path.push_back(static_cast<float>(value));
    }
  }
  const Tensor z = Tensor::from(path, Shape{rows * steps, latent});
  const Tensor decoded = objective.mean_image(objective.vae().decode(z));
  std::vector<Tensor> parts;
  for (std::int64_t r = 0; r < rows; ++r) {
    parts.push_back(slice(x, 0, 2 * r, 2 * r + 1));
    parts.push_back(slice(decoded, 0, r * steps, (r + 1) * steps));
    parts.push_back(slice(x, 0, 2 * r + 1, 2 * r + 2));
  }
  return on_host(concat(parts, 0));
}

}  // namespace genera::zoo
