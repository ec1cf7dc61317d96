// How genera-boltzmann samples and learns, on machines so small that everything can be enumerated.
#include <doctest/doctest.h>

#include <genera/functions.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <span>
#include <vector>

#include "tests/boltzmann_enumeration.h"
#include "zoo/boltzmann/sampler.h"
#include "zoo/boltzmann/visible_machine.h"

namespace genera::zoo::boltzmann {
namespace {

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
    const Units negative = sampler.statistics(*machine, positive, 0, Key(5), updates);
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
          *machine, positive, step, Key(6).fold_in(static_cast<std::uint64_t>(step)), updates);
      CHECK(negative[0].size(0) == chains);
      gradients = grad(contrast(*machine, positive, negative), parameters).values;
      eval(gradients);
      commit(std::move(updates));
    }
    CHECK(largest_difference(gradients, exact) < 4 * 0.5 / std::sqrt(double{chains}));
  }
}

TEST_CASE("the first layer alone draws the first layer's chains, and leaves the others") {
  const auto machine = layered(4, {3, 2, 3}, 33);
  const LayeredMachine first = machine->first();
  const Sampler sampler(*machine, {.chains = 5}, "chain", Key(0));
  REQUIRE(sampler.states().size() == 2);
  std::vector<Update> updates;
  const Units statistics =
      sampler.statistics(first, first.infer(all_states(4), 1), 0, Key(7), updates);
  CHECK(statistics.size() == 2);
  REQUIRE(updates.size() == 1);
  CHECK(updates[0].state == sampler.states()[0]);
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
  const Sizes sizes = {5, 4, 3};
  const auto random_units = [&](std::uint64_t seed) {
    Units x;
    for (std::int64_t size : sizes)
      x.push_back(random_uniform(Key(seed).fold_in(x.size()), Shape{6, size}).eval());
    return x;
  };
  const Units data = random_units(50), model = random_units(51);
  const auto gradients = [](const LayeredMachine& m, const Units& d, const Units& n) {
    const auto parameters = m.parameters();
    std::map<std::string, Tensor> named;
    const auto values = m.centred(parameters, grad(contrast(m, d, n), parameters).values, d, n);
    for (std::size_t i = 0; i < parameters.size(); ++i) named[parameters[i].name()] = values[i];
    return named;
  };
  const auto same = [](const Tensor& a, const Tensor& b) {
    return max(abs(a - b)).item<double>() < 1e-5;
  };
  const auto machine = layered(5, {4, 3}, 33);
  auto own = gradients(*machine, data, model);
  CHECK(max(abs(own.at("weight_1"))).item<double>() > 0.01);
  const std::vector<std::string> biases = {"visible.bias", "bias_1", "bias_2"},
                                 weights = {"weight_1", "weight_2"};
  for (std::size_t l = 0; l < 3; ++l) {
    // The same machine of x_l' = 1 - x_l: the weights and the bias of the layer change sign, and what
    // the layer no longer sends goes into its neighbours' biases. So must the gradients.
    const auto flipped = layered(5, {4, 3}, 33);
    Units flipped_data = data, flipped_model = model;
    flipped_data[l] = 1 - data[l];
    flipped_model[l] = 1 - model[l];
    std::map<std::string, Tensor> parameters, expected = own;
    for (const State& state : machine->parameters()) parameters[state.name()] = state.value();
    for (auto* values : {&parameters, &expected}) {
      auto& v = *values;
      if (l > 0) {
        v[biases[l - 1]] = v[biases[l - 1]] + sum(v[weights[l - 1]], {1});
        v[weights[l - 1]] = -v[weights[l - 1]];
      }
      if (l < 2) {
        v[biases[l + 1]] = v[biases[l + 1]] + sum(v[weights[l]], {0});
        v[weights[l]] = -v[weights[l]];
      }
      v[biases[l]] = -v[biases[l]];
    }
    for (const State& state : flipped->parameters()) state.set(detach(parameters.at(state.name())));
    const auto other = gradients(*flipped, flipped_data, flipped_model);
    for (const auto& [name, value] : other) {
      CAPTURE(l);
      CAPTURE(name);
      CHECK(same(value, expected.at(name)));
    }
  }
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

}  // namespace
}  // namespace genera::zoo::boltzmann
