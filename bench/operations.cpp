// Single operations.
#include "register.h"

#include <genera/genera.h>

#include <cmath>
#include <memory>

namespace bench {
namespace {

using namespace genera;

Tensor normal(std::uint64_t seed, const Shape& shape) {
  return random_normal(Key(seed), shape).eval();
}

using Maker = std::function<std::function<void()>()>;

/// Evaluates what `expression` builds, afresh each time.
std::function<void()> evaluating(std::function<Tensor()> expression) {
  return [expression = std::move(expression)] { expression().eval(); };
}

void add_sgemm(std::int64_t m, std::int64_t k, std::int64_t n) {
  const std::string name =
      "sgemm_" + std::to_string(m) + "x" + std::to_string(k) + "x" + std::to_string(n);
  const double flops = 2.0 * static_cast<double>(m * k * n);
  add(name, 1, flops, [=] {
    const Tensor a = normal(1, {m, k}), b = normal(2, {k, n});
    return evaluating([=] { return matmul(a, b); });
  });
}

/// The three roles of one convolution with padding 1, and the transposed one.
void add_convolution(std::int64_t batch, std::int64_t in, std::int64_t size, std::int64_t out,
                     std::int64_t kernel, std::int64_t stride) {
  const std::string name = "conv_" + std::to_string(batch) + "x" + std::to_string(in) + "x" +
                           std::to_string(size) + "x" + std::to_string(size) + "_" +
                           std::to_string(out) + "_k" + std::to_string(kernel) + "s" +
                           std::to_string(stride);
  const std::int64_t result = (size + 2 - kernel) / stride + 1;
  const double flops =
      2.0 * static_cast<double>(batch * out * result * result * in * kernel * kernel);
  const ConvOptions options{.stride = {stride}, .pad_lo = {1}};
  const auto role = [=](int wanted) -> Maker {
    return [=] {
      const Tensor x = normal(1, {batch, in, size, size}), w = normal(2, {out, in, kernel, kernel});
      const Tensor y = normal(3, {batch, out, result, result});
      return evaluating([=] {
        const Tensor forward = conv(x, w, options);
        if (wanted == 0) return forward;
        return vjp({&forward, 1}, {&y, 1}, {wanted == 1 ? &x : &w, 1})[0];
      });
    };
  };
  add(name + "/out", 1, flops, role(0));
  add(name + "/grad_input", 1, flops, role(1));
  add(name + "/grad_weight", 1, flops, role(2));
  add(name + "/transposed", 1, flops, [=] {
    const Tensor w = normal(2, {out, in, kernel, kernel}),
                 y = normal(3, {batch, out, result, result});
    return evaluating([=] { return conv_transpose(y, w, options); });
  });
}

void add_memory_bound() {
  constexpr std::int64_t many = 1 << 24;
  add("softmax_4096x512", 4096, 0, [] {
    const Tensor x = normal(1, {4096, 512});
    return evaluating([=] { return softmax(x, -1); });
  });
  add("layer_norm_4096x384", 4096, 0, [] {
    const Tensor x = normal(1, {4096, 384}), gain = normal(2, {384}), bias = normal(3, {384});
    return evaluating([=] { return layer_norm(x, gain, bias); });
  });
  add("gelu_chain_16m", many, 0, [] {
    const Tensor x = normal(1, {many}), a = normal(2, {many}), b = normal(3, {many}),
                 c = normal(4, {many});
    return evaluating([=] { return gelu(x * a + b) * c; });
  });
  add("sum_16m", many, 0, [] {
    const Tensor x = normal(1, {many});
    return evaluating([=] { return sum(x); });
  });
  add("normal_16m", many, 0, [] {
    auto draws = std::make_shared<std::uint64_t>(0);
    return [=] { random_normal(Key(5).fold_in((*draws)++), {many}).eval(); };
  });
  add("adam_10m", 10000000, 0, [] {
    const State parameter("p", normal(1, {10000000}));
    const Tensor gradient = normal(2, {10000000});
    auto adam = std::make_shared<optim::Adam>(std::vector<State>{parameter});
    return [=] { adam->step({{gradient}, Tensor()}); };
  });
  add("tiny_add", 1, 0, [] {
    const Tensor a = normal(1, {16}), b = normal(2, {16});
    return evaluating([=] { return a + b; });
  });
}

}  // namespace

void register_operations() {
  for (const std::int64_t n : {64, 128, 256, 512, 1024, 2048}) add_sgemm(n, n, n);
  add_sgemm(128, 784, 400);
  add_sgemm(128, 400, 784);
  add_sgemm(3072, 384, 1536);
  add_sgemm(1, 768, 3072);
  add_sgemm(1, 768, 50257);
  add_convolution(64, 64, 16, 128, 4, 2);
  add_convolution(32, 64, 32, 64, 3, 1);
  add("bmm_96x256x64x256", 96, 2.0 * 96 * 256 * 64 * 256, [] {
    const Tensor a = normal(1, {96, 256, 64}), b = normal(2, {96, 64, 256});
    return evaluating([=] { return matmul(a, b); });
  });
  add_memory_bound();
}

}  // namespace bench
