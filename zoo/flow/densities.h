/// Two-dimensional densities that flows are tried on, each with its sampler, its exact density and
/// its entropy.
#pragma once

#include <genera/random.h>
#include <genera/tensor.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "zoo/common/density_picture.h"

namespace genera::zoo::flow {

struct Density2d {
  std::string name;
  /// `count` points (count,2), addressed by the key.
  std::function<Tensor(const Key& key, std::int64_t count)> sample;
  /// log p(x,y) in nats; -infinity where there is no density.
  std::function<double(double x, double y)> log_density;
  Box box;  ///< holds all but a vanishing part of the mass
};

/// 8-gaussians, moons, rings, circles, checkerboard: as in Grathwohl et al., "FFJORD" (1810.01367),
/// whose names and scales they have.
const std::vector<Density2d>& densities();
/// The density of that name, or nullptr.
const Density2d* find_density(const std::string& name);

/// -E[log p] in nats: what no model's mean negative log-likelihood is below. By the midpoint rule on
/// cells x cells of the box.
double entropy(const Density2d& density, std::int64_t cells = 240);

}  // namespace genera::zoo::flow
