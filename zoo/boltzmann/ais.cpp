#include "zoo/boltzmann/ais.h"

#include <fmt/core.h>
#include <genera/functions.h>
#include <genera/ops.h>
#include <genera/state.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <numeric>

#include "zoo/common/log_sum_exp.h"

namespace genera::zoo::boltzmann {
namespace {

// The runs side by side: chains and their weights as states that each step overwrites.
class Annealing {
 public:
  Annealing(const Machine& machine, const AisOptions& options)
      : machine_(machine),
        key_(Key(options.seed).fold_in(0xa15)),
        log_weights_("log_weights", full({options.runs}, machine.base_log_z(), DType::f64)) {
    for (const Tensor& layer : machine.base_chain(options.runs, key_.fold_in(0)))
      chain_.emplace_back("chain", layer.eval());
  }

  // From p_from to p_to: the weight of the step, then a transition that leaves p_to as it is.
  void step(double from, double to, std::int64_t index) {
    Units chain(chain_.begin(), chain_.end());
    const Tensor gain = machine_.log_weight_gain(chain, scalar(from), scalar(to));
    const Sweep next =
        machine_.sweep(chain, scalar(to), key_.fold_in(static_cast<std::uint64_t>(index) + 1));
    const Units moved = machine_.chain_of(next.samples);
    std::vector<Update> updates = {{log_weights_, log_weights_ + gain}};
    for (std::size_t i = 0; i < chain_.size(); ++i) updates.push_back({chain_[i], moved[i]});
    chain.clear();
    commit(std::move(updates));
  }

  std::vector<double> log_weights() const { return log_weights_.value().to_vector<double>(); }

 private:
  const Machine& machine_;
  Key key_;
  State log_weights_;
  std::vector<State> chain_;
};

}  // namespace

std::vector<double> ais_ladder(std::int64_t betas) {
  struct Stretch {
    double to;
    double share;
  };
  constexpr Stretch stretches[] = {{0.5, 500.0 / 14500}, {0.9, 4500.0 / 14500}, {1.0, 1.0}};
  std::vector<double> ladder = {0};
  std::int64_t done = 0;
  double from = 0;
  for (const auto& [to, share] : stretches) {
    const auto end = std::max<std::int64_t>(std::llround(share * static_cast<double>(betas)),
                                            to < 1 ? 0 : done + 1);
    for (std::int64_t i = done + 1; i <= end; ++i)
      ladder.push_back(from + (to - from) * static_cast<double>(i - done) /
                                  static_cast<double>(end - done));
    if (end > done) from = to;
    done = std::max(done, end);
  }
  ladder.back() = 1;
  return ladder;
}

LogZ summarise(const std::vector<double>& log_weights) {
  const auto n = static_cast<double>(log_weights.size());
  LogSumExp sum, sum_of_squares;
  for (double w : log_weights) {
    sum.add(w);
    sum_of_squares.add(2 * w);
  }
  LogZ result;
  result.value = sum.value() - std::log(n);
  result.effective_runs = std::exp(2 * sum.value() - sum_of_squares.value());
  // Relative variance of the mean weight: (n / effective - 1) / (n - 1).
  const double relative =
      n > 1 ? std::sqrt(std::max(n / result.effective_runs - 1, 0.0) / (n - 1)) : 0;
  result.high = result.value + std::log1p(3 * relative);
  result.low = 3 * relative < 1 ? result.value + std::log1p(-3 * relative)
                                : -std::numeric_limits<double>::infinity();
  return result;
}

LogZ annealed_log_z(const Machine& machine, const AisOptions& options, Console& console) {
  const std::vector<double> ladder = ais_ladder(options.betas);
  Annealing annealing(machine, options);
  console.start_progress(std::ssize(ladder) - 1, 0, static_cast<double>(options.runs), "sweeps");
  for (std::size_t k = 1; k < ladder.size(); ++k) {
    annealing.step(ladder[k - 1], ladder[k], static_cast<std::int64_t>(k));
    console.progress(static_cast<std::int64_t>(k), "AIS");
  }
  console.end_progress();
  return summarise(annealing.log_weights());
}

double annealing_seconds(const Machine& machine, const AisOptions& options) {
  constexpr int measured = 20;
  Annealing annealing(machine, options);
  annealing.step(0, 0, 0);
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 1; i <= measured; ++i) annealing.step(0, 0, i);
  annealing.log_weights();
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  return took.count() / measured * static_cast<double>(options.betas);
}

Tensor all_states(std::int64_t count) {
  const auto rows = std::int64_t{1} << count;
  std::vector<float> states;
  states.reserve(static_cast<std::size_t>(rows * count));
  for (std::int64_t row = 0; row < rows; ++row)
    for (std::int64_t bit = 0; bit < count; ++bit)
      states.push_back(static_cast<float>((row >> bit) & 1));
  return Tensor::from(states, Shape{rows, count});
}

Units split_chain(const Tensor& rows, const std::vector<std::int64_t>& sizes) {
  return split(rows, sizes, 1);
}

std::optional<double> exact_log_z(const Machine& machine, std::int64_t most) {
  constexpr std::int64_t states_at_once = 4096;
  const std::vector<std::int64_t> sizes = machine.chain_sizes();
  const auto units = std::accumulate(sizes.begin(), sizes.end(), std::int64_t{0});
  if (units > most) return std::nullopt;
  const Tensor states = all_states(units);
  LogSumExp sum;
  for (std::int64_t begin = 0; begin < states.size(0); begin += states_at_once) {
    const Tensor rows = slice(states, 0, begin, std::min(begin + states_at_once, states.size(0)));
    for (double w :
         machine.log_weight(split_chain(rows, sizes), scalar(1, DType::f64)).to_vector<double>())
      sum.add(w);
  }
  return sum.value();
}

}  // namespace genera::zoo::boltzmann
