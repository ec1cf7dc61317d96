// Evaluation: values and gradients in any order, long graphs, steady memory, threads.
#include <doctest/doctest.h>
#include <genera/functions.h>
#include <genera/nn.h>
#include <genera/optim.h>
#include <genera/profile.h>
#include <genera/random.h>
#include <genera/stats.h>

#include "engine/plan/evaluate.h"
#include "tests/thread_scope.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdio>
#include <thread>

namespace genera {
namespace {

Tensor line(std::int64_t n, double step = 0.37) {
  std::vector<float> values(static_cast<std::size_t>(n));
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<float>(std::sin(step * static_cast<double>(i + 1)));
  return Tensor::from(values, Shape{n});
}

/// The number before `word` in a plan's first line.
double plan_figure(const Tensor& x, const std::string& word) {
  const std::string text = plan_text({x});
  const std::size_t end = text.find(" " + word);
  REQUIRE(end != std::string::npos);
  const std::size_t start = text.rfind(' ', end - 1);
  return std::stod(text.substr(start + 1, end - start - 1));
}

/// sum over t of sin(x_t * w_t), where x is cut into T rows: its gradient adds T padded rows.
Tensor gradient_of_rows(std::int64_t count) {
  const Tensor x = detach(reshape(line(count * 8), {count, 8}));
  Tensor loss;
  for (std::int64_t t = 0; t < count; ++t) {
    const Tensor part = sum(sin(slice(x, 0, t, t + 1) * (1.0 + static_cast<double>(t))));
    loss = loss ? loss + part : part;
  }
  return grad(loss, {x})[0];
}

}  // namespace

TEST_CASE("item() before grad()") {
  const Tensor x = line(17);
  const auto build = [&] { return sum(exp(sin(x) * x)); };
  const Tensor cold = build();
  const std::vector<float> expected = grad(cold, {x})[0].to_vector<float>();
  const Tensor loss = build();
  const std::uint64_t recomputed = stats().nodes_recomputed;
  CHECK(loss.item<float>() == cold.item<float>());
  CHECK(grad(loss, {x})[0].to_vector<float>() == expected);
  CHECK(stats().nodes_recomputed >
        recomputed);  // what lies between was not kept, and that is counted
}

TEST_CASE("a handle in the middle is computed along and not again") {
  const Tensor x = line(33);
  const Tensor middle = exp(x);
  const Tensor end = sum(middle * 2.0);
  end.eval();
  const std::uint64_t plans = stats().plans_made + stats().plans_reused;
  CHECK(middle.to_vector<float>()[0] == doctest::Approx(std::exp(std::sin(0.37))));
  CHECK(stats().plans_made + stats().plans_reused == plans);
}

TEST_CASE("a chain of 100,000 nodes builds, differentiates, runs and dies") {
  const std::int64_t before = stats().live_nodes;
  {
    const Tensor x = line(4);
    Tensor y = x;
    for (int i = 0; i < 50000; ++i) y = sin(y + x);
    CHECK(stats().live_nodes - before >= 100000);
    const Tensor loss = sum(y);
    const Gradients gradients = grad(loss, {x});
    for (const float g : gradients[0].to_vector<float>()) CHECK(std::isfinite(g));
    CHECK(std::isfinite(loss.item<float>()));
  }
  CHECK(stats().live_nodes - before < 10);
}

TEST_CASE(
    "200 training steps of one shape: no plan and no memory from the system after the third") {
  const Key key(1);
  nn::Sequential net{nn::Linear(20, 33, key.fold_in(0)), nn::Relu{},
                     nn::Linear(33, 3, key.fold_in(1))};
  optim::Adam adam(parameters(net), {.lr = 1e-2f});
  Stats settled{}, end{};
  float first = 0, last = 0;
  for (int step = 0; step < 200; ++step) {
    const Tensor x =
        detach(random_normal(key.fold_in(100 + static_cast<std::uint64_t>(step)), {32, 20}));
    const Tensor target = detach(slice(x, 1, 0, 3) * 0.5);
    const Tensor loss = mse_loss(net(x), target);
    adam.step(grad(loss, adam.parameters()));
    last = loss.item<float>();
    if (step == 0) first = last;
    if (step == 2) settled = stats();
    if (step == 199) end = stats();
  }
  CHECK(end.plans_made == settled.plans_made);
  CHECK(end.system_requests == settled.system_requests);
  CHECK(end.system_bytes == settled.system_bytes);
  CHECK(end.tensor_bytes == settled.tensor_bytes);
  CHECK(end.live_nodes == settled.live_nodes);
  CHECK(end.plans_reused > settled.plans_reused);
  CHECK(last < 0.5f * first);
}

TEST_CASE("the gradient of a split moves memory that grows linearly with the number of parts") {
  const double small = plan_figure(gradient_of_rows(16), "bytes moved");
  const double large = plan_figure(gradient_of_rows(64), "bytes moved");
  INFO(small << " bytes for 16 parts, " << large << " for 64");
  CHECK(large < 4.5 * small);
}

TEST_CASE("sums of padded tensors that overlap have the bits of their parts") {
  // Zeros of both signs, and magnitudes whose sums depend on the order.
  const auto values = [](std::int64_t n, float phase) {
    std::vector<float> list;
    for (std::int64_t i = 0; i < n; ++i) {
      const float x = std::sin(phase * static_cast<float>(i + 1));
      list.push_back(i % 3 == 0 ? -0.0f : x * std::pow(10.0f, static_cast<float>(i % 5)));
    }
    return Tensor::from(list, Shape{n});
  };
  const Tensor whole = values(24, 0.7f), first = values(9, 1.3f), middle = values(8, 2.1f),
               last = values(10, 0.4f);
  const auto padded = [](const Tensor& x, std::int64_t lo) {
    return pad(x, {lo}, {24 - lo - x.size(0)});
  };
  const std::vector<std::function<Tensor()>> sums{
      [&] { return whole + padded(first, 0); },
      [&] { return padded(middle, 6) + whole; },
      [&] { return padded(first, 2) + padded(middle, 8) + padded(last, 14); },
      [&] { return ((whole + padded(last, 14)) + padded(middle, 6)) + padded(first, 0); },
      [&] { return (padded(first, 0) + padded(last, 5)) + (padded(middle, 3) + whole); },
  };
  for (const auto& sum : sums) {
    CHECK(plan_text({sum()}).find("Add") != std::string::npos);
    const std::vector<float> fused = sum().to_vector<float>();
    const PlanOptions before = plan_options();
    set_plan_options({.fuse = false});
    const std::vector<float> plain = sum().to_vector<float>();
    set_plan_options(before);
    for (std::size_t i = 0; i < plain.size(); ++i)
      CHECK(std::bit_cast<std::uint32_t>(fused[i]) == std::bit_cast<std::uint32_t>(plain[i]));
  }
  for (std::size_t i = 0; i < 4; ++i)
    CHECK(plan_text({sums[i]()}).find("Pad") == std::string::npos);
}

TEST_CASE("a literal that one part of a tensor holds and an earlier part depends on") {
  const Tensor x = detach(cast(arange(4), DType::f32));
  const Tensor rows = Tensor::from({0, 2}, Shape{2});
  const auto twice = [&](const Tensor& doubled) {
    return slice_update(doubled, zeros({4}), {0}) + doubled;
  };
  const Tensor y = twice(scatter_add(zeros({4}), rows, slice(x, 0, 2, 4), 0) * 2.0);
  CHECK(y.to_vector<float>() == std::vector<float>{4, 0, 6, 0});
}

TEST_CASE("a quotient by a root has the bits of its parts") {
  // One tile kernel computes a / (sqrt(b) + c); zeros, huge and negative b take its other way.
  std::vector<float> roots{0.0f, -0.0f, 1e-37f, 1e-35f, 3e38f, -1.0f, std::nanf(""), 1.0f, 2.0f};
  for (int i = 0; i < 1000; ++i)
    roots.push_back(std::exp2(static_cast<float>(i % 240 - 120)) * 1.37f);
  const Shape shape{static_cast<std::int64_t>(roots.size())};
  const Tensor b = Tensor::from(roots, shape), a = random_normal(Key(3), shape).eval();
  const Tensor c = full(shape, 1e-8);
  const Tensor quotient = a / (sqrt(b) + c);  // no handle on its parts lives on: they are joined
  const std::vector<float> fused = quotient.to_vector<float>();
  const std::vector<float> root = sqrt(b).to_vector<float>(), upper = a.to_vector<float>();
  for (std::size_t i = 0; i < roots.size(); ++i) {
    const float exact = std::sqrt(roots[i]);
    CHECK((std::isnan(exact)
               ? std::isnan(root[i])
               : std::bit_cast<std::uint32_t>(root[i]) == std::bit_cast<std::uint32_t>(exact)));
    const float expected = upper[i] / (std::sqrt(roots[i]) + 1e-8f);
    CHECK((fused[i] == expected || (std::isnan(fused[i]) && std::isnan(expected))));
  }
}

TEST_CASE("a loss and the gradient of a bias share one pass over the batch") {
  const Shape shape{128, 80};
  const Tensor x = random_normal(Key(1), shape).eval(), t = random_uniform(Key(2), shape).eval();
  const Tensor bias = random_normal(Key(3), {80}).eval();
  const Tensor loss = binary_cross_entropy_with_logits(x + bias, t, Reduction::sum);
  const std::string text = plan_text({loss, grad(loss, {bias})[0]});
  CAPTURE(text);
  CHECK(text.find("graph nodes, 2 steps") !=
        std::string::npos);  // the other one: 80 numbers to one
}

TEST_CASE("subnormal numbers count as zero, for the engine alone") {
  volatile float tiny = 1e-40f;
  const std::vector<float> values(1 << 17, float{tiny});
  for (int threads = 1; threads <= 4; ++threads) {
    const ThreadScope scope(threads);
    const Tensor x = Tensor::from(values, Shape{1 << 17});
    const std::vector<float> read = (x * 1e20).to_vector<float>();
    const std::vector<float> made = (full({1 << 17}, 1e-20) * 1e-20).to_vector<float>();
    CHECK(std::count(read.begin(), read.end(), 0.0f) == 1 << 17);
    CHECK(std::count(made.begin(), made.end(), 0.0f) == 1 << 17);
    CHECK(x.to_vector<float>() == values);  // what nobody computes with stays
    CHECK(tiny * 1.0f > 0.0f);              // the caller's arithmetic is as it was
  }
}

TEST_CASE("distinct graphs on four threads at once") {
  std::vector<std::vector<float>> expected, got(4);
  const auto work = [](int number) {
    const Tensor x = line(200 + number, 0.1 * (number + 1));
    std::vector<float> result;
    for (int round = 0; round < 30; ++round) {
      const Tensor loss = sum(softmax(x * (1.0 + round)) * x);
      const std::vector<float> g = grad(loss, {x})[0].to_vector<float>();
      result.insert(result.end(), g.begin(), g.end());
      result.push_back(loss.item<float>());
    }
    return result;
  };
  for (int i = 0; i < 4; ++i) expected.push_back(work(i));
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&, i] { got[static_cast<std::size_t>(i)] = work(i); });
  for (std::thread& thread : threads) thread.join();
  for (std::size_t i = 0; i < 4; ++i) CHECK(got[i] == expected[i]);
}

TEST_CASE("past the memory cap operations throw, and the engine goes on") {
  const Tensor x = line(64);
  x.eval();
  set_memory_cap(stats().system_bytes + (std::size_t{8} << 20));
  CHECK_THROWS_AS(exp(broadcast_to(x, {1000000, 64})).eval(), MemoryError);
  CHECK_THROWS_AS(sum(matmul(broadcast_to(x, {100000, 64}), zeros({64, 100000})) * 2.0).eval(),
                  MemoryError);
  const std::size_t live = stats().tensor_bytes;
  CHECK_THROWS_AS(eval({x + 2.0, exp(broadcast_to(x, {1000000, 64}))}), MemoryError);
  CHECK(stats().tensor_bytes == live);  // what was there for the first is free again
  CHECK(sum(x * 0.0 + 1.0).item<float>() == 64);
  set_memory_cap(0);
  CHECK(sum(exp(broadcast_to(x * 0.0, {1000000, 64}))).item<float>() == doctest::Approx(64e6));
}

TEST_CASE("eager mode computes as it builds") {
  set_eager_mode(true);
  const Tensor y = line(5) * 2.0;
  set_eager_mode(false);
  const std::uint64_t before = stats().plans_made + stats().plans_reused;
  CHECK(y.to_vector<float>().size() == 5);
  CHECK(stats().plans_made + stats().plans_reused == before);
}

TEST_CASE("moving, copying and emptying handles") {
  Tensor a = line(3);
  Tensor b = a;
  const Tensor c = std::move(a);
  b = b;
  b = {};
  CHECK(!b);
  CHECK(c.elements() == 3);
  CHECK_THROWS_AS(sin(b), ArgumentError);
}

}  // namespace genera
