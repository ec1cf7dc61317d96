/// Where the model's statistics of a training step come from.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "zoo/boltzmann/machine.h"

namespace genera::zoo::boltzmann {

enum class Training {
  /// Contrastive divergence: k sweeps from the data (Hinton, 2002).
  cd,
  /// Persistent chains, also called stochastic maximum likelihood (Tieleman, "Training restricted
  /// Boltzmann machines using approximations to the likelihood gradient", 2008).
  pcd,
  /// The same with each chain at several inverse temperatures on the path of machine.h, which
  /// exchange their states (Desjardins et al., "Tempered Markov chain Monte Carlo for training of
  /// restricted Boltzmann machines", 2010).
  pt,
};

struct SamplerOptions {
  Training training = Training::pcd;
  std::int64_t sweeps = 1;  ///< k, a step
  std::int64_t chains = 100;
  std::int64_t temperatures = 10;  ///< pt
};

/// Chains that training keeps from step to step.
class Sampler {
 public:
  /// `name` begins the names of states().
  Sampler(const Machine& machine, const SamplerOptions& options, const std::string& name,
          const Key& key);

  const std::vector<State>& states() const { return chain_; }
  /// The statistics of step `step` of `machine`, or of its lower layers alone, given those of the
  /// data; what the chains become is appended to `updates`.
  Units statistics(const Machine& machine, const Units& data, std::int64_t step, const Key& key,
                   std::vector<Update>& updates) const;

 private:
  SamplerOptions options_;
  std::vector<State> chain_;  // pt: row t * chains + i is chain i at temperature t
};

/// Metropolis exchange of neighbours on a ladder (Desjardins et al., 2010, equation 4): `samples`
/// row t * chains + i is chain i at inverse temperature betas[t]. In odd rounds the pairs are (1,2),
/// (3,4), ..., in even ones (0,1), (2,3), ....
Units exchange(const Machine& machine, const Units& samples, const std::vector<double>& betas,
               std::int64_t round, const Key& key);

}  // namespace genera::zoo::boltzmann
