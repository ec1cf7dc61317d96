/// Machines so small that everything can be enumerated, and what enumeration says of them.
#pragma once

#include <doctest/doctest.h>

#include <genera/functions.h>

#include <cmath>
#include <cstdint>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "zoo/boltzmann/ais.h"
#include "zoo/boltzmann/layered_machine.h"
#include "zoo/common/log_sum_exp.h"

namespace genera::zoo::boltzmann {

using Row = std::vector<double>;
using Sizes = std::vector<std::int64_t>;

/// All parameters (and the base-rate model) random, so large that units depend on each other.
inline void randomise(const Machine& machine, std::uint64_t seed, double deviation = 1) {
  std::uint64_t i = 0;
  for (const State& state : machine.states())
    state.set((random_normal(Key(seed).fold_in(i++), state.shape()) *
               (state.name().find("variance") == std::string::npos ? deviation : 0.3))
                  .eval());
}

inline std::shared_ptr<LayeredMachine> layered(std::int64_t visible, const Sizes& hidden,
                                               std::uint64_t seed, double deviation = 1) {
  auto machine = std::make_shared<LayeredMachine>(make_binary_units(visible), hidden, Key(0));
  randomise(*machine, seed, deviation);
  return machine;
}

inline State state_of(const Machine& machine, const std::string& name) {
  for (const State& state : machine.states())
    if (state.name() == name) return state;
  FAIL("no state ", name);
  return {};
}

inline std::vector<double> numbers(const Tensor& tensor) {
  return cast(tensor, DType::f64).to_vector<double>();
}

/// -(1 - beta) E_base(x) - beta E(x) of a binary layered machine, written out.
inline double log_weight_by_hand(const LayeredMachine& machine, const std::vector<Row>& x,
                                 double beta) {
  const Row base = numbers(state_of(machine, "visible.base_bias")),
            bias = numbers(state_of(machine, "visible.bias"));
  double own = 0, path = 0;
  for (std::size_t i = 0; i < bias.size(); ++i) {
    own += bias[i] * x[0][i];
    path += (1 - beta) * base[i] * x[0][i];
  }
  for (std::size_t l = 0; l < machine.depth(); ++l) {
    const Row weight = numbers(machine.weight(l)), above = numbers(machine.bias(l + 1));
    for (std::size_t j = 0; j < above.size(); ++j) {
      own += above[j] * x[l + 1][j];
      for (std::size_t i = 0; i < x[l].size(); ++i)
        own += x[l][i] * weight[i * above.size() + j] * x[l + 1][j];
    }
  }
  return path + beta * own;
}

inline std::vector<std::vector<Row>> all_layers(const Sizes& sizes) {
  const auto units = std::accumulate(sizes.begin(), sizes.end(), std::int64_t{0});
  std::vector<std::vector<Row>> result;
  for (std::int64_t state = 0; state < std::int64_t{1} << units; ++state) {
    std::vector<Row> x;
    std::int64_t bit = 0;
    for (std::int64_t size : sizes) {
      Row layer;
      for (std::int64_t i = 0; i < size; ++i)
        layer.push_back(static_cast<double>((state >> bit++) & 1));
      x.push_back(layer);
    }
    result.push_back(x);
  }
  return result;
}

/// The number that a row of bits stands for.
inline std::size_t code(const std::vector<float>& bits, std::size_t row, std::size_t width) {
  std::size_t number = 0;
  for (std::size_t i = 0; i < width; ++i)
    number |= static_cast<std::size_t>(bits[row * width + i]) << i;
  return number;
}

inline std::vector<double> frequencies(const Tensor& rows) {
  const auto bits = rows.to_vector<float>();
  const auto n = static_cast<std::size_t>(rows.size(0)),
             width = static_cast<std::size_t>(rows.size(1));
  std::vector<double> count(std::size_t{1} << width);
  for (std::size_t r = 0; r < n; ++r) count[code(bits, r, width)] += 1.0 / static_cast<double>(n);
  return count;
}

/// p_beta of all states of a chain, by the machine's own log_weight (which has its own test).
inline std::vector<double> chain_distribution(const Machine& machine, double beta) {
  const Sizes sizes = machine.chain_sizes();
  const auto units = std::accumulate(sizes.begin(), sizes.end(), std::int64_t{0});
  std::vector<double> p =
      machine.log_weight(split_chain(all_states(units), sizes), scalar(beta, DType::f64))
          .to_vector<double>();
  LogSumExp sum;
  for (double w : p) sum.add(w);
  for (double& w : p) w = std::exp(w - sum.value());
  return p;
}

/// Rows drawn from a distribution over the states of `units` bits.
inline Tensor drawn_from(const std::vector<double>& p, std::int64_t count, std::int64_t units,
                         const Key& key) {
  std::vector<float> logits;
  for (double q : p) logits.push_back(static_cast<float>(std::log(q)));
  const Tensor table =
      broadcast_to(Tensor::from(logits, Shape{1, std::ssize(p)}), Shape{count, std::ssize(p)});
  return gather(all_states(units), random_categorical(key, table)).eval();
}

/// Pearson's statistic of the observed frequencies of n draws, as a standard normal number (it has
/// states - 1 degrees of freedom; Wilson and Hilferty).
inline double surprise(const std::vector<double>& seen, const std::vector<double>& p, double n) {
  double chi = 0, freedom = -1, rest_seen = 0, rest_p = 0;
  for (std::size_t i = 0; i < p.size(); ++i) {
    if (n * p[i] < 10) {  // too rare to be normal: together
      rest_seen += seen[i];
      rest_p += p[i];
      continue;
    }
    chi += n * (seen[i] - p[i]) * (seen[i] - p[i]) / p[i];
    freedom += 1;
  }
  if (n * rest_p >= 10) {
    chi += n * (rest_seen - rest_p) * (rest_seen - rest_p) / rest_p;
    freedom += 1;
  }
  return (std::cbrt(chi / freedom) - (1 - 2 / (9 * freedom))) / std::sqrt(2 / (9 * freedom));
}

}  // namespace genera::zoo::boltzmann
