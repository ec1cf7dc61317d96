// Single operations: a name says which and how large.
#include "register.h"

#include <genera/genera.h>

#include <cstdio>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

namespace bench {
namespace {

using namespace genera;

Tensor normal(std::uint64_t seed, const Shape& shape) {
  return random_normal(Key(seed), shape).eval();
}

/// Evaluates what `expression` builds, afresh each time.
Step evaluating(std::function<Tensor()> expression) {
  return [expression = std::move(expression)] { expression().eval(); };
}

void add_sgemm(const std::string& name, std::int64_t m, std::int64_t k, std::int64_t n) {
  add(name, 1, 2.0 * static_cast<double>(m * k * n), [=] {
    const Tensor a = normal(1, {m, k}), b = normal(2, {k, n});
    return evaluating([=] { return matmul(a, b); });
  });
}

void add_bmm(const std::string& name, std::int64_t batch, std::int64_t m, std::int64_t k,
             std::int64_t n) {
  add(name, static_cast<double>(batch), 2.0 * static_cast<double>(batch * m * k * n), [=] {
    const Tensor a = normal(1, {batch, m, k}), b = normal(2, {batch, k, n});
    return evaluating([=] { return matmul(a, b); });
  });
}

struct Convolution {
  std::int64_t batch, in, height, width, out, kernel, stride;
};

/// One of the three roles of a convolution with padding 1, or the transposed one.
void add_convolution(const std::string& name, const Convolution& c, std::string_view role) {
  const std::int64_t rows = (c.height + 2 - c.kernel) / c.stride + 1;
  const std::int64_t columns = (c.width + 2 - c.kernel) / c.stride + 1;
  const Shape from{c.batch, c.in, c.height, c.width}, to{c.batch, c.out, rows, columns};
  const Shape filter{c.out, c.in, c.kernel, c.kernel};
  const ConvOptions options{.stride = {c.stride}, .pad_lo = {1}};
  std::function<Tensor(const Tensor&, const Tensor&, const Tensor&)> compute;
  if (role == "out")
    compute = [=](const Tensor& x, const Tensor& w, const Tensor&) { return conv(x, w, options); };
  else if (role == "transposed")
    compute = [=](const Tensor&, const Tensor& w, const Tensor& y) {
      return conv_transpose(y, w, options);
    };
  else if (role == "grad_input" || role == "grad_weight")
    compute = [=, input = role == "grad_input"](const Tensor& x, const Tensor& w, const Tensor& y) {
      const Tensor forward = conv(x, w, options);
      return vjp({&forward, 1}, {&y, 1}, {input ? &x : &w, 1})[0];
    };
  else
    throw std::invalid_argument("no such role of a convolution: " + name);
  const double flops = 2.0 * static_cast<double>(to.elements() * c.in * c.kernel * c.kernel);
  add(name, 1, flops, [=] {
    const Tensor x = normal(1, from), w = normal(2, filter), y = normal(3, to);
    return evaluating([=] { return compute(x, w, y); });
  });
}

/// What memory, or nothing at all, bounds.
const std::map<std::string_view, std::pair<double, Step (*)()>>& other_operations() {
  static constexpr std::int64_t many = 1 << 24;
  static const std::map<std::string_view, std::pair<double, Step (*)()>> table{
      {"softmax_4096x512",
       {4096,
        [] {
          const Tensor x = normal(1, {4096, 512});
          return evaluating([=] { return softmax(x, -1); });
        }}},
      {"layer_norm_4096x384",
       {4096,
        [] {
          const Tensor x = normal(1, {4096, 384}), gain = normal(2, {384}), bias = normal(3, {384});
          return evaluating([=] { return layer_norm(x, gain, bias); });
        }}},
      {"gelu_chain_16m",
       {many,
        [] {
          const Tensor x = normal(1, {many}), a = normal(2, {many}), b = normal(3, {many}),
                       c = normal(4, {many});
          return evaluating([=] { return gelu(x * a + b) * c; });
        }}},
      {"sum_16m",
       {many,
        [] {
          const Tensor x = normal(1, {many});
          return evaluating([=] { return sum(x); });
        }}},
      {"normal_16m",
       {many,
        []() -> Step {
          auto draws = std::make_shared<std::uint64_t>(0);
          return [=] { random_normal(Key(5).fold_in((*draws)++), {many}).eval(); };
        }}},
      {"adam_10m",
       {10000000,
        []() -> Step {
          const State parameter("p", normal(1, {10000000}));
          const Tensor gradient = normal(2, {10000000});
          auto adam = std::make_shared<optim::Adam>(std::vector<State>{parameter});
          return [=] { adam->step({{gradient}, Tensor()}); };
        }}},
      {"tiny_add", {1, [] {
                      const Tensor a = normal(1, {16}), b = normal(2, {16});
                      return evaluating([=] { return a + b; });
                    }}}};
  return table;
}

}  // namespace

void add_operation(std::string_view row) {
  const std::string name(row);
  long long b = 0, m = 0, k = 0, n = 0;
  if (std::sscanf(name.c_str(), "sgemm_%lldx%lldx%lld", &m, &k, &n) == 3) {
    add_sgemm(name, m, k, n);
  } else if (std::sscanf(name.c_str(), "bmm_%lldx%lldx%lldx%lld", &b, &m, &k, &n) == 4) {
    add_bmm(name, b, m, k, n);
  } else if (name.starts_with("conv_")) {
    long long in = 0, height = 0, width = 0, out = 0, kernel = 0, stride = 0;
    if (std::sscanf(name.c_str(), "conv_%lldx%lldx%lldx%lld_%lld_k%llds%lld/", &b, &in, &height,
                    &width, &out, &kernel, &stride) != 7)
      throw std::invalid_argument("not a convolution: " + name);
    add_convolution(name, {b, in, height, width, out, kernel, stride},
                    std::string_view(name).substr(name.find('/') + 1));
  } else if (const auto found = other_operations().find(row); found != other_operations().end()) {
    add(name, found->second.first, 0, found->second.second);
  } else {
    throw std::invalid_argument("no such operation: " + name);
  }
}

}  // namespace bench
