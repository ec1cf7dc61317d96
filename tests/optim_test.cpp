#include <doctest/doctest.h>
#include <genera/error.h>
#include <genera/functions.h>
#include <genera/nn.h>
#include <genera/optim.h>
#include <genera/stats.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <numbers>
#include <vector>

#include "tests/golden_cases.h"

namespace genera {
namespace {

using Values = std::vector<double>;

/// One parameter and its optimiser, in double on the host: the rule as its paper writes it.
using Rule = std::function<void(int step, Values& p, const Values& g)>;

const std::vector<float> start = {0.5f, -1.25f, 2.0f, 0.0f, 3.0f, -0.01f};
const std::vector<float> goal = {1.0f, 1.0f, -1.0f, 0.0f, 2.5f, 4.0f};

/// d/dp sum((p - goal)^2 * (1 + step)) on the host.
Values host_gradient(const Values& p, int step) {
  Values g;
  for (std::size_t i = 0; i < p.size(); ++i) g.push_back(2 * (p[i] - goal[i]) * (1 + step));
  return g;
}

Tensor loss_at(const State& p, int step) {
  return sum(square(p.value() - Tensor::from(goal, p.shape())) * (1.0 + step));
}

/// Runs the engine's optimiser and the rule side by side.
void check_against(optim::Optimizer& optimizer, const State& p, const Rule& rule) {
  Values expected(start.begin(), start.end());
  for (int step = 0; step < 12; ++step) {
    rule(step + 1, expected, host_gradient(expected, step));
    optimizer.step(grad(loss_at(p, step), optimizer.parameters()));
    const std::vector<float> got = p.value().to_vector<float>();
    for (std::size_t i = 0; i < got.size(); ++i) {
      INFO("step ", step, " element ", i);
      CHECK(got[i] == doctest::Approx(expected[i]).epsilon(2e-5));
    }
  }
  CHECK(optimizer.steps() == 12);
}

State parameter(const std::string& name = "p") { return {name, Tensor::from(start, Shape{2, 3})}; }

TEST_CASE("sgd follows its rule: plain, momentum, nesterov, weight decay") {
  for (const double momentum : {0.0, 0.9}) {
    for (const bool nesterov : {false, true}) {
      for (const double decay : {0.0, 0.1}) {
        CAPTURE(momentum);
        CAPTURE(nesterov);
        CAPTURE(decay);
        const State p = parameter();
        optim::Sgd sgd(
            {p}, {.lr = 0.003, .momentum = momentum, .nesterov = nesterov, .weight_decay = decay});
        Values velocity(6, 0.0);
        check_against(sgd, p, [&](int, Values& x, const Values& gradient) {
          for (std::size_t i = 0; i < x.size(); ++i) {
            const double g = gradient[i] + decay * x[i];
            velocity[i] = momentum * velocity[i] + g;
            const double move =
                momentum == 0 ? g : (nesterov ? g + momentum * velocity[i] : velocity[i]);
            x[i] -= 0.003 * move;
          }
        });
      }
    }
  }
}

Rule adam_rule(double lr, double beta1, double beta2, double eps, double decay, bool decoupled) {
  return [=, m = Values(6, 0.0), v = Values(6, 0.0)](int t, Values& x,
                                                     const Values& gradient) mutable {
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double g = gradient[i] + (decoupled ? 0 : decay * x[i]);
      if (decoupled) x[i] -= lr * decay * x[i];
      m[i] = beta1 * m[i] + (1 - beta1) * g;
      v[i] = beta2 * v[i] + (1 - beta2) * g * g;
      const double m_hat = m[i] / (1 - std::pow(beta1, t)), v_hat = v[i] / (1 - std::pow(beta2, t));
      x[i] -= lr * m_hat / (std::sqrt(v_hat) + eps);
    }
  };
}

TEST_CASE("adam follows algorithm 1, also with beta1 = 0, a large eps and weight decay") {
  struct Case {
    double lr, beta1, beta2, eps, decay;
  };
  for (const Case& c : {Case{1e-1, 0.9, 0.999, 1e-8, 0}, Case{2e-2, 0.0, 0.9, 1e-8, 0},
                        Case{1e-1, 0.5, 0.999, 0.1, 0}, Case{1e-1, 0.9, 0.99, 1e-8, 0.3}}) {
    const State p = parameter();
    optim::Adam adam(
        {p},
        {.lr = c.lr, .beta1 = c.beta1, .beta2 = c.beta2, .eps = c.eps, .weight_decay = c.decay});
    check_against(adam, p, adam_rule(c.lr, c.beta1, c.beta2, c.eps, c.decay, false));
  }
}

TEST_CASE("adamw decays apart from the gradient, and only where chosen") {
  const State p = parameter();
  optim::AdamW adamw({p}, {.lr = 0.05, .weight_decay = 0.2});
  check_against(adamw, p, adam_rule(0.05, 0.9, 0.999, 1e-8, 0.2, true));

  const State weight = parameter("weight");
  const State bias("bias", Tensor::from<float>({1.0f, 2.0f}, {2}));
  optim::AdamW chosen({weight, bias}, {.lr = 0.1, .weight_decay = 0.5, .decays = optim::is_matrix});
  // No gradient at all: what moves is decay.
  chosen.step(grad(sum(weight.value() * 0.0) + sum(bias.value() * 0.0), chosen.parameters()));
  CHECK(weight.value().to_vector<float>()[2] == doctest::Approx(2.0 * 0.95));
  CHECK(bias.value().to_vector<float>() == std::vector<float>{1.0f, 2.0f});
}

TEST_CASE("adamax follows algorithm 2, also where gradients vanish and with weight decay") {
  struct Case {
    double lr, beta1, beta2, eps, decay;
  };
  for (const Case& c : {Case{1e-1, 0.9, 0.999, 1e-8, 0}, Case{2e-2, 0.0, 0.5, 1e-8, 0},
                        Case{1e-1, 0.5, 0.9, 0.1, 0.3}}) {
    const State p = parameter();
    optim::Adamax adamax(
        {p},
        {.lr = c.lr, .beta1 = c.beta1, .beta2 = c.beta2, .eps = c.eps, .weight_decay = c.decay});
    Values m(6, 0.0), u(6, 0.0);
    check_against(adamax, p, [&](int t, Values& x, const Values& gradient) {
      for (std::size_t i = 0; i < x.size(); ++i) {
        const double g = gradient[i] + c.decay * x[i];
        m[i] = c.beta1 * m[i] + (1 - c.beta1) * g;
        u[i] = std::max(c.beta2 * u[i], std::abs(g) + c.eps);
        x[i] -= c.lr / (1 - std::pow(c.beta1, t)) * m[i] / u[i];
      }
    });
  }
}

TEST_CASE("rmsprop follows its rule: plain, centered, momentum, weight decay") {
  for (const bool centered : {false, true}) {
    for (const double momentum : {0.0, 0.8}) {
      CAPTURE(centered);
      CAPTURE(momentum);
      const State p = parameter();
      optim::RmsProp rmsprop({p}, {.lr = 0.01,
                                   .alpha = 0.9,
                                   .eps = 1e-3,
                                   .weight_decay = 0.05,
                                   .momentum = momentum,
                                   .centered = centered});
      Values square(6, 0.0), mean(6, 0.0), buffer(6, 0.0);
      check_against(rmsprop, p, [&](int, Values& x, const Values& gradient) {
        for (std::size_t i = 0; i < x.size(); ++i) {
          const double g = gradient[i] + 0.05 * x[i];
          square[i] = 0.9 * square[i] + 0.1 * g * g;
          mean[i] = 0.9 * mean[i] + 0.1 * g;
          const double variance = square[i] - (centered ? mean[i] * mean[i] : 0);
          buffer[i] = momentum * buffer[i] + g / (std::sqrt(variance) + 1e-3);
          x[i] -= 0.01 * buffer[i];
        }
      });
    }
  }
}

std::unique_ptr<optim::Optimizer> optimizer_of(const test::GoldenCase& c, const State& p) {
  const double lr = c.attribute("lr", 0.0), decay = c.attribute("weight_decay", 0.0);
  const double momentum = c.attribute("momentum", 0.0), eps = c.attribute("eps", 1e-8);
  const auto betas = c.attribute("betas", std::vector<double>{0.9, 0.999});
  const std::vector<State> parameters{p};
  if (c.operation() == "sgd")
    return std::make_unique<optim::Sgd>(
        parameters, optim::SgdOptions{lr, momentum, c.attribute("nesterov", false), decay});
  if (c.operation() == "rmsprop")
    return std::make_unique<optim::RmsProp>(
        parameters, optim::RmsPropOptions{lr, c.attribute("alpha", 0.99), eps, decay, momentum,
                                          c.attribute("centered", false)});
  const optim::AdamOptions options{lr, betas[0], betas[1], eps, decay};
  if (c.operation() == "adam") return std::make_unique<optim::Adam>(parameters, options);
  return std::make_unique<optim::AdamW>(parameters, options);
}

TEST_CASE("trajectories are PyTorch's") {
  for (const test::GoldenCase& c : test::golden_cases({"sgd", "adam", "adamw", "rmsprop"})) {
    CAPTURE(c.name());
    const State p("p", c.tensor("start"));
    const Tensor a = c.tensor("A"), b = c.tensor("b");
    const auto optimizer = optimizer_of(c, p);
    const std::vector<double> path = test::GoldenCase::values(c.output("path"));
    const auto n = static_cast<std::size_t>(p.shape()[0]);
    for (std::size_t step = 0; step < path.size() / n; ++step) {
      const Tensor loss = sum(p.value() * matmul(a, p.value())) * 0.5 - sum(b * p.value());
      optimizer->step(grad(loss, optimizer->parameters()));
      const auto got = p.value().to_vector<float>();
      for (std::size_t i = 0; i < n; ++i)
        CHECK(std::abs(got[i] - path[step * n + i]) <= 1e-6 * (1 + std::abs(got[i])));
    }
  }
}

TEST_CASE("groups have options of their own; the learning rate changes without a new plan") {
  const State a = parameter("a.weight"), b = parameter("b.weight");
  optim::Sgd sgd({a, b}, {.lr = 0.1},
                 {{[](const State& s) { return s.name().starts_with("b."); }, {.lr = 0.01}}});
  const auto step = [&] { sgd.step(grad(sum(a.value()) + sum(b.value()), sgd.parameters())); };
  step();
  CHECK(a.value().to_vector<float>()[0] == doctest::Approx(0.4));
  CHECK(b.value().to_vector<float>()[0] == doctest::Approx(0.49));
  step();
  const auto made = stats().plans_made;
  sgd.scale_learning_rate(0.5);
  sgd.set_learning_rate(0.02, 1);
  step();
  CHECK(a.value().to_vector<float>()[0] == doctest::Approx(0.25));
  CHECK(b.value().to_vector<float>()[0] == doctest::Approx(0.47));
  CHECK(stats().plans_made == made);
  CHECK(sgd.learning_rate(0) == 0.1);
}

TEST_CASE("states bring an optimiser back exactly") {
  const auto run = [](int steps, int interrupt_at) {
    State p = parameter();
    auto adam = std::make_unique<optim::Adam>(std::vector{p}, optim::AdamOptions{.lr = 0.05});
    for (int step = 0; step < steps; ++step) {
      if (step == interrupt_at) {
        const State fresh("p", detach(p.value()));
        auto other =
            std::make_unique<optim::Adam>(std::vector{fresh}, optim::AdamOptions{.lr = 0.05});
        const auto from = adam->states(), to = other->states();
        REQUIRE(from.size() == to.size());
        for (std::size_t i = 0; i < from.size(); ++i) {
          CHECK(from[i].name() == to[i].name());
          to[i].set(from[i].value());
        }
        CHECK(other->steps() == step);
        adam = std::move(other);
        p = fresh;
      }
      adam->step(grad(loss_at(p, step), adam->parameters()));
    }
    return p.value().to_vector<float>();
  };
  const std::vector<float> whole = run(6, -1);
  for (int at = 0; at < 6; ++at) CHECK(run(6, at) == whole);
}

TEST_CASE("names of optimiser states") {
  const State p = parameter("encoder.0.weight");
  const optim::Adam adam({p}, {.name = "generator"});
  std::vector<std::string> names;
  for (const State& state : adam.states()) names.push_back(state.name());
  CHECK(names == std::vector<std::string>{"generator.gradient_sum.encoder.0.weight",
                                          "generator.square_sum.encoder.0.weight",
                                          "generator.step"});
}

TEST_CASE("the loss and the metrics of a step stay readable") {
  const State p = parameter();
  optim::Sgd sgd({p}, {.lr = 0.01});
  const Tensor loss = loss_at(p, 0);
  const Tensor largest = max(p.value());
  Context context = Context::training(Key(1));
  const State seen("seen", Tensor::from<float>({0.0f}, {1}), false);
  context.update(seen, seen.value() + 1.0);
  sgd.step(grad(loss, sgd.parameters()), {context.take_updates(), {largest}});
  CHECK(loss.item<float>() == doctest::Approx(0.25 + 2.25 * 2.25 + 9 + 0.25 + 4.01 * 4.01));
  CHECK(largest.item<float>() == 3.0f);
  CHECK(seen.value().item<float>() == 1.0f);
}

TEST_CASE("clipping by global norm and by value") {
  const State a("a", Tensor::from<float>({3.0f, 0.0f}, {2}));
  const State b("b", Tensor::from<float>({4.0f}, {1}));
  const auto gradients = [&] {
    return grad((sum(square(a.value())) + sum(square(b.value()))) * 0.5, std::vector{a, b});
  };
  CHECK(optim::global_norm(gradients()).item<float>() == doctest::Approx(5.0));
  const Gradients clipped = optim::clip_by_global_norm(gradients(), 1.0);
  CHECK(clipped[0].to_vector<float>()[0] == doctest::Approx(0.6));
  CHECK(clipped[1].item<float>() == doctest::Approx(0.8));
  const Gradients free = optim::clip_by_global_norm(gradients(), 100.0);
  CHECK(free[1].item<float>() == 4.0f);
  const Gradients limited = optim::clip_by_value(gradients(), 3.5);
  CHECK(limited[0].to_vector<float>() == std::vector<float>{3.0f, 0.0f});
  CHECK(limited[1].item<float>() == 3.5f);
}

TEST_CASE("accumulated gradients make the step of the whole batch") {
  const Tensor x = Tensor::from<float>({1, 2, 3, 4, 5, 6, 7, 8}, {4, 2});
  const auto loss = [](const State& w, const Tensor& rows) {
    return mean(square(matmul(rows, w.value())));
  };
  const std::vector<float> initial{0.5f, -0.25f};
  const State whole("w", Tensor::from(initial, Shape{2})),
      parts("w", Tensor::from(initial, Shape{2}));
  optim::Sgd all({whole}, {.lr = 0.01}), some({parts}, {.lr = 0.01});
  optim::GradientAccumulator accumulator({parts});
  CHECK_THROWS_AS(accumulator.take(), ArgumentError);
  for (int round = 0; round < 3; ++round) {
    const Tensor expected = loss(whole, x);
    all.step(grad(expected, all.parameters()));
    for (const int half : {0, 2})
      accumulator.add(grad(loss(parts, slice(x, 0, half, half + 2)), some.parameters()));
    Gradients means = accumulator.take();
    const Tensor got = means.loss;
    some.step(std::move(means));
    CHECK(got.item<float>() == doctest::Approx(expected.item<float>()).epsilon(1e-5));
    const auto a = whole.value().to_vector<float>(), b = parts.value().to_vector<float>();
    for (std::size_t i = 0; i < a.size(); ++i) CHECK(b[i] == doctest::Approx(a[i]).epsilon(1e-5));
  }
}

TEST_CASE("averages follow the parameters, swap in and out, and leave statistics alone") {
  const State p = parameter();
  const State statistics("running_mean", Tensor::from<float>({1.0f}, {1}), false);
  optim::Ema ema({p, statistics}, {.decay = 0.8});
  REQUIRE(ema.states().size() == 1);
  CHECK(ema.states()[0].name() == "ema.p");
  optim::Sgd sgd({p}, {.lr = 0.001});
  Values expected(start.begin(), start.end());
  for (int step = 0; step < 5; ++step) {
    sgd.step(grad(loss_at(p, step), sgd.parameters()), {.average = &ema});
    const auto now = p.value().to_vector<float>();
    for (std::size_t i = 0; i < now.size(); ++i) expected[i] = 0.8 * expected[i] + 0.2 * now[i];
  }
  const auto live = p.value().to_vector<float>();
  {
    const optim::UseAverages averages(ema);
    const auto shown = p.value().to_vector<float>();
    for (std::size_t i = 0; i < shown.size(); ++i)
      CHECK(shown[i] == doctest::Approx(expected[i]).epsilon(1e-5));
  }
  CHECK(p.value().to_vector<float>() == live);
}

TEST_CASE("cosine decay and clipping are PyTorch's") {
  for (const test::GoldenCase& c : test::golden_cases({"cosine"})) {
    const double lr = c.attribute("lr", 0.0);
    const auto schedule =
        optim::cosine(c.attribute("steps", std::int64_t{0}), c.attribute("eta_min", 0.0) / lr);
    const auto rates = test::GoldenCase::values(c.output("rates"));
    for (std::size_t step = 0; step < rates.size(); ++step)
      CHECK(lr * schedule(static_cast<std::int64_t>(step)) ==
            doctest::Approx(rates[step]).epsilon(1e-9));
  }
  for (const test::GoldenCase& c : test::golden_cases({"clip_by_norm"})) {
    const Gradients given{{c.tensor("first"), c.tensor("second")}, {}};
    CHECK(optim::global_norm(given).item<double>() ==
          doctest::Approx(test::GoldenCase::values(c.output("norm"))[0]).epsilon(1e-6));
    const Gradients clipped = optim::clip_by_global_norm(given, c.attribute("max_norm", 0.0));
    const char* names[] = {"clipped_first", "clipped_second"};
    for (std::size_t k = 0; k < 2; ++k) {
      const auto expected = test::GoldenCase::values(c.output(names[k]));
      const auto got = clipped[k].to_vector<float>();
      REQUIRE(got.size() == expected.size());
      for (std::size_t i = 0; i < got.size(); ++i)
        CHECK(got[i] == doctest::Approx(expected[i]).epsilon(1e-6));
    }
  }
}

TEST_CASE("schedules") {
  CHECK(optim::constant()(100) == 1.0);
  const auto rise = optim::linear_warm_up(4);
  CHECK(rise(0) == 0.25);
  CHECK(rise(3) == 1.0);
  CHECK(rise(50) == 1.0);
  const auto fall = optim::cosine(100, 0.1);
  CHECK(fall(0) == 1.0);
  CHECK(fall(50) == doctest::Approx(0.55));
  CHECK(fall(100) == doctest::Approx(0.1));
  CHECK(fall(1000) == doctest::Approx(0.1));
  const auto stairs = optim::step_decay(10, 0.5);
  CHECK(stairs(9) == 1.0);
  CHECK(stairs(20) == 0.25);
  CHECK(optim::exponential(0.9)(2) == doctest::Approx(0.81));
  const auto both = optim::warm_up_cosine(10, 110);
  CHECK(both(0) == doctest::Approx(0.1));
  CHECK(both(10) == 1.0);
  CHECK(both(60) == doctest::Approx(0.5));
  CHECK(both(110) == doctest::Approx(0.0));
  CHECK_THROWS_AS(optim::cosine(0), ArgumentError);
  CHECK_THROWS_AS(optim::warm_up_cosine(10, 10), ArgumentError);
}

TEST_CASE("what an optimiser refuses") {
  const State p = parameter();
  const State statistics("running_mean", Tensor::from<float>({1.0f}, {1}), false);
  const State indices("indices", Tensor::from<std::int32_t>({1}, {1}));
  CHECK_THROWS_AS(optim::Adam({}), ArgumentError);
  CHECK_THROWS_WITH_AS(optim::Adam({p, p}), "[adam] got a parameter twice", ArgumentError);
  CHECK_THROWS_WITH_AS(
      optim::Sgd({statistics}),
      "[sgd] 'running_mean' is not trainable: pass parameters(...), not states(...)",
      ArgumentError);
  CHECK_THROWS_WITH_AS(optim::Sgd({indices}), "[sgd] parameter 'indices' must be floating, got i32",
                       ArgumentError);
  optim::Adam adam({p});
  CHECK_THROWS_AS(adam.step(Gradients{}), ArgumentError);
  CHECK_THROWS_WITH_AS(adam.step({{Tensor::from<float>({1.0f}, {1})}, {}}),
                       "[adam] parameter 'p' is (2,3) f32, its gradient (1) f32", ArgumentError);
  CHECK(adam.steps() == 0);
  CHECK(p.value().to_vector<float>() == start);
}

TEST_CASE("parameters of several dtypes train together") {
  const State single("single", Tensor::from<float>({1.0f, -1.0f}, {2}));
  const State wide("wide", Tensor::from<double>({1.0, -1.0}, {2}));
  optim::Adam adam({single, wide}, {.lr = 0.1});
  for (int step = 0; step < 3; ++step)
    adam.step(grad(sum(square(single.value())) + sum(cast(square(wide.value()), DType::f32)),
                   adam.parameters()));
  const auto a = single.value().to_vector<float>();
  const auto b = wide.value().to_vector<double>();
  CHECK(b[0] == doctest::Approx(a[0]).epsilon(1e-5));
  CHECK(b[0] < 0.8);
}

}  // namespace
}  // namespace genera
