/// Likelihoods of images under a Boltzmann machine.
#pragma once

#include <genera/data.h>

#include <optional>
#include <string>
#include <vector>

#include "zoo/boltzmann/ais.h"
#include "zoo/boltzmann/model.h"
#include "zoo/common/console.h"
#include "zoo/common/summary.h"

namespace genera::zoo::boltzmann {

/// Model::bound of every image, with fixed noise: the same numbers at every call with the same
/// weights.
std::vector<double> bounds(const Model& model, const data::Images& images);

/// "log_likelihood" where bounds() is log p(v) + log Z itself, else "log_likelihood_bound".
std::string figure_name(const Model& model);

/// log Z: exact where it can be enumerated, and by annealed importance sampling (whose cost is
/// noted first where it is more than seconds).
struct Normaliser {
  std::optional<double> exact;
  LogZ annealed;
  double best() const { return exact.value_or(annealed.value); }
};
Normaliser normaliser(const Machine& machine, const AisOptions& options, Console& console);

/// bounds() less log Z.
std::vector<double> log_likelihoods(const Model& model, const data::Images& images,
                                    const AisOptions& options, Console& console);

/// figure_name(), log_z with its interval, effective_runs, and where Z can be enumerated
/// log_z_exact, with which the likelihood is computed then.
std::vector<Figure> evaluate(const Model& model, const data::Images& images,
                             const AisOptions& options, Console& console);

}  // namespace genera::zoo::boltzmann
