// The parts of genera-boltzmann on machines so small that everything can be enumerated.
#include <doctest/doctest.h>

#include <genera/functions.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <vector>

#include "zoo/boltzmann/ais.h"
#include "zoo/boltzmann/layered_machine.h"
#include "zoo/boltzmann/model.h"
#include "zoo/boltzmann/sampler.h"
#include "zoo/boltzmann/visible_machine.h"
#include "zoo/common/log_sum_exp.h"

namespace genera::zoo {
namespace {

using Row = std::vector<double>;
using Sizes = std::vector<std::int64_t>;

// All parameters (and the base-rate model) random, so large that units depend on each other.
void randomise(const Machine& machine, std::uint64_t seed, double deviation = 1) {
  std::uint64_t i = 0;
  for (const State& state : machine.states())
    state.set((random_normal(Key(seed).fold_in(i++), state.shape()) *
               (state.name().find("variance") == std::string::npos ? deviation : 0.3))
                  .eval());
}

std::shared_ptr<LayeredMachine> layered(std::int64_t visible, const Sizes& hidden,
                                        std::uint64_t seed, double deviation = 1) {
  auto machine = std::make_shared<LayeredMachine>(make_binary_units(visible), hidden, Key(0));
  randomise(*machine, seed, deviation);
  return machine;
}

State state_of(const Machine& machine, const std::string& name) {
  for (const State& state : machine.states())
    if (state.name() == name) return state;
  FAIL("no state ", name);
  return {};
}

std::vector<double> numbers(const Tensor& tensor) {
  return cast(tensor, DType::f64).to_vector<double>();
}

// -(1 - beta) E_base(x) - beta E(x) of a binary layered machine, written out.
double log_weight_by_hand(const LayeredMachine& machine, const std::vector<Row>& x, double beta) {
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

std::vector<std::vector<Row>> all_layers(const Sizes& sizes) {
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

// The number that a row of bits stands for.
std::size_t code(const std::vector<float>& bits, std::size_t row, std::size_t width) {
  std::size_t number = 0;
  for (std::size_t i = 0; i < width; ++i)
    number |= static_cast<std::size_t>(bits[row * width + i]) << i;
  return number;
}

std::vector<double> frequencies(const Tensor& rows) {
  const auto bits = rows.to_vector<float>();
  const auto n = static_cast<std::size_t>(rows.size(0)),
             width = static_cast<std::size_t>(rows.size(1));
  std::vector<double> count(std::size_t{1} << width);
  for (std::size_t r = 0; r < n; ++r) count[code(bits, r, width)] += 1.0 / static_cast<double>(n);
  return count;
}

// p_beta of all states of a chain, by the machine's own log_weight (which has its own test).
std::vector<double> chain_distribution(const Machine& machine, double beta) {
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

// Rows drawn from a distribution over the states of `units` bits.
Tensor drawn_from(const std::vector<double>& p, std::int64_t count, std::int64_t units,
                  const Key& key) {
  std::vector<float> logits;
  for (double q : p) logits.push_back(static_cast<float>(std::log(q)));
  const Tensor table =
      broadcast_to(Tensor::from(logits, Shape{1, std::ssize(p)}), Shape{count, std::ssize(p)});
  return gather(all_states(units), random_categorical(key, table)).eval();
}

// Pearson's statistic of the observed frequencies of n draws, as a standard normal number (it has
// states - 1 degrees of freedom; Wilson and Hilferty).
double surprise(const std::vector<double>& seen, const std::vector<double>& p, double n) {
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

TEST_CASE("log_weight sums the even layers out, and exact_log_z the odd ones") {
  for (const Sizes& hidden : {Sizes{3}, Sizes{3, 2}, Sizes{2, 3, 2}}) {
    const auto machine = layered(4, hidden, 7);
    Sizes sizes = {4};
    sizes.insert(sizes.end(), hidden.begin(), hidden.end());
    for (double beta : {0.0, 0.3, 1.0}) {
      std::map<std::size_t, LogSumExp> by_chain;
      LogSumExp all;
      for (const auto& x : all_layers(sizes)) {
        std::size_t chain = 0, bit = 0;
        for (std::size_t l = 1; l < x.size(); l += 2)
          for (double unit : x[l]) chain |= static_cast<std::size_t>(unit) << bit++;
        by_chain[chain].add(log_weight_by_hand(*machine, x, beta));
        all.add(log_weight_by_hand(*machine, x, beta));
      }
      const Sizes chain_sizes = machine->chain_sizes();
      const auto units = std::accumulate(chain_sizes.begin(), chain_sizes.end(), std::int64_t{0});
      const auto weights =
          machine->log_weight(split_chain(all_states(units), chain_sizes), scalar(beta, DType::f64))
              .to_vector<double>();
      REQUIRE(weights.size() == by_chain.size());
      for (std::size_t i = 0; i < weights.size(); ++i)
        CHECK(weights[i] == doctest::Approx(by_chain[i].value()).epsilon(1e-6));
      if (beta == 0) CHECK(machine->base_log_z() == doctest::Approx(all.value()).epsilon(1e-9));
      if (beta == 1) CHECK(*exact_log_z(*machine) == doctest::Approx(all.value()).epsilon(1e-6));
    }
  }
}

TEST_CASE("the gain of a step is the difference of the weights, also of a short one") {
  std::vector<std::shared_ptr<const Machine>> machines = {layered(6, {3}, 5, 3),
                                                          layered(6, {3, 4}, 6, 3)};
  const auto gaussian = std::make_shared<LayeredMachine>(make_gaussian_units(4), Sizes{3}, Key(0));
  randomise(*gaussian, 7);
  machines.push_back(gaussian);
  for (const auto& machine : machines)
    for (const auto& [from, to] :
         std::vector<std::pair<float, float>>{{0.f, 1.f}, {0.5f, 0.5f + 0x1p-14f}}) {
      const Units chain = {all_states(3)};
      const auto exact = (machine->log_weight(chain, scalar(to, DType::f64)) -
                          machine->log_weight(chain, scalar(from, DType::f64)))
                             .to_vector<double>();
      const auto gain =
          machine->log_weight_gain(chain, scalar(from), scalar(to)).to_vector<double>();
      for (std::size_t i = 0; i < exact.size(); ++i)
        CHECK(std::abs(gain[i] - exact[i]) < 2e-6 * (to - from) * 30);
    }
}

TEST_CASE("the energy is what its formula says") {
  const auto machine = layered(3, {2, 2}, 8);
  for (const auto& x : all_layers({3, 2, 2})) {
    Units units;
    for (const Row& layer : x)
      units.push_back(cast(Tensor::from(layer, Shape{1, std::ssize(layer)}), DType::f32));
    const double expected = -log_weight_by_hand(*machine, x, 1);
    CHECK(machine->energy(units, DType::f64).item<double>() ==
          doctest::Approx(expected).epsilon(1e-5));
    CHECK(-machine->base_energy(units).item<double>() ==
          doctest::Approx(log_weight_by_hand(*machine, x, 0)).epsilon(1e-5));
  }
}

TEST_CASE("likelihoods: exact with one hidden layer, a bound that rounds improve with two") {
  const Tensor v = all_states(4);
  for (const Sizes& hidden : {Sizes{3}, Sizes{3, 2}}) {
    const auto machine = layered(4, hidden, 9);
    Sizes sizes = {4};
    sizes.insert(sizes.end(), hidden.begin(), hidden.end());
    std::vector<LogSumExp> exact(16);
    for (const auto& x : all_layers(sizes)) {
      std::size_t image = 0;
      for (std::size_t i = 0; i < 4; ++i) image |= static_cast<std::size_t>(x[0][i]) << i;
      exact[image].add(log_weight_by_hand(*machine, x, 1));
    }
    const auto bound = log_probability_bound(*machine, v, 30).to_vector<double>();
    const auto rough = log_probability_bound(*machine, v, 1).to_vector<double>();
    for (std::size_t i = 0; i < 16; ++i) {
      if (hidden.size() == 1) {
        CHECK(bound[i] == doctest::Approx(exact[i].value()).epsilon(1e-5));
      } else {
        CHECK(bound[i] <= exact[i].value() + 1e-5);
        CHECK(bound[i] > exact[i].value() - 1);
        CHECK(bound[i] >= rough[i] - 1e-5);
      }
    }
  }
}

TEST_CASE("Gibbs sampling arrives at p_beta and stays there") {
  constexpr std::int64_t chains = 20000;
  std::vector<std::shared_ptr<const Machine>> machines = {
      layered(4, {3}, 10), layered(3, {2, 3}, 11), layered(3, {2, 2, 2}, 12)};
  const auto visible = std::make_shared<VisibleMachine>(4);
  randomise(*visible, 13);
  machines.push_back(visible);
  for (const auto& machine : machines)
    for (double beta : {0.6, 1.0}) {
      const std::vector<double> p = chain_distribution(*machine, beta);
      Units chain = machine->base_chain(chains, Key(1));
      for (std::uint64_t i = 0; i < 40; ++i) {
        chain = machine->chain_of(machine->sweep(chain, scalar(beta), Key(2).fold_in(i)).samples);
        eval(chain);
      }
      CHECK(surprise(frequencies(concat(chain, 1)), p, chains) < 4);
    }
}

TEST_CASE("Gaussian machines: log Z by numerical integration, the sampler's moments") {
  LayeredMachine machine(make_gaussian_units(1), {2}, Key(0));
  randomise(machine, 14);
  const double b = numbers(state_of(machine, "visible.bias"))[0],
               s = std::exp(numbers(state_of(machine, "visible.log_variance"))[0]),
               b0 = numbers(state_of(machine, "visible.base_mean"))[0],
               s0 = std::exp(numbers(state_of(machine, "visible.base_log_variance"))[0]);
  const Row w = numbers(machine.weight(0)), c = numbers(machine.bias(1));
  for (double beta : {0.0, 0.4, 1.0}) {
    double z = 0, moment = 0, square = 0;
    constexpr double width = 1e-3;
    for (double v = -20; v < 20; v += width)
      for (int h = 0; h < 4; ++h) {
        const double h0 = h & 1, h1 = h >> 1;
        const double u = (v - b0) / std::sqrt(s0);
        const double energy =
            (u - b) * (u - b) / (2 * s) - u / s * (w[0] * h0 + w[1] * h1) - c[0] * h0 - c[1] * h1;
        const double p = width * std::exp(-(1 - beta) * u * u / 2 - beta * energy);
        z += p;
        moment += v * p;
        square += v * v * p;
      }
    LogSumExp sum;
    for (double weight :
         machine.log_weight({all_states(2)}, scalar(beta, DType::f64)).to_vector<double>())
      sum.add(weight);
    CHECK(sum.value() == doctest::Approx(std::log(z)).epsilon(1e-6));
    if (beta == 0) CHECK(machine.base_log_z() == doctest::Approx(std::log(z)).epsilon(1e-6));
    constexpr std::int64_t chains = 20000;
    Units x = machine.base_chain(chains, Key(3));
    for (std::uint64_t i = 0; i < 40; ++i) {
      x = machine
              .sweep(machine.chain_of(x.size() > 1 ? x : Units{x[0], x[0]}), scalar(beta),
                     Key(4).fold_in(i))
              .samples;
      eval(x);
    }
    const double mean = moment / z, variance = square / z - mean * mean;
    const double seen = genera::mean(x[0]).item<double>();
    CHECK(std::abs(seen - mean) < 4 * std::sqrt(variance / chains));
    CHECK(genera::mean(genera::square(x[0])).item<double>() - seen * seen ==
          doctest::Approx(variance).epsilon(0.05));
  }
}

TEST_CASE("AIS finds the exact log Z within three of its standard errors") {
  Console console(true);
  std::vector<std::shared_ptr<const Machine>> machines = {
      layered(60, {16}, 20, 0.3), layered(40, {12, 20}, 21, 0.3), layered(20, {8, 10, 8}, 22, 0.3)};
  const auto visible = std::make_shared<VisibleMachine>(12);
  randomise(*visible, 23, 0.5);
  machines.push_back(visible);
  const auto gaussian = std::make_shared<LayeredMachine>(make_gaussian_units(10), Sizes{8}, Key(0));
  randomise(*gaussian, 24, 0.3);
  machines.push_back(gaussian);
  for (const auto& machine : machines) {
    const double truth = *exact_log_z(*machine);
    const LogZ estimate = annealed_log_z(*machine, {.betas = 600, .runs = 100}, console);
    CAPTURE(truth);
    CAPTURE(estimate.value);
    CHECK(estimate.low <= truth);
    CHECK(truth <= estimate.high);
    CHECK(estimate.high - estimate.low < 1);
    CHECK(estimate.effective_runs > 5);
    CHECK(std::abs(machine->base_log_z() - truth) > 0.5);  // it had a way to go
  }
  CHECK_FALSE(exact_log_z(*layered(4, {21}, 1)).has_value());
}

TEST_CASE("the ladder of inverse temperatures is that of the paper") {
  const auto ladder = ais_ladder(14500);
  REQUIRE(ladder.size() == 14501);
  CHECK(ladder[500] == doctest::Approx(0.5));
  CHECK(ladder[4500] == doctest::Approx(0.9));
  CHECK(ladder[1] - ladder[0] == doctest::Approx(1e-3));
  CHECK(ladder[14500] - ladder[14499] == doctest::Approx(1e-5));
  for (std::int64_t betas : {1, 2, 3, 10, 77}) {
    const auto few = ais_ladder(betas);
    CHECK(std::ssize(few) == betas + 1);
    CHECK(few.front() == 0);
    CHECK(few.back() == 1);
    for (std::size_t i = 1; i < few.size(); ++i) CHECK(few[i] > few[i - 1]);
  }
}

TEST_CASE("weights are summarised with their error") {
  const LogZ same = summarise({5, 5, 5, 5});
  CHECK(same.value == doctest::Approx(5));
  CHECK(same.effective_runs == doctest::Approx(4));
  CHECK(same.high == doctest::Approx(5));
  // Weights 1 and 3: mean 2, standard error of the mean 1.
  const LogZ two = summarise({1000 + std::log(1.0), 1000 + std::log(3.0)});
  CHECK(two.value == doctest::Approx(1000 + std::log(2.0)));
  CHECK(two.effective_runs == doctest::Approx(1.6));
  CHECK(two.high == doctest::Approx(1000 + std::log(5.0)));
  CHECK(std::isinf(two.low));
}

// Sum over all states of p(x) dE/dparameter minus the mean over the data, by autodiff of the exact
// log-likelihood.
std::vector<Tensor> exact_gradients(const LayeredMachine& machine, const Tensor& data,
                                    const std::vector<State>& parameters) {
  const Tensor all = all_states(machine.visible_size());
  const auto log_p = [&](const Tensor& v) {
    return sum(softplus(matmul(v, machine.weight(0)) + machine.bias(1)), {1}) +
           sum(v * state_of(machine, "visible.bias").value(), {1});
  };
  return grad(logsumexp(log_p(all)) - mean(log_p(data)), parameters).values;
}

double largest_difference(const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
  double largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    largest = std::max(largest, max(abs(a[i] - b[i])).item<double>());
  return largest;
}

TEST_CASE("contrastive divergence becomes the exact gradient as k grows") {
  const auto machine = layered(4, {3}, 30, 1.5);
  const std::vector<State> parameters = machine->parameters();
  constexpr std::int64_t rows = 40000;
  const Tensor data = broadcast_to(Tensor::from({1.f, 0.f, 1.f, 1.f}, Shape{1, 4}), Shape{rows, 4});
  const auto exact = exact_gradients(*machine, data, parameters);
  const auto error = [&](std::int64_t k) {
    const Sampler sampler(*machine, {.training = Training::cd, .sweeps = k}, "chain", Key(0));
    std::vector<Update> updates;
    const Units positive = machine->infer(data, 1);
    const Units negative = sampler.statistics(positive, 0, Key(5), updates);
    CHECK(updates.empty());
    return largest_difference(grad(contrast(*machine, positive, negative), parameters).values,
                              exact);
  };
  const double one = error(1), five = error(5), many = error(60);
  CHECK(one > 2 * five);
  CHECK(many < 4 * 0.5 / std::sqrt(static_cast<double>(rows)));
  CHECK(one > 10 * many);
}

TEST_CASE("persistent and tempered chains give the exact gradient in time") {
  const auto machine = layered(4, {3}, 31, 1.5);
  const std::vector<State> parameters = machine->parameters();
  const Tensor data = Tensor::from({1.f, 0.f, 1.f, 1.f}, Shape{1, 4});
  const auto exact = exact_gradients(*machine, data, parameters);
  for (const Training training : {Training::pcd, Training::pt}) {
    constexpr std::int64_t chains = 10000;
    const Sampler sampler(*machine,
                          {.training = training, .sweeps = 2, .chains = chains, .temperatures = 4},
                          "chain", Key(0));
    std::vector<Tensor> gradients;
    for (std::int64_t step = 0; step < 30; ++step) {
      std::vector<Update> updates;
      const Units positive = machine->infer(data, 1);
      const Units negative = sampler.statistics(
          positive, step, Key(6).fold_in(static_cast<std::uint64_t>(step)), updates);
      CHECK(negative[0].size(0) == chains);
      gradients = grad(contrast(*machine, positive, negative), parameters).values;
      eval(gradients);
      commit(std::move(updates));
    }
    CHECK(largest_difference(gradients, exact) < 4 * 0.5 / std::sqrt(double{chains}));
  }
}

TEST_CASE("exchanging neighbours leaves every temperature's distribution as it is") {
  const auto machine = layered(3, {3}, 32, 1.5);
  const std::vector<double> betas = {0, 0.35, 0.7, 1};
  constexpr std::int64_t chains = 20000;
  // Samples of (h, v), so that both layers' exchange shows: h of p_beta, v given h.
  std::vector<Tensor> h, v;
  for (std::size_t t = 0; t < betas.size(); ++t) {
    const auto p = chain_distribution(*machine, betas[t]);
    h.push_back(drawn_from(p, chains, 3, Key(40).fold_in(t)));
    const Tensor even = machine->sweep({h.back()}, scalar(betas[t]), Key(41).fold_in(t)).samples[0];
    v.push_back(even.eval());
  }
  const Units before = {concat(v, 0), concat(h, 0)};
  for (std::int64_t round : {0, 1}) {
    const Units after = exchange(*machine, before, betas, round, Key(42));
    std::int64_t moved = 0;
    for (std::size_t t = 0; t < betas.size(); ++t) {
      const auto begin = static_cast<std::int64_t>(t) * chains;
      const Tensor own = slice(after[1], 0, begin, begin + chains);
      CHECK(surprise(frequencies(own), chain_distribution(*machine, betas[t]), chains) < 4);
      // v and h moved together: v given h is still p_beta(v | h)
      const Tensor again = mean(machine->sweep({own}, scalar(betas[t]), Key(43)).samples[0] -
                                    slice(after[0], 0, begin, begin + chains),
                                {0});
      CHECK(max(abs(again)).item<double>() < 5 * std::sqrt(0.5 / double{chains}));
      moved += sum(cast(not_equal(own, slice(before[1], 0, begin, begin + chains)), DType::i32))
                   .item<std::int64_t>();
    }
    CHECK(moved > chains / 10);
    // nothing is lost or made twice
    const Tensor rows = concat({after[0], after[1]}, 1),
                 old_rows = concat({before[0], before[1]}, 1);
    CHECK(frequencies(rows) == frequencies(old_rows));
  }
}

TEST_CASE("centred gradients do not depend on what is called 0 and what 1") {
  const auto machine = layered(5, {4, 3}, 33);
  // The same machine of v' = 1 - v.
  const auto flipped = layered(5, {4, 3}, 33);
  const State w = machine->weight(0), b = state_of(*machine, "visible.bias");
  flipped->weight(0).set((-w.value()).eval());
  state_of(*flipped, "visible.bias").set((-b.value()).eval());
  flipped->bias(1).set((machine->bias(1) + sum(w, {0})).eval());
  const auto random_units = [](std::uint64_t seed) {
    Units x;
    for (std::int64_t size : {5, 4, 3})
      x.push_back(random_uniform(Key(seed).fold_in(x.size()), Shape{6, size}).eval());
    return x;
  };
  const Units data = random_units(50), model = random_units(51);
  const auto gradients = [&](const LayeredMachine& m, bool flip) {
    Units d = data, n = model;
    if (flip) {
      d[0] = 1 - d[0];
      n[0] = 1 - n[0];
    }
    const auto parameters = m.parameters();
    std::map<std::string, Tensor> named;
    auto values = m.centred(parameters, grad(contrast(m, d, n), parameters).values, d, n);
    for (std::size_t i = 0; i < parameters.size(); ++i) named[parameters[i].name()] = values[i];
    return named;
  };
  auto own = gradients(*machine, false), other = gradients(*flipped, true);
  REQUIRE(own.contains("weight_1"));
  const auto same = [](const Tensor& a, const Tensor& b) {
    return max(abs(a - b)).item<double>() < 1e-5;
  };
  CHECK(same(other["weight_1"], -own["weight_1"]));
  CHECK(same(other["weight_2"], own["weight_2"]));
  CHECK(same(other["visible.bias"], -own["visible.bias"]));
  CHECK(same(other["bias_1"], own["bias_1"] + sum(own["weight_1"], {0})));
  CHECK(same(other["bias_2"], own["bias_2"]));
  CHECK(max(abs(own["weight_1"])).item<double>() > 0.01);
}

TEST_CASE("the fully visible machine: gradient of the exact likelihood = difference of moments") {
  VisibleMachine machine(4);
  randomise(machine, 34);
  const Tensor data = Tensor::from({1.f, 0.f, 1.f, 1.f, 0.f, 0.f, 1.f, 0.f}, Shape{2, 4});
  const Tensor loss = mean(machine.energy({data}, DType::f32)) +
                      logsumexp(-machine.energy({all_states(4)}, DType::f32));
  const auto gradients = grad(loss, {machine.coupling(), machine.bias()});
  const auto p = chain_distribution(machine, 1);
  const auto states = all_states(4).to_vector<float>();
  const auto rows = data.to_vector<float>();
  const auto u = gradients[0].to_vector<float>(), b = gradients[1].to_vector<float>();
  for (std::size_t i = 0; i < 4; ++i)
    for (std::size_t j = 0; j < 4; ++j) {
      double expected = 0;
      for (std::size_t s = 0; s < 16; ++s) expected += p[s] * states[4 * s + i] * states[4 * s + j];
      for (std::size_t r = 0; r < 2; ++r) expected -= rows[4 * r + i] * rows[4 * r + j] / 2;
      if (i < j) CHECK(u[4 * i + j] == doctest::Approx(expected).epsilon(1e-4));
      if (i > j) CHECK(u[4 * i + j] == 0);
      if (i == j) CHECK(b[i] == doctest::Approx(expected).epsilon(1e-4));
    }
}

TEST_CASE("completion keeps what is known and draws the rest from its conditional") {
  constexpr std::int64_t chains = 20000;
  const auto visible = std::make_shared<VisibleMachine>(4);
  randomise(*visible, 35);
  std::vector<std::shared_ptr<const Machine>> machines = {layered(4, {3}, 36),
                                                          layered(4, {3, 2}, 37), visible};
  const Tensor known = broadcast_to(
      Tensor::from_bytes(std::as_bytes(std::span<const bool>({true, false, false, true})),
                         DType::boolean, Shape{1, 4}),
      Shape{chains, 4});
  for (const auto& machine : machines) {
    Tensor v = broadcast_to(Tensor::from({1.f, 0.f, 0.f, 0.f}, Shape{1, 4}), Shape{chains, 4});
    Units chain = machine->chain_from(machine->infer(v, 5), Key(60));
    for (std::uint64_t i = 0; i < 60; ++i) {
      chain = machine->clamped_sweep(v, chain, known, Key(61).fold_in(i));
      std::vector<Tensor> all = chain;
      all.push_back(v);
      eval(all);
    }
    const auto seen = frequencies(v);
    // p(v) of v = (1, ?, ?, 0), by the exact bound of the machine or by enumeration
    std::vector<double> p(16);
    double total = 0;
    for (std::size_t s = 0; s < 16; ++s)
      if ((s & 1) == 1 && (s & 8) == 0) {
        LogSumExp sum;
        if (const auto* deep = dynamic_cast<const LayeredMachine*>(machine.get())) {
          Sizes sizes = {4, 3};
          if (deep->depth() == 2) sizes.push_back(2);
          for (const auto& x : all_layers(sizes)) {
            std::size_t image = 0;
            for (std::size_t i = 0; i < 4; ++i) image |= static_cast<std::size_t>(x[0][i]) << i;
            if (image == s) sum.add(log_weight_by_hand(*deep, x, 1));
          }
        } else {
          sum.add(std::log(chain_distribution(*machine, 1)[s]));
        }
        p[s] = std::exp(sum.value());
        total += p[s];
      }
    for (double& q : p) q /= total;
    CHECK(surprise(seen, p, chains) < 4);
    for (std::size_t s = 0; s < 16; ++s)
      if (p[s] == 0) CHECK(seen[s] == 0);
  }
}

TEST_CASE("deep belief nets: the weights of upward draws have the likelihood as their mean") {
  const auto lower = layered(4, {3}, 38);
  const auto top = layered(3, {2}, 39);
  const ImageShape shape{1, 2, 2};
  const Model model(shape, {lower}, top);
  // p(v) = sum over h of p(v | h) p_top(h), with p_top(h) by enumeration.
  std::vector<LogSumExp> top_weights(8);
  for (const auto& x : all_layers({3, 2})) {
    std::size_t state = 0;
    for (std::size_t i = 0; i < 3; ++i) state |= static_cast<std::size_t>(x[0][i]) << i;
    top_weights[state].add(log_weight_by_hand(*top, x, 1));
  }
  const Row w = numbers(lower->weight(0)), b = numbers(state_of(*lower, "visible.bias"));
  constexpr std::int64_t draws = 40000;
  for (std::size_t image : {0, 5, 11}) {
    LogSumExp exact;
    for (std::size_t h = 0; h < 8; ++h) {
      double log_p = top_weights[h].value();
      for (std::size_t i = 0; i < 4; ++i) {
        double a = b[i];
        for (std::size_t j = 0; j < 3; ++j) a += w[3 * i + j] * static_cast<double>((h >> j) & 1);
        log_p += (image >> i & 1 ? a : 0) - std::log1p(std::exp(a));
      }
      exact.add(log_p);
    }
    const Tensor one = slice(all_states(4), 0, static_cast<std::int64_t>(image),
                             static_cast<std::int64_t>(image) + 1);
    const auto weights =
        model.bound(broadcast_to(one, Shape{draws, 4}), 1, Key(70)).to_vector<double>();
    const LogZ estimate = summarise(weights);
    CHECK(estimate.low <= exact.value());
    CHECK(exact.value() <= estimate.high);
    CHECK(estimate.high - estimate.low < 0.3);
    const double mean = std::accumulate(weights.begin(), weights.end(), 0.0) / draws;
    CHECK(mean < exact.value() + 0.01);
    CHECK(mean > exact.value() - 3);
  }
}

TEST_CASE("models see images as they should") {
  const ImageShape shape{.channels = 1, .height = 4, .width = 4, .shrink = 2, .binary = true};
  const Model model(shape, {}, layered(4, {2}, 1));
  Tensor image = zeros({1, 1, 4, 4});
  image = slice_update(image, full({1, 1, 2, 2}, 0.5), {0, 0, 0, 2});
  CHECK(model.visible(image).to_vector<float>() == std::vector<float>{0, 1, 0, 0});
  CHECK(model.images(model.visible(image)).shape() == Shape{1, 1, 2, 2});
}

}  // namespace
}  // namespace genera::zoo
