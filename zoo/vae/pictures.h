/// Images that show what a VAE has learned; each result is (N,C,H,W) f32 on the host.
#pragma once

#include <genera/data.h>
#include <genera/io.h>

#include <cstdint>
#include <vector>

#include "zoo/vae/objective.h"

namespace genera::zoo::vae {

/// `count` images of z ~ p(z): means of p(x|z), or with `draws` samples of it. Image i depends on
/// the seed and i only. `labels`, one per image, where the model is conditional.
io::HostArray sample_images(const VaeObjective& objective, std::int64_t count, std::uint64_t seed,
                            bool draws, const std::vector<std::int32_t>& labels = {});

/// 0, 1, … classes-1, and again from 0: `count` labels.
std::vector<std::int32_t> cycled_labels(std::int64_t count, std::int64_t classes);

/// Rows of `columns` originals, each followed by the row of their reconstructions (means at the
/// posterior's mean).
io::HostArray reconstructed_images(const VaeObjective& objective, const data::Images& images,
                                   const std::vector<std::int64_t>& indices, std::int64_t columns);

/// One row per pair (indices 2r, 2r+1): image a, `steps` decoded points from its posterior mean to
/// that of image b, image b.
io::HostArray interpolated_images(const VaeObjective& objective, const data::Images& images,
                                  const std::vector<std::int64_t>& indices, std::int64_t steps,
                                  bool spherical);

}  // namespace genera::zoo::vae
