/// Images that show what a Boltzmann machine has learned; each result is (N,C,H,W) f32 on the host.
#pragma once

#include <genera/io.h>

#include <cstdint>
#include <string>

#include "zoo/boltzmann/model.h"

namespace genera::zoo::boltzmann {

struct SampleOptions {
  std::int64_t count = 64;
  std::uint64_t seed = 0;
  /// Sweeps on the way from the base-rate model to the machine, then sweeps of the machine itself.
  std::int64_t annealing = 1000;
  std::int64_t sweeps = 100;
};

/// Chains of the base-rate model are brought to the machine slowly (simulated tempering without
/// return), then run on; means of the pixels given the last hidden units. Image i depends on the
/// seed and i only.
io::HostArray sample_images(const Model& model, const SampleOptions& options);

/// One row per chain: its image after every `options.sweeps` sweeps, `columns` times.
io::HostArray chain_images(const Model& model, const SampleOptions& options, std::int64_t columns);

/// The first `count` filters of the first hidden layer: the weights of each of its units, scaled so
/// that 0 is grey 0.5 and the filter's largest weight 0 or 1. Of the machine without hidden units
/// the couplings of each pixel.
io::HostArray filter_images(const Model& model, std::int64_t count);

/// Which pixels of an image (C,H,W) completed_images() is told: (1,C,H,W), true where a pixel is
/// known. `hidden` names those that are not: the "bottom", "top", "left" or "right" half, the "centre"
/// (half of height and width), or "random", each pixel with probability one half.
Tensor known_pixels(const ImageShape& shape, const std::string& hidden, const Key& key);

/// Rows of `columns` images with the hidden pixels grey, each followed by the row of their
/// completions and that of the originals. The known pixels are clamped; the others begin as fair
/// coins and show their means under `sweeps` Gibbs sweeps, averaged over the last quarter of them.
/// With directed layers below the machine each sweep goes up, once through the machine, and down: an
/// approximation.
io::HostArray completed_images(const Model& model, const Tensor& images, const Tensor& known,
                               std::int64_t columns, std::int64_t sweeps, std::uint64_t seed);

}  // namespace genera::zoo::boltzmann
