#include "zoo/boltzmann/sampler.h"

#include <genera/functions.h>
#include <genera/ops.h>

namespace genera::zoo::boltzmann {
namespace {

// From 0 to 1, both included.
std::vector<double> even_ladder(std::int64_t count) {
  std::vector<double> betas;
  for (std::int64_t t = 0; t < count; ++t)
    betas.push_back(count > 1 ? static_cast<double>(t) / static_cast<double>(count - 1) : 1);
  return betas;
}

// (count * chains, 1): each chain's inverse temperature.
Tensor rows_of(const std::vector<double>& betas, std::int64_t chains) {
  std::vector<float> rows;
  for (double beta : betas)
    rows.insert(rows.end(), static_cast<std::size_t>(chains), static_cast<float>(beta));
  return Tensor::from(rows, Shape{std::ssize(rows), 1});
}

}  // namespace

Units exchange(const Machine& machine, const Units& samples, const std::vector<double>& betas,
               std::int64_t round, const Key& key) {
  const auto temperatures = std::ssize(betas);
  const std::int64_t rows = samples[0].size(0), chains = rows / temperatures;
  std::vector<std::int32_t> own, partner, lower;
  std::vector<float> beta_difference;
  for (std::int64_t t = 0; t < temperatures; ++t) {
    std::int64_t other = (t - round) % 2 == 0 ? t + 1 : t - 1;
    if (other < 0 || other >= temperatures) other = t;
    for (std::int64_t i = 0; i < chains; ++i) {
      own.push_back(static_cast<std::int32_t>(t * chains + i));
      partner.push_back(static_cast<std::int32_t>(other * chains + i));
      lower.push_back(static_cast<std::int32_t>(std::min(t, other) * chains + i));
      beta_difference.push_back(static_cast<float>(betas[static_cast<std::size_t>(t)] -
                                                   betas[static_cast<std::size_t>(other)]));
    }
  }
  const Shape shape{rows};
  const Tensor to = Tensor::from(partner, shape);
  // log p_a(x_b) p_b(x_a) / p_a(x_a) p_b(x_b) = (beta_a - beta_b) (D(x_a) - D(x_b)) with D = E -
  // E_base; both rows of a pair compare it with the same number.
  const Tensor difference = machine.energy(samples) - machine.base_energy(samples);
  const Tensor log_ratio =
      Tensor::from(beta_difference, shape) * (difference - gather(difference, to));
  const Tensor u = gather(random_uniform(key, shape), Tensor::from(lower, shape));
  const Tensor source = where(less(u, exp(minimum(log_ratio, 0))), to, Tensor::from(own, shape));
  Units result;
  for (const Tensor& layer : samples) result.push_back(gather(layer, source));
  return result;
}

Sampler::Sampler(const Machine& machine, const SamplerOptions& options, const std::string& name,
                 const Key& key)
    : options_(options) {
  if (options_.training == Training::cd) return;
  if (options_.training == Training::pcd) options_.temperatures = 1;
  std::size_t i = 0;
  for (const Tensor& layer : machine.base_chain(options_.chains * options_.temperatures, key))
    chain_.emplace_back(name + "." + std::to_string(i++), layer.eval(), false);
}

Units Sampler::statistics(const Machine& machine, const Units& data, std::int64_t step,
                          const Key& key, std::vector<Update>& updates) const {
  const bool tempered = options_.training == Training::pt;
  const std::vector<double> ladder = even_ladder(options_.temperatures);
  const Tensor beta = tempered ? rows_of(ladder, options_.chains) : scalar(1);
  const auto layers = std::ssize(machine.chain_sizes());
  Units chain = options_.training == Training::cd ? machine.chain_from(data, key.fold_in(0))
                                                  : Units(chain_.begin(), chain_.begin() + layers);
  Sweep sweep;
  for (std::int64_t k = 1; k <= options_.sweeps; ++k) {
    sweep = machine.sweep(chain, beta, key.fold_in(static_cast<std::uint64_t>(2 * k)));
    if (tempered)
      sweep.samples = exchange(machine, sweep.samples, ladder, step * options_.sweeps + k,
                               key.fold_in(static_cast<std::uint64_t>(2 * k + 1)));
    chain = machine.chain_of(sweep.samples);
  }
  if (!chain_.empty())
    for (std::size_t i = 0; i < chain.size(); ++i) updates.push_back({chain_[i], chain[i]});
  Units statistics = std::move(sweep.statistics);
  if (tempered)
    for (Tensor& layer : statistics)
      layer = slice(layer, 0, layer.size(0) - options_.chains, layer.size(0));
  return statistics;
}

}  // namespace genera::zoo::boltzmann
