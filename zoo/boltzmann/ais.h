/// The partition function: by enumeration where that is possible, else by annealed importance
/// sampling.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "zoo/boltzmann/machine.h"
#include "zoo/common/console.h"

namespace genera::zoo::boltzmann {

struct AisOptions {
  std::int64_t betas = 14500;  ///< steps from the base-rate model to the machine
  std::int64_t runs = 100;
  std::uint64_t seed = 0;
};

struct LogZ {
  double value = 0;
  /// log of the estimate of Z less and plus three of its standard errors; low is -infinity when the
  /// error is larger than the estimate.
  double low = 0, high = 0;
  /// (sum w)^2 / sum w^2 of the runs' weights: of how many equally good runs the estimate is worth.
  double effective_runs = 0;
};

/// The inverse temperatures: `betas` + 1 numbers from 0 to 1 in the proportions of Salakhutdinov
/// and Murray (2008, section 5.1): 500 up to 0.5, 4,000 up to 0.9, 10,000 up to 1.
std::vector<double> ais_ladder(std::int64_t betas);

/// Annealed importance sampling (Neal, 2001; Salakhutdinov and Murray, 2008, section 4.1), weights
/// in f64. The estimate of Z is unbiased, that of log Z too small on average: likelihoods come out
/// too large where the runs do not find all modes.
LogZ annealed_log_z(const Machine& machine, const AisOptions& options, Console& console);

/// Seconds that annealed_log_z would take, from a few of its steps.
double annealing_seconds(const Machine& machine, const AisOptions& options);

/// log of the mean of exp(log_weights), with three standard errors.
LogZ summarise(const std::vector<double>& log_weights);

/// The most units of a chain whose states are enumerated.
inline constexpr std::int64_t largest_enumeration = 20;

/// log Z exactly, by summing over all states of a chain (in f64); nothing when it has more than `most`
/// units.
std::optional<double> exact_log_z(const Machine& machine, std::int64_t most = largest_enumeration);

/// All states of `count` binary units as rows (2^count, count), f32.
Tensor all_states(std::int64_t count);

/// A machine's chain (of `sizes`) from rows (N, sum of sizes).
Units split_chain(const Tensor& rows, const std::vector<std::int64_t>& sizes);

}  // namespace genera::zoo::boltzmann
