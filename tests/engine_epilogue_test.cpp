// Kernels that run on the blocks of a product or convolution as it makes them: the same bits as
// after it.
#include <doctest/doctest.h>
#include <fmt/format.h>
#include <genera/autodiff.h>
#include <genera/functions.h>
#include <genera/optim.h>
#include <genera/profile.h>
#include <genera/random.h>

#include <array>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "engine/core/thread_pool.h"
#include "engine/plan/evaluate.h"

namespace genera {
namespace {

Tensor noise(const Shape& shape, std::uint64_t seed) {
  return random_normal(Key(seed), shape).eval();
}

/// A value per channel, for (N,C,S…).
Tensor per_channel(std::int64_t channels, int rank, std::uint64_t seed) {
  std::vector<std::int64_t> extents(static_cast<std::size_t>(rank), 1);
  extents[1] = channels;
  return noise(Shape(extents), seed);
}

using Product = std::function<Tensor()>;

/// The layer's tail on a product that is read nowhere else, and on one that was evaluated before.
void check_epilogue(const std::string& name, const Product& product, bool expected = true) {
  Tensor alone = product();
  const Shape shape = alone.shape();
  const Tensor bias = per_channel(shape[1], shape.rank(), 11);
  const Tensor residual = noise(shape, 12);
  const auto tail = [&](const Tensor& y) { return relu(y * 0.5 + bias) + residual; };
  alone.eval();
  const std::vector<float> apart = tail(alone).to_vector<float>();
  INFO(name);
  // The product's handle must be gone: who holds it wants its value.
  const Tensor fused = tail(product());
  CHECK((plan_text({fused}).find(" > ") != std::string::npos) == expected);
  const int threads = thread_count();
  for (const int t : {1, 2, 3}) {
    set_thread_count(t);
    // The result's memory holds no old result: a pixel that no block covers shows.
    full(shape, std::numeric_limits<double>::quiet_NaN()).eval();
    const Tensor y = tail(product());
    CHECK(y.to_vector<float>() == apart);
  }
  set_thread_count(threads);
}

struct Layer {
  const char* name;
  Shape x, w;
  ConvOptions options;
};

ConvOptions options(std::int64_t stride, std::int64_t pad, std::int64_t groups = 1) {
  ConvOptions made;
  made.stride = {stride};
  made.pad_lo = {pad};
  made.groups = groups;
  return made;
}

/// An optimiser's step on a weight whose gradient is a product: the weight and its two sums.
std::vector<Tensor> step_on(std::int64_t rows, std::int64_t cols) {
  const Tensor gradient = matmul(transpose(noise({64, rows}, 1)), noise({64, cols}, 2));
  const Tensor weight = noise({rows, cols}, 3);
  const Tensor sum = noise({rows, cols}, 4) * 0.9 + gradient;
  const Tensor squares = square(noise({rows, cols}, 5)).eval() * 0.99 + square(gradient);
  return {weight - 0.1 * sum / (sqrt(squares) + 1e-3), sum, squares};
}

std::vector<std::vector<float>> values(const std::vector<Tensor>& tensors) {
  eval(tensors);
  std::vector<std::vector<float>> result;
  for (const Tensor& x : tensors) result.push_back(x.to_vector<float>());
  return result;
}

/// Whether a step of training had an optimiser's update as the epilogue of a product.
bool update_was_epilogue(const std::vector<State>& weights, const std::function<Tensor()>& loss) {
  optim::Adam adam(weights, {.lr = 1e-3});
  start_profile();
  adam.step(grad(loss(), adam.parameters()));
  bool found = false;
  for (const ProfileEntry& entry : stop_profile())
    found |= entry.label.find("MatMul > ") == 0 && entry.label.find("Sqrt") != std::string::npos;
  return found;
}

}  // namespace

TEST_CASE("the epilogue of a matrix product has the bits of a kernel after it") {
  for (const auto& [m, k, n] :
       {std::array{128, 20, 400}, std::array{33, 700, 50}, std::array{5, 7, 3},
        std::array{500, 40, 784}, std::array{300, 1300, 70}}) {
    const Tensor a = noise({m, k}, 1), b = noise({k, n}, 2);
    check_epilogue(fmt::format("{}x{}x{}", m, k, n), [&] { return matmul(a, b); });
  }
}

TEST_CASE("a large weight's update is the epilogue of its gradient, with the same bits") {
  const auto is_epilogue = [](const std::vector<Tensor>& step) {
    return plan_text(step).find(" > ") != std::string::npos;
  };
  CHECK(is_epilogue(step_on(400, 784)));
  CHECK_FALSE(is_epilogue(step_on(40, 400)));  // in the caches it is faster apart
  const int threads = thread_count();
  for (const auto& [rows, cols] :
       {std::pair{400, 784}, std::pair{784, 401}, std::pair{20000, 16}}) {
    INFO(rows << " x " << cols);
    set_plan_options({.fuse = false});
    const auto apart = values(step_on(rows, cols));
    set_plan_options({});
    for (const int t : {1, 2, 3, 4}) {
      set_thread_count(t);
      CHECK(values(step_on(rows, cols)) == apart);
    }
    set_thread_count(threads);
  }
}

TEST_CASE("an update that waits for a step that may fail does not hold its gradient's product") {
  const State weight("w", noise({600, 400}, 1)), table("table", noise({50, 400}, 2));
  const Tensor x = noise({64, 600}, 3);
  const Tensor rows = full({64}, 7, DType::i32).eval();
  CHECK(update_was_epilogue({weight}, [&] { return sum(square(matmul(x, weight.value()))); }));
  CHECK_FALSE(update_was_epilogue({weight, table}, [&] {
    return sum(square(matmul(x, weight.value()) + gather(table.value(), rows, 0)));
  }));
}

TEST_CASE("the epilogue of a convolution has the bits of a kernel after it") {
  const std::vector<Layer> layers = {
      {"one axis", {3, 5, 40}, {7, 5, 3}, options(1, 1)},
      {"two axes", {4, 6, 13, 9}, {18, 6, 3, 3}, options(1, 1)},
      {"stride", {5, 8, 14, 14}, {33, 8, 4, 4}, options(2, 1)},
      {"three axes", {2, 3, 6, 5, 7}, {20, 3, 3, 3, 3}, options(1, 1)},
      {"groups", {3, 8, 10, 10}, {12, 4, 3, 3}, options(1, 1, 2)},
      {"few output channels", {3, 24, 12, 12}, {2, 24, 3, 3}, options(1, 1)},
      {"bands of rows", {1, 32, 120, 90}, {48, 32, 3, 3}, options(1, 1)},
      {"many panels", {2, 200, 9, 9}, {300, 200, 3, 3}, options(1, 1)},
      {"1 x 1", {3, 20, 11, 13}, {30, 20, 1, 1}, options(1, 0)},
      {"one pixel", {9, 6, 5, 5}, {40, 6, 5, 5}, options(1, 0)},
  };
  for (const Layer& layer : layers) {
    const Tensor x = noise(layer.x, 1), w = noise(layer.w, 2);
    check_epilogue(layer.name, [&] { return conv(x, w, layer.options); });
  }
}

TEST_CASE("the epilogue of a transposed convolution has the bits of a kernel after it") {
  for (const auto& [channels, out] : {std::pair{16, 3}, std::pair{5, 40}, std::pair{8, 1}}) {
    const Tensor y = noise({3, channels, 7, 7}, 1), w = noise({channels, out, 4, 4}, 2);
    const auto product = [&] { return conv_transpose(y, w, options(2, 1)); };
    check_epilogue(fmt::format("{} to {}", channels, out), product);
  }
  // Its pixels are those of all channels side by side: no block is one of channels and pixels.
  const Tensor y = noise({6, 10, 1, 1}, 1), w = noise({10, 4, 3, 3}, 2);
  check_epilogue(
      "from one pixel", [&] { return conv_transpose(y, w, options(1, 0)); }, false);
}

}  // namespace genera
