// The Vulkan backend against the reference and the CPU backend, on the device that there is (see tests/meson.build). Without one every case fails with
// what to install.
#include <doctest/doctest.h>
#include <genera/autodiff.h>
#include <genera/device.h>
#include <genera/functions.h>
#include <genera/nn.h>
#include <genera/optim.h>
#include <genera/random.h>

#include "backends/backend.h"
#include "engine/plan/evaluate.h"
#include "tests/conformance_check.h"
#include "tests/random_graphs.h"
#include "tests/vulkan_counts.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace genera::cases {
namespace {

bool on_device(DType dtype) { return dtype != DType::f64 && dtype != DType::i64; }

/// A count of device_report().
std::int64_t counter(const std::string& name) {
  const OnBackend vulkan("vulkan");
  return zoo::counts_so_far().number(name);
}

template <class T>
std::vector<T> run_on(const char* backend, const std::function<Tensor()>& build) {
  const OnBackend here(backend);
  return build().to_vector<T>();
}

}  // namespace

TEST_SUITE_BEGIN("subset");

TEST_CASE("vulkan: there is a device") {
  const OnBackend vulkan("vulkan");
  MESSAGE(device_report());
  CHECK(counter("validation_messages") == 0);
}

TEST_CASE("vulkan: the same random integers and uniforms as on the CPU") {
  for (const std::int64_t n : {1, 7, 4096, 100001}) {
    const Key key = Key{42}.fold_in(static_cast<std::uint64_t>(n));
    const auto bits = [&] { return random_bits(key, Shape{n}); };
    CHECK(run_on<std::uint32_t>("vulkan", bits) == run_on<std::uint32_t>("cpu", bits));
    const auto uniform = [&] { return random_uniform(key, Shape{n}); };
    CHECK(run_on<float>("vulkan", uniform) == run_on<float>("cpu", uniform));
  }
}

TEST_CASE("vulkan: values move between devices and back, whole") {
  std::vector<float> numbers(70001);
  for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<float>(i) - 35000.0f;
  const Tensor x = Tensor::from(numbers, Shape{70001});
  Tensor y, z;
  {
    const OnBackend vulkan("vulkan");
    y = (x + 1.0).eval();
  }
  {
    const OnBackend cpu("cpu");
    z = (y + x).eval();
  }
  const OnBackend vulkan("vulkan");
  const std::vector<float> got = (z - x).to_vector<float>();
  for (std::size_t i = 0; i < numbers.size(); ++i) REQUIRE(got[i] == numbers[i] + 1.0f);
}

TEST_CASE("vulkan: reductions of every form, over several passes") {
  // Rows, columns, few long rows (in chunks), single numbers.
  const std::vector<std::pair<Shape, Axes>> shapes{
      {Shape{5, 3}, {1}},     {Shape{3, 70}, {1}},    {Shape{2, 9000}, {1}},
      {Shape{2000, 40}, {0}}, {Shape{40, 1100}, {0}}, {Shape{3, 50, 4}, {0, 2}},
      {Shape{17000}, {0}},    {Shape{1, 1}, {0}},     {Shape{9000, 2}, {0}}};
  for (const auto& [shape, axes] : shapes) {
    const Tensor x = random_normal(Key{3}, shape);
    const std::function<Tensor()> build = [&, &axes = axes] {
      const Tensor centred = x - mean(x, axes, true);
      const Tensor spread = sqrt(mean(centred * centred, axes, true) + 1e-5);
      return centred / spread + max(x, axes, true);
    };
    const auto got = run_on<float>("vulkan", build), expected = run_on<float>("cpu", build);
    for (std::size_t i = 0; i < got.size(); ++i) {
      INFO(to_string(shape) << " element " << i);
      REQUIRE(std::abs(got[i] - expected[i]) <= 2e-5f);
    }
  }
}

TEST_CASE("vulkan: a trained network follows the CPU's, in one submission per step") {
  const auto losses = [](const char* backend, std::int64_t* submissions) {
    const OnBackend here(backend);
    const Key key{7};
    nn::Linear first(12, 9, key.fold_in(0)), second(9, 3, key.fold_in(1));
    optim::Adam adam(parameters(first, second), {.lr = 1e-2f});
    std::vector<double> result;
    for (int step = 0; step < 5; ++step) {
      const Tensor x = random_normal(key.fold_in(static_cast<std::uint64_t>(100 + step)), {16, 12});
      const Tensor y = second(tanh(first(x)));
      const Tensor loss = mean(y * y - sigmoid(y));
      if (step == 4 && submissions) *submissions = -counter("submissions");
      adam.step(grad(loss, adam.parameters()));
      if (step == 4 && submissions) *submissions += counter("submissions");
      result.push_back(loss.item<double>());
    }
    return result;
  };
  std::int64_t submissions = 0;
  const auto got = losses("vulkan", &submissions), expected = losses("cpu", nullptr);
  for (std::size_t i = 0; i < got.size(); ++i)
    CHECK(std::abs(got[i] - expected[i]) <= 1e-5 * std::abs(expected[i]));
  if (!std::getenv("GENERA_VULKAN_LIMITS"))  // which may cut a step, or look at its red zones
    CHECK(submissions == 1);
  CHECK(counter("validation_messages") == 0);
}

/// Losses of five Adam steps of a network with every role of a convolution, an embedding and a determinant.
std::vector<double> convolutional_losses(const char* backend, bool fuse) {
  const OnBackend here(backend);
  const PlanOptions before = plan_options();
  set_plan_options({.fuse = fuse});
  const Key key{11};
  nn::Embedding embedding(6, 32, key.fold_in(0));
  nn::Conv2d down(2, 4, 3, key.fold_in(1), {.stride = 2, .padding = 1});
  nn::ConvTranspose2d up(4, 2, 4, key.fold_in(2), {.stride = 2, .padding = 1});
  nn::Linear mix(4, 4, key.fold_in(3), {.bias = false});
  optim::Adam adam(parameters(embedding, down, up, mix), {.lr = 1e-2f});
  const Tensor words = Tensor::from<std::int32_t>({0, 5, 2, 2, 5}, Shape{5});
  std::vector<double> losses;
  for (int step = 0; step < 5; ++step) {
    const Tensor x = reshape(embedding(words), {5, 2, 4, 4});
    const Tensor hidden = relu(down(x));
    const Tensor y = up(hidden);
    const Tensor difference = y - x * 0.5;
    const Tensor loss = mean(difference * difference) - slogdet(mix.weight()).logabsdet * 0.01;
    adam.step(grad(loss, adam.parameters()));
    losses.push_back(loss.item<double>());
  }
  set_plan_options(before);
  return losses;
}

TEST_CASE("vulkan: convolutions, an embedding and a determinant train like on the CPU") {
  const auto fused = convolutional_losses("vulkan", true);
  CHECK(fused == convolutional_losses("vulkan", false));
  const auto expected = convolutional_losses("cpu", true);
  for (std::size_t i = 0; i < fused.size(); ++i)
    CHECK(std::abs(fused[i] - expected[i]) <= 1e-5 * std::abs(expected[i]));
}

TEST_CASE("vulkan: a bad index is an error, and leaves every state as it was") {
  const OnBackend vulkan("vulkan");
  State table("table", Tensor::from<float>({1, 2, 3, 4, 5, 6}, Shape{3, 2}));
  const Tensor rows = Tensor::from<std::int32_t>({0, 3, 1, -7}, Shape{4});
  const Tensor loss = sum(gather(table.value(), rows));
  try {
    commit({{table, table.value() - sum(gather(table.value(), rows)) * 0.1}}, {loss});
    CHECK_MESSAGE(false, "no error");
  } catch (const ArgumentError& error) {
    CHECK(std::string(error.what()) == "[gather] index 3 at position 1 is outside [0,3)");
  }
  CHECK(table.value().to_vector<float>() == std::vector<float>{1, 2, 3, 4, 5, 6});
}

TEST_CASE("vulkan: random graphs, fused = unfused = again, near the reference") {
  int compared = 0;
  for (std::uint64_t seed = 0; seed < 12; ++seed) {
    const auto outcome = random_graphs::check_backends({.seed = seed}, {"vulkan"});
    compared += outcome.compared_with_reference;
    CHECK_MESSAGE(outcome.failure.empty(), outcome.failure);
  }
  CHECK(compared > 6);
}

TEST_SUITE_END();

TEST_CASE("vulkan: every primitive, every dtype that the device holds, against the reference") {
  int executed = 0, wide = 0;
  for (int i = 0; i < op_count; ++i) {
    const Op op = static_cast<Op>(i);
    int of_this = 0;
    for (const DType dtype : dtypes)
      for (const Case& c : cases_of(op, {.dtype = dtype, .large = dtype == DType::f32})) {
        INFO(c.name << " " << std::string(name(dtype)));
        const std::vector<Tensor> outputs = c.build(c.inputs);
        const bool held =
            on_device(dtype) && std::all_of(outputs.begin(), outputs.end(),
                                            [](const Tensor& y) { return on_device(y.dtype()); });
        if (!held) {
          ++wide;  // on the host, by the reference itself: a few show the way there and back
          if (op != Op::Add && op != Op::MatMul && op != Op::Cast) continue;
        }
        ++of_this;
        const std::string difference = compare("vulkan", c, dtype);
        INFO(difference);
        CHECK(difference.empty());
      }
    INFO(std::string(name(op)));
    CHECK_MESSAGE(of_this > 0, "no case");
    executed += of_this;
  }
  MESSAGE(executed << " cases, " << wide << " with f64 or i64");
  CHECK(executed >= 5900);
  CHECK(counter("validation_messages") == 0);
}

TEST_CASE("vulkan: NaN, infinities, signed zeros and extremes") {
  for (int i = 0; i < op_count; ++i) {
    const Op op = static_cast<Op>(i);
    if (!is_elementwise(op) || op == Op::Cast || op == Op::Sin) continue;
    const std::string difference = compare("vulkan", special_case(op), DType::f32);
    INFO(difference);
    CHECK(difference.empty());
  }
  for (const Case& c : special_functions()) {
    const std::string difference = compare("vulkan", c, DType::f32);
    INFO(difference);
    CHECK(difference.empty());
  }
}

}  // namespace genera::cases
