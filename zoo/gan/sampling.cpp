#include "zoo/gan/sampling.h"

#include <genera/functions.h>

#include <algorithm>

#include "zoo/common/host_copy.h"
#include "zoo/common/image_grid.h"
#include "zoo/common/interpolation.h"
#include "zoo/gan/grid.h"

namespace genera::zoo::gan {
namespace {

constexpr std::int64_t samples_at_once = 250;

// The images of noise z (N,Z) and labels, in batches.
io::HostArray generated(const Generator& generator, const Tensor& z,
                        const std::vector<std::int32_t>& labels) {
  const Shape& example = generator.shape().example;
  const auto part = [&](std::int64_t first, std::int64_t n) {
    Tensor chosen;
    if (!labels.empty())
      chosen = Tensor::from(
          std::span(labels).subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(n)),
          Shape{n});
    Context inference;
    const Tensor some = generator.generate(slice(z, 0, first, first + n), chosen, inference);
    return example.rank() == 3 ? clip(some * 0.5 + 0.5, 0, 1) : some;
  };
  return rows_on_host(z.size(0), example, samples_at_once, part);
}

std::int32_t label_of(const Generator& generator, const SampleOptions& options,
                      std::int64_t index) {
  return options.label >= 0 ? options.label
                            : static_cast<std::int32_t>(index % generator.shape().classes);
}

Tensor noise(const Generator& generator, std::int64_t count, std::uint64_t seed) {
  return random_normal(Key(seed).fold_in(0), {count, generator.shape().latent}).eval();
}

}  // namespace

Samples samples_of(const Generator& generator, const Tensor& noise, const SampleOptions& options) {
  Samples samples;
  if (generator.shape().classes > 0)
    for (std::int64_t i = 0; i < noise.size(0); ++i)
      samples.labels.push_back(label_of(generator, options, i));
  samples.values = generated(generator, noise, samples.labels);
  return samples;
}

Samples draw_samples(const Generator& generator, const SampleOptions& options) {
  return samples_of(generator, noise(generator, options.count, options.seed), options);
}

Samples interpolated_samples(const Generator& generator, std::int64_t rows, std::int64_t steps,
                             const SampleOptions& options) {
  const auto ends = noise(generator, 2 * rows, options.seed).to_vector<float>();
  const std::int64_t latent = generator.shape().latent;
  const auto end_of = [&](std::int64_t index) {
    const auto begin = ends.begin() + index * latent;
    return std::vector<float>(begin, begin + latent);
  };
  std::vector<float> path;
  Samples samples;
  for (std::int64_t row = 0; row < rows; ++row) {
    append_path(path, end_of(2 * row), end_of(2 * row + 1), steps, true);
    if (generator.shape().classes > 0)
      samples.labels.insert(samples.labels.end(), static_cast<std::size_t>(steps),
                            label_of(generator, options, row));
  }
  const Tensor z = Tensor::from(path, Shape{rows * steps, generator.shape().latent});
  samples.values = generated(generator, z, samples.labels);
  return samples;
}

void write_samples_picture(const std::filesystem::path& path, const Samples& samples,
                           std::int64_t columns, const std::string& recipe) {
  if (samples.values.shape.rank() == 4)
    write_grid(path, samples.values, recipe, {.columns = columns});
  else
    write_grid(path, grid_picture(samples.values.as<float>()), recipe,
               {.columns = 1, .padding = 0, .scale = 1});
}

}  // namespace genera::zoo::gan
