/// Likelihoods of images under a Boltzmann machine.
#pragma once

#include <genera/data.h>

#include <vector>

#include "zoo/boltzmann/ais.h"
#include "zoo/boltzmann/model.h"
#include "zoo/common/console.h"
#include "zoo/common/summary.h"

namespace genera::zoo {

/// Model::bound of every image, with fixed noise: the same numbers at every call with the same
/// weights.
std::vector<double> bounds(const Model& model, const data::Images& images);

/// True where bounds() is log p(v) + log Z itself.
bool bound_is_exact(const Model& model);

/// log_likelihood (or log_likelihood_bound), log_z with its interval, effective_runs, and where Z
/// can be enumerated log_z_exact: then that is the one that the likelihood is computed with.
std::vector<Figure> evaluate(const Model& model, const data::Images& images,
                             const AisOptions& options, Console& console);

}  // namespace genera::zoo
