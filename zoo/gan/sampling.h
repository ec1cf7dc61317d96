/// Examples that a generator makes.
#pragma once

#include <genera/io.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "zoo/gan/model.h"

namespace genera::zoo::gan {

struct Samples {
  io::HostArray values;              ///< (N,E…) f32; images brought to [0,1]
  std::vector<std::int32_t> labels;  ///< (N) that they were asked for; empty without classes
};

/// What noise and labels samples are made of.
struct SampleOptions {
  std::int64_t count = 64;
  std::uint64_t seed = 0;
  std::int32_t label = -1;  ///< of all samples; -1: sample i has label i mod K
};

/// Sample i depends on the weights, the seed, its label and i alone.
Samples draw_samples(const Generator& generator, const SampleOptions& options);

/// The samples of given noise (N,Z); of the options only the label counts.
Samples samples_of(const Generator& generator, const Tensor& noise, const SampleOptions& options);

/// Rows of `steps` samples: on great circles from the noise of sample 2r to that of sample 2r+1 of
/// draw_samples(), all with the label of the row, r mod K or options.label.
Samples interpolated_samples(const Generator& generator, std::int64_t rows, std::int64_t steps,
                             const SampleOptions& options);

/// Samples as one picture, images `columns` in a row (0: a square); of points
/// in the plane, where they lie.
void write_samples_picture(const std::filesystem::path& path, const Samples& samples,
                           std::int64_t columns, const std::string& recipe);

/// draw_samples() of some generator.
using Sampler = std::function<Samples(std::int64_t count, std::uint64_t seed)>;

}  // namespace genera::zoo::gan
