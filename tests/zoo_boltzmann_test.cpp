// What genera-boltzmann says of likelihoods, on machines so small that everything can be enumerated.
#include <doctest/doctest.h>

#include <genera/functions.h>

#include <cmath>
#include <map>
#include <numeric>
#include <vector>

#include "tests/boltzmann_enumeration.h"
#include "zoo/boltzmann/model.h"
#include "zoo/boltzmann/visible_machine.h"

namespace genera::zoo::boltzmann {
namespace {

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

TEST_CASE(
    "without the second layer's weights a deep machine is as likely as its first layer alone") {
  const auto machine = layered(4, {3, 2}, 10);
  const LayeredMachine first = machine->first();
  const Tensor v = all_states(4);
  const auto likelihoods = [&](const Machine& one) {
    const double log_z = *exact_log_z(one);
    std::vector<double> values = log_probability_bound(one, v, 30).to_vector<double>();
    for (double& value : values) value -= log_z;
    return values;
  };
  const auto alone = likelihoods(first), connected = likelihoods(*machine);
  machine->weight(1).set(zeros({3, 2}));
  const auto deep = likelihoods(*machine);
  double difference = 0;
  for (std::size_t i = 0; i < alone.size(); ++i) {
    CHECK(deep[i] == doctest::Approx(alone[i]).epsilon(1e-6));
    difference = std::max(difference, std::abs(connected[i] - alone[i]));
  }
  CHECK(difference > 0.1);
  machine->weight(0).set(zeros({4, 3}));  // the parameters are the same, not copies
  CHECK(likelihoods(first)[5] != doctest::Approx(alone[5]).epsilon(1e-3));
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
}  // namespace genera::zoo::boltzmann
