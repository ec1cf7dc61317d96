// commit(): all or nothing, donation, and what stays readable.
#include <doctest/doctest.h>
#include <genera/functions.h>
#include <genera/optim.h>
#include <genera/random.h>
#include <genera/state.h>
#include <genera/stats.h>

#include <cmath>
#include <functional>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include "engine/plan/evaluate.h"

namespace genera {
namespace {

using Floats = std::vector<float>;

State state(const std::string& name, const Floats& values) {
  return State(name, Tensor::from(values, Shape{static_cast<std::int64_t>(values.size())}));
}
Floats values(const State& s) { return s.value().to_vector<float>(); }

template <class E>
std::string message_of(const std::function<void()>& body) {
  try {
    body();
  } catch (const E& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("commit writes the new value") {
  const State s = state("s", {1, 2, 3});
  commit({{s, s.value() * 2.0}});
  CHECK(values(s) == Floats{2, 4, 6});
  commit({{s, s.value() + s.value()}});
  CHECK(values(s) == Floats{4, 8, 12});
}

TEST_CASE("a donated state's step takes no new memory") {
  const State s("big", detach(zeros({1 << 20})));
  for (int i = 0; i < 3; ++i) commit({{s, s.value() * 0.5 + 1.0}});
  const std::size_t before = stats().tensor_bytes;
  const std::uint64_t requests = stats().system_requests;
  for (int i = 0; i < 5; ++i) commit({{s, s.value() * 0.5 + 1.0}});
  CHECK(stats().tensor_bytes == before);
  CHECK(stats().system_requests == requests);
}

TEST_CASE("a block is written into a state where it lies") {
  const State s = state("s", {1, 2, 3, 4, 5});
  const void* memory = evaluated_storage(s.value())->data();
  // The start is a tensor, and the block is made of the state's own values.
  const auto write = [&](int at) {
    const Tensor block = slice(s.value(), 0, 0, 2) * 10.0;
    commit({{s, dynamic_slice_update(s.value(), block, Tensor::from({at}, {1}))}});
  };
  write(3);
  CHECK(values(s) == Floats{1, 2, 3, 10, 20});
  write(1);
  CHECK(values(s) == Floats{1, 10, 20, 10, 20});
  CHECK(evaluated_storage(s.value())->data() == memory);

  const Tensor held = s.value();  // must not change
  write(0);
  CHECK(values(s) == Floats{10, 100, 20, 10, 20});
  CHECK(held.to_vector<float>() == Floats{1, 10, 20, 10, 20});

  // The whole state as its own block, shifted by nothing: both operands are the same memory.
  commit({{s, dynamic_slice_update(s.value(), s.value(), Tensor::from({0}, {1}))}});
  CHECK(values(s) == Floats{10, 100, 20, 10, 20});
}

TEST_CASE("a block is written only after the old values were read") {
  const State s = state("s", {1, 2, 3, 4});
  const State total = state("total", {0});
  const Tensor start = Tensor::from({1}, {1});
  commit({{s, dynamic_slice_update(s.value(), zeros({2}), start)},
          {total, sum(s.value(), {0}, true) + sum(exp(s.value() * 0.0), {0}, true)}});
  CHECK(values(s) == Floats{1, 0, 0, 4});
  CHECK(values(total) == Floats{14});
}

TEST_CASE("a value that needs no stored tensor is computed when it is asked for") {
  const Shape shape{1 << 20};
  const auto bytes = [] { return stats().tensor_bytes; };
  const std::size_t before = bytes();
  const State s("s", random_normal(Key(7), shape));
  const State never("never", ones(shape));
  CHECK(s.shape() == shape);
  CHECK(bytes() == before);
  never.set(Tensor::from(Floats(1 << 20, 2.0F), shape));
  CHECK(never.value().to_vector<float>()[0] == 2);
  const std::size_t with_one = bytes();
  std::vector<std::thread> threads;
  std::vector<Floats> seen(4);
  for (Floats& each : seen) threads.emplace_back([&] { each = values(s); });
  for (std::thread& thread : threads) thread.join();
  CHECK(bytes() == with_one + 4 * static_cast<std::size_t>(shape.elements()));
  for (const Floats& each : seen) CHECK(each == random_normal(Key(7), shape).to_vector<float>());
}

TEST_CASE("a value that needs a state is computed before that changes") {
  const State s = state("s", {1, 2, 3});
  const State t("t", s.value() * 2.0);
  commit({{s, s.value() * 10.0}});
  CHECK(values(t) == Floats{2, 4, 6});
}

TEST_CASE("what the user still holds is copied first") {
  const State s = state("s", {1, 2, 3});
  const Tensor held = s.value();
  commit({{s, s.value() * 10.0}});
  CHECK(held.to_vector<float>() == Floats{1, 2, 3});
  CHECK(values(s) == Floats{10, 20, 30});
  CHECK(sum(held * 2.0).item<float>() == 12);  // and computes on
}

TEST_CASE("a value shared by two states survives the step of one") {
  const Tensor start = Tensor::from(Floats{1, 2}, Shape{2});
  const State a("a", start), b("b", start);
  commit({{a, a.value() + 1.0}});
  CHECK(values(a) == Floats{2, 3});
  CHECK(values(b) == Floats{1, 2});
}

TEST_CASE("a loss stays readable after the step; what the step did not reach says so") {
  const State s = state("encoder.weight", {1, 2, 3});
  const Tensor squares = sum(s.value() * s.value());  // a metric
  const Tensor loss = exp(squares * 0.1);             // the gradient reaches it
  const Tensor elsewhere = exp(s.value());
  commit({{s, s.value() - grad(loss, std::vector<State>{s})[0] * 0.1}}, {squares});
  CHECK(squares.item<float>() == 14);
  CHECK(loss.item<float>() == doctest::Approx(std::exp(1.4)));
  CHECK(values(s)[2] == doctest::Approx(3 - 0.06 * std::exp(1.4)));
  const std::string message = message_of<ConsumedError>([&] { elsewhere.eval(); });
  INFO(message);
  CHECK(!message.empty());
}

TEST_CASE("a failing step changes nothing") {
  const State a = state("a", {1, 2}), b = state("b", {5, 6, 7});
  const Tensor bad = Tensor::from(std::vector<std::int32_t>{0, 9, 1}, Shape{3});
  const std::vector<Update> updates{{a, a.value() * 3.0}, {b, gather(b.value() * 2.0, bad)}};
  const std::string message = message_of<ArgumentError>([&] { commit(updates); });
  INFO(message);
  CHECK(message.find("gather") != std::string::npos);
  CHECK(message.find("9") != std::string::npos);
  CHECK(values(a) == Floats{1, 2});
  CHECK(values(b) == Floats{5, 6, 7});
  commit({{a, a.value() * 3.0}});
  CHECK(values(a) == Floats{3, 6});
}

TEST_CASE("bad updates are refused") {
  const State s = state("decoder.bias", {1, 2});
  const std::string twice = message_of<ArgumentError>([&] {
    commit({{s, s.value() + 1.0}, {s, s.value() + 2.0}});
  });
  CHECK(twice.find("decoder.bias") != std::string::npos);
  const std::string shape = message_of<ArgumentError>([&] { commit({{s, zeros({3})}}); });
  CHECK(shape.find("(2)") != std::string::npos);
  CHECK(shape.find("(3)") != std::string::npos);
  CHECK_THROWS_AS(commit({{s, zeros({2}, DType::f64)}}), ArgumentError);
  CHECK_THROWS_AS(commit({{State(), zeros({2})}}), ArgumentError);
  CHECK_THROWS_AS(commit({{s, Tensor()}}), ArgumentError);
  CHECK_THROWS_AS(s.set(zeros({5})), ArgumentError);
  CHECK(values(s) == Floats{1, 2});
}

TEST_CASE("states exchange their values, and one value goes to two") {
  const State a = state("a", {1, 2}), b = state("b", {3, 4});
  commit({{a, b.value()}, {b, a.value()}});
  CHECK(values(a) == Floats{3, 4});
  CHECK(values(b) == Floats{1, 2});
  commit({{a, b.value() * 1.0}, {b, a.value() * 1.0}});
  CHECK(values(a) == Floats{1, 2});
  CHECK(values(b) == Floats{3, 4});
  const Tensor both = a.value() + b.value();
  commit({{a, both}, {b, both}});
  CHECK(values(a) == Floats{4, 6});
  CHECK(values(b) == Floats{4, 6});
  commit({{a, a.value() + 1.0}});
  CHECK(values(a) == Floats{5, 7});
  CHECK(values(b) == Floats{4, 6});
  commit({{a, a.value()}});
  CHECK(values(a) == Floats{5, 7});
}

TEST_CASE("an update that reads the old value late does not see the new one") {
  const State s("s", detach(reshape(cast(arange(12), DType::f32), {3, 4})));
  const std::vector<float> old = s.value().to_vector<float>();
  // Reverses and transposes: every element is needed after another one has been written.
  commit({{s, reshape(transpose(flip(s.value(), {0, 1})), {3, 4})}});
  const std::vector<float> now = s.value().to_vector<float>();
  CHECK(now[0] == old[11]);
  CHECK(now[1] == old[7]);
  CHECK(now[2] == old[3]);
  CHECK(std::accumulate(now.begin(), now.end(), 0.0f) == 66);
}

TEST_CASE("the metrics of a step are computed in its plan") {
  const State s = state("s", {1, 2, 3, 4});
  const Tensor metric = mean(s.value());
  const std::uint64_t runs = stats().plans_made + stats().plans_reused;
  commit({{s, s.value() * 2.0}}, {metric});
  CHECK(stats().plans_made + stats().plans_reused == runs + 1);
  CHECK(metric.item<float>() == 2.5f);
}

}  // namespace genera
