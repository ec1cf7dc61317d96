/// Images that show what a Boltzmann machine has learned; each result is (N,C,H,W) f32 on the host.
#pragma once

#include <genera/io.h>

#include <cstdint>

#include "zoo/boltzmann/model.h"

namespace genera::zoo {

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

}  // namespace genera::zoo
