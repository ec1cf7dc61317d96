// Elementwise mathematics, activations, comparison, reductions.
#include "tests/functions_harness.h"

#include <algorithm>

namespace genera {
namespace {

using namespace functions_harness;

using Unary = Tensor (*)(const Tensor&);

/// Holds f against `expected` at numbers of many sizes, in f64 and f32.
void check_unary(const char* what, const std::function<Tensor(const Tensor&)>& f,
                 const std::function<double(double)>& expected, const Numbers& at,
                 double tolerance_f32 = 2e-6) {
  INFO(what);
  for (const DType dtype : {DType::f64, DType::f32}) {
    const Tensor x = vector(at, dtype);
    Numbers values;
    for (const double value : list(x)) values.push_back(expected(value));
    check_values(f(x), values, dtype == DType::f64 ? 1e-12 : tolerance_f32);
  }
}

const Numbers around_zero{-8,   -3.5, -2.5, -1.5, -1,  -0.5, -0.25, 0,
                          1e-6, 0.25, 0.5,  1,    1.5, 2.5,  3.5,   8};

TEST_CASE("elementwise mathematics agrees with the C library") {
  check_unary(
      "square", square, [](double x) { return x * x; }, around_zero);
  check_unary(
      "abs", Unary(abs), [](double x) { return std::abs(x); }, around_zero);
  check_unary(
      "sign", sign, [](double x) { return double(x > 0) - double(x < 0); }, around_zero);
  check_unary(
      "reciprocal", reciprocal, [](double x) { return 1 / x; }, around_zero);
  check_unary("rsqrt", rsqrt, [](double x) { return 1 / std::sqrt(x); }, {0.01, 0.5, 1, 2, 1e6});
  check_unary(
      "cos", Unary(cos), [](double x) { return std::cos(x); }, around_zero);
  check_unary("cos of large numbers", Unary(cos), [](double x) { return std::cos(x); },
              {-1000, 100, 1234.5, 5000});
  check_unary("tan", Unary(tan), [](double x) { return std::tan(x); }, {-1.2, -0.3, 0, 0.7, 1.3});
  check_unary(
      "ceil", Unary(ceil), [](double x) { return std::ceil(x); }, around_zero);
  check_unary(
      "round", Unary(round), [](double x) { return std::nearbyint(x); }, around_zero);
  check_unary("round near halves", Unary(round), [](double x) { return std::nearbyint(x); },
              {-0.49999997, 0.49999997, 0.50000006, -0.50000006, 8388609, -8388609, 4194303.5, inf,
               -inf, nan, -1e-10, 1e-10});
}

TEST_CASE("pow: fixed exponents") {
  for (const double exponent :
       {0.0, 1.0, 2.0, 3.0, -1.0, -2.0, 7.0, 0.5, -0.5, 2.5, -1.3, 65.0, -66.0}) {
    CAPTURE(exponent);
    check_unary(
        "pow", [=](const Tensor& x) { return pow(x, exponent); },
        [=](double x) { return std::pow(x, exponent); }, {0.3, 0.7, 1, 1.3, 2}, 5e-5);
    if (std::floor(exponent) == exponent)
      check_unary(
          "pow", [=](const Tensor& x) { return pow(x, exponent); },
          [=](double x) { return std::pow(x, exponent); }, {-1.3, -1, -0.7}, 5e-5);
  }
  check_values(pow(vector({-2, 0, 4}), 1.5), {nan, 0, 8});
  check_values(pow(vector({0, 2}), -1.5), {inf, std::pow(2, -1.5)});
  check_values(pow(integers({-3, 0, 5}, {3}), 3), {-27, 0, 125});
  check_refused("pow", [] { pow(integers({1}, {1}), -1); });
  check_refused("pow", [] { pow(integers({1}, {1}), 0.5); });
}

TEST_CASE("pow: exponents in a tensor") {
  Numbers base, exponent, expected;
  for (const double a : {-2.5, -1.0, -0.5, 0.0, 0.5, 1.0, 3.0})
    for (const double b : {-3.0, -2.0, -0.5, 0.0, 0.5, 1.0, 2.0, 3.0}) {
      base.push_back(a);
      exponent.push_back(b);
      expected.push_back(std::pow(a, b));
    }
  check_values(pow(vector(base), vector(exponent)), expected);
}

TEST_CASE("remainder is floored, fmod truncated") {
  Numbers a, b, floored, truncated;
  std::vector<std::int32_t> ia, ib;
  Numbers integer_floored, integer_truncated;
  for (const double x : {-7.0, -6.0, -1.0, 0.0, 1.0, 5.5, 6.0, 7.25})
    for (const double y : {-3.0, -2.5, 2.5, 3.0}) {
      a.push_back(x);
      b.push_back(y);
      floored.push_back(x - y * std::floor(x / y));
      truncated.push_back(std::fmod(x, y));
    }
  check_values(remainder(vector(a), vector(b)), floored);
  check_values(fmod(vector(a), vector(b)), truncated);
  for (const int x : {-7, -6, -1, 0, 1, 6, 7})
    for (const int y : {-3, -2, 2, 3}) {
      ia.push_back(x);
      ib.push_back(y);
      integer_truncated.push_back(x % y);
      integer_floored.push_back(((x % y) + y) % y);
    }
  const Shape shape{static_cast<std::int64_t>(ia.size())};
  check_values(remainder(integers(ia, shape), integers(ib, shape)), integer_floored);
  check_values(fmod(integers(ia, shape), integers(ib, shape)), integer_truncated);
  const Tensor bytes = cast(vector({7, 250}), DType::u8);
  check_values(fmod(bytes, cast(vector({4, 100}), DType::u8)), {3, 50});
}

TEST_CASE("clip, maximum and minimum with numbers") {
  const Tensor x = vector({-2, -1, 0, 1, 2, nan});
  check_values(clip(x, -1, 1), {-1, -1, 0, 1, 1, nan});
  check_values(clip(x, vector({0}), vector({1})), {0, 0, 0, 1, 1, nan});
  check_values(maximum(x, 0.5), {0.5, 0.5, 0.5, 1, 2, nan});
  check_values(minimum(x, 0.5), {-2, -1, 0, 0.5, 0.5, nan});
  check_values(clip(integers({-5, 3, 9}, {3}), 0, 5), {0, 3, 5});
  check_refused("clip", [&] { clip(x, 1, -1); });
  // The gradient is 1 at the bounds.
  const Tensor y = vector({-2, -1, 0, 1, 2});
  check_values(grad(sum(clip(y, -1, 1)), {y})[0], {0, 1, 1, 1, 0});
}

TEST_CASE("activations agree with their formulas") {
  const auto softplus_of = [](double x) {
    return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x)));
  };
  const Numbers wide{-700, -90, -20, -3, -1, -1e-3, 0, 1e-3, 1, 3, 20, 90, 700};
  check_unary(
      "relu", relu, [](double x) { return std::max(x, 0.0); }, wide);
  check_unary(
      "leaky_relu", [](const Tensor& x) { return leaky_relu(x, 0.2); },
      [](double x) { return x > 0 ? x : 0.2 * x; }, wide);
  check_unary(
      "elu", [](const Tensor& x) { return elu(x, 1.5); },
      [](double x) { return x > 0 ? x : 1.5 * std::expm1(x); }, wide);
  check_unary(
      "gelu", gelu, [](double x) { return x / 2 * (1 + std::erf(x * std::sqrt(0.5))); }, wide);
  check_unary("gelu_tanh", gelu_tanh,
              [](double x) {
                const double u = std::sqrt(2 / 3.14159265358979323846) * (x + 0.044715 * x * x * x);
                return x / 2 * (1 + std::tanh(u));
              },
              {-20, -3, -1, 0, 1, 3, 20});
  check_unary(
      "silu", silu, [](double x) { return x / (1 + std::exp(-x)); }, wide);
  check_unary("softplus", softplus, softplus_of, wide);
  check_unary(
      "log_sigmoid", log_sigmoid, [=](double x) { return -softplus_of(-x); }, wide);
  check_unary(
      "mish", mish, [=](double x) { return x * std::tanh(softplus_of(x)); }, wide);
  check_unary(
      "hardtanh", [](const Tensor& x) { return hardtanh(x); },
      [](double x) { return std::clamp(x, -1.0, 1.0); }, wide);
}

TEST_CASE("activations let NaN through and have finite gradients far out") {
  for (const Unary f : {Unary(relu), Unary(gelu), Unary(gelu_tanh), Unary(silu), Unary(softplus),
                        Unary(log_sigmoid), Unary(mish)}) {
    check_values(f(vector({nan})), {nan});
    for (const DType dtype : {DType::f64, DType::f32}) {
      const Tensor x = vector({-1000, -100, -20, 0, 20, 100, 1000}, dtype);
      for (const double slope : list(grad(sum(f(x)), {x})[0])) CHECK(std::isfinite(slope));
    }
  }
  check_values(leaky_relu(vector({nan})), {nan});
  check_values(elu(vector({nan})), {nan});
}

TEST_CASE("gradients at the corner of an activation") {
  const Tensor x = vector({-1, 0, 1});
  check_values(grad(sum(relu(x)), {x})[0], {0, 0, 1});
  check_values(grad(sum(leaky_relu(x, 0.1)), {x})[0], {0.1, 0.1, 1});
  check_values(grad(sum(elu(x, 2)), {x})[0], {2 * std::exp(-1), 2, 1});
  check_values(grad(sum(abs(x)), {x})[0], {-1, 0, 1});
}

TEST_CASE("softplus has exact derivatives of every order at 0") {
  // softplus' = s, s' = s(1-s), s'' = s(1-s)(1-2s), s''' = s(1-s)(1 - 6s + 6s^2)
  const Tensor x = vector({0, -3, 2, 30, -30});
  const auto s = [](double at) { return 1 / (1 + std::exp(-at)); };
  Tensor y = softplus(x);
  for (int order = 1; order <= 4; ++order) {
    CAPTURE(order);
    y = grad(sum(y), {x})[0];
    Numbers expected;
    for (const double at : list(x)) {
      const double p = s(at), q = s(-at);
      const Numbers derivatives{p, p * q, p * q * (1 - 2 * p), p * q * (1 - 6 * p + 6 * p * p)};
      expected.push_back(derivatives[static_cast<std::size_t>(order - 1)]);
    }
    check_values(y, expected, 1e-11);
  }
}

TEST_CASE("gradients of elementwise functions") {
  const Tensor any_sign = vector({-1.7, -0.6, 0.4, 1.3, 2.6});
  const Tensor positive = vector({0.3, 0.8, 1.4, 2.2, 3.1});
  const std::vector<std::pair<const char*, Unary>> functions{{"square", square},
                                                             {"abs", abs},
                                                             {"reciprocal", reciprocal},
                                                             {"cos", cos},
                                                             {"relu", relu},
                                                             {"gelu", gelu},
                                                             {"gelu_tanh", gelu_tanh},
                                                             {"silu", silu},
                                                             {"softplus", softplus},
                                                             {"log_sigmoid", log_sigmoid},
                                                             {"mish", mish}};
  for (const auto& [what, f] : functions) {
    INFO(what);
    check_gradients([f = f](const auto& x) { return f(x[0]); }, {any_sign});
  }
  check_gradients([](const auto& x) { return rsqrt(x[0]); }, {positive});
  check_gradients([](const auto& x) { return tan(x[0]); }, {vector({-1, -0.3, 0.2, 1.1})}, 1e-5);
  check_gradients([](const auto& x) { return elu(x[0], 1.7); }, {any_sign});
  check_gradients([](const auto& x) { return leaky_relu(x[0], 0.3); }, {any_sign});
  for (const double exponent : {3.0, -2.0, 0.5, 1.7, -0.4}) {
    CAPTURE(exponent);
    check_gradients([=](const auto& x) { return pow(x[0] * 0.4, exponent); }, {positive}, 1e-5);
  }
  check_gradients([=](const auto& x) { return pow(x[0], 70.0); }, {vector({0.97, -1.01})}, 1e-5);
  check_gradients([](const auto& x) { return pow(x[0], x[1]); },
                  {positive, vector({-1.5, 0.7, 2.2, 3.1, 0.3})}, 1e-5);
  check_first_gradients([](const auto& x) { return remainder(x[0], x[1]); },
                        {any_sign, vector({0.7, 0.9, 1.1, 0.5, -1.1})});
  check_first_gradients([](const auto& x) { return fmod(x[0], x[1]); },
                        {any_sign, vector({0.7, 0.9, 1.1, 0.5, -1.1})});
  for (const Unary f : {Unary(ceil), Unary(round), Unary(sign)})
    check_values(grad(sum(f(any_sign)), {any_sign})[0], {0, 0, 0, 0, 0});
}

TEST_CASE("logaddexp: values and gradients, equal and infinite operands included") {
  const Tensor a = vector({1, 5, -3, 1000, -inf, -inf, inf, 2});
  const Tensor b = vector({1, 2, 4, -1000, -inf, 3, 1, inf});
  check_values(logaddexp(a, b), {1 + std::log(2), 5 + std::log1p(std::exp(-3)),
                                 4 + std::log1p(std::exp(-7)), 1000, -inf, 3, inf, inf});
  for (const double slope : list(grad(sum(logaddexp(a, b)), {a})[0])) CHECK(std::isfinite(slope));
  const Tensor same = vector({0.5, -1, 2});
  check_gradients([](const auto& x) { return logaddexp(x[0], x[1]); },
                  {same, vector({0.5, 2, -1})});
}

TEST_CASE("comparison and logic") {
  const Tensor a = vector({1, 2, 3, nan, inf});
  const Tensor b = vector({2, 2, 2, 2, inf});
  check_values(greater(a, b), {0, 0, 1, 0, 0});
  check_values(less_equal(a, b), {1, 1, 0, 0, 1});
  check_values(greater_equal(a, b), {0, 1, 1, 0, 1});
  check_values(not_equal(a, b), {1, 0, 1, 1, 0});
  check_values(less(a, 2), {1, 0, 0, 0, 0});
  check_values(less_equal(a, 2), {1, 1, 0, 0, 0});
  check_values(greater(a, 2), {0, 0, 1, 0, 1});
  check_values(greater_equal(a, 2), {0, 1, 1, 0, 1});
  check_values(equal(a, 2), {0, 1, 0, 0, 0});
  check_values(not_equal(a, 2), {1, 0, 1, 1, 1});
  const Tensor p = cast(vector({0, 0, 1, 1}), DType::boolean);
  const Tensor q = cast(vector({0, 1, 0, 1}), DType::boolean);
  CHECK(logical_and(p, q).dtype() == DType::boolean);
  check_values(logical_and(p, q), {0, 0, 0, 1});
  check_values(logical_or(p, q), {0, 1, 1, 1});
  check_values(logical_xor(p, q), {0, 1, 1, 0});
  check_values(logical_not(p), {1, 1, 0, 0});
  check_refused(
      "logical_and", [&] { logical_and(a, q); }, "bool");
  const Tensor odd = vector({0, nan, inf, -inf, -3});
  check_values(isnan(odd), {0, 1, 0, 0, 0});
  check_values(isinf(odd), {0, 0, 1, 1, 0});
  check_values(isfinite(odd), {1, 0, 0, 0, 1});
  check_values(isnan(integers({1, 2}, {2})), {0, 0});
  check_values(isfinite(integers({1, 2}, {2})), {1, 1});
}

TEST_CASE("mean, var, stddev") {
  const Tensor x = tensor({1, 2, 4, 8, 16, 32}, {2, 3});
  check_values(mean(x), {10.5}, Shape{});
  check_values(mean(x, {0}), {4.5, 9, 18});
  check_values(mean(x, {-1}, true), {7. / 3, 56. / 3}, {2, 1});
  check_values(var(x, {0}), {12.25, 49, 196});
  check_values(var(x, {0}, false, 1), {24.5, 98, 392});
  check_values(stddev(x, {0}, true), {3.5, 7, 14}, {1, 3});
  check_values(var(x), {117.25}, Shape{});
  check_values(mean(zeros({0, 2}, DType::f64), {0}), {nan, nan});
  check_refused(
      "mean",
      [] {
        mean(integers({1, 2}, {2}));
      },
      "i32");
  check_refused(
      "mean", [&] { mean(x, {2}); }, "axis 2");
  check_gradients([](const auto& in) { return var(in[0], {1}, false, 1); }, {noise({2, 4})});
  check_gradients([](const auto& in) { return stddev(in[0], {0, 1}); }, {noise({2, 4})});
}

TEST_CASE("min of every dtype, argmin") {
  const Tensor x = tensor({3, -1, 2, -5, 7, 0}, {2, 3});
  check_values(min(x, {1}), {-1, -5});
  check_values(min(x), {-5}, Shape{});
  check_values(argmin(x, 1), {1, 0});
  check_values(min(vector({1, nan, 2})), {nan}, Shape{});
  for (const DType dtype : {DType::f32, DType::f16, DType::bf16, DType::i32, DType::i64})
    check_values(min(cast(x, dtype), {0}, true), {-5, -1, 0}, {1, 3});
  check_values(min(cast(vector({9, 0, 255}), DType::u8)), {0}, Shape{});
  check_values(min(cast(vector({9, 3, 4e9}), DType::u32)), {3}, Shape{});
  check_values(min(cast(vector({1, 0, 1}), DType::boolean)), {0}, Shape{});
  check_values(min(integers({-2147483647 - 1, 5}, {2})), {-2147483648.0}, Shape{});
  check_values(argmin(integers({4, 2, 2}, {3}), 0), {1}, Shape{});
  check_values(min(zeros({0}, DType::f64)), {inf}, Shape{});
  check_first_gradients([](const auto& in) { return min(in[0], {1}); }, {noise({3, 4})});
}

TEST_CASE("prod and cumprod, with exact gradients where elements are 0") {
  const Tensor x = tensor({1, 2, 3, 4, 5, 6, 7}, {7});
  check_values(prod(x), {5040}, Shape{});
  check_values(cumprod(x, 0), {1, 2, 6, 24, 120, 720, 5040});
  check_values(prod(tensor(noise_numbers(12), {3, 4}), {0, 1}, true), {[] {
                 double p = 1;
                 for (const double v : noise_numbers(12)) p *= v;
                 return p;
               }()},
               {1, 1});
  check_values(prod(zeros({0, 2}, DType::f64), {0}), {1, 1});
  check_values(prod(integers({2, 3, 5}, {3})), {30}, Shape{});
  const auto of_rows = [](const auto& in) { return prod(in[0], {1}); };
  const Tensor zeros_inside = tensor({2, 0, 3, 4, 5, 0, 7, 0, 1.5, 2.5}, {2, 5});
  check_gradients(of_rows, {zeros_inside});
  check_values(grad(sum(prod(zeros_inside, {1})), {zeros_inside})[0],
               {0, 120, 0, 0, 0, 0, 0, 0, 0, 0}, {2, 5});
  check_gradients([](const auto& in) { return cumprod(in[0], 1); }, {zeros_inside});
  for (const std::int64_t n : {1, 2, 3, 5, 8})
    check_gradients([](const auto& in) { return prod(in[0], {0}); }, {noise({n, 2})});
}

TEST_CASE("norm") {
  const Tensor x = tensor({3, -4, 0, 0}, {2, 2});
  check_values(norm(x, {1}), {5, 0});
  check_values(norm(x), {5}, Shape{});
  check_values(norm(x, {1}, true, 1), {7, 0}, {2, 1});
  check_values(norm(x, {1}, false, inf), {4, 0});
  check_values(norm(x, {1}, false, 3), {std::cbrt(27. + 64), 0});
  check_values(grad(sum(norm(x, {1})), {x})[0], {0.6, -0.8, 0, 0}, {2, 2});
  check_refused("norm", [&] { norm(x, {0}, false, 0); });
  for (const double order : {1.0, 2.0, 3.0, 2.5})
    check_gradients([=](const auto& in) { return norm(in[0], {1}, false, order); }, {noise({3, 4})},
                    1e-5);
}

TEST_CASE("any and all") {
  const Tensor x = tensor({0, 0, 0, 2, 1, 1}, {3, 2});
  check_values(any(x, {1}), {0, 1, 1});
  check_values(all(x, {1}), {0, 0, 1});
  check_values(any(x), {1}, Shape{});
  check_values(all(x, {0, 1}, true), {0}, {1, 1});
  check_values(any(zeros({2, 0}, DType::boolean), {1}), {0, 0});
  check_values(all(zeros({2, 0}, DType::boolean), {1}), {1, 1});
}

TEST_CASE("logsumexp, softmax, log_softmax") {
  const Tensor x = tensor({1000, 1001, 999, -inf, 0, 1, -inf, -inf, -inf}, {3, 3});
  const double tail = std::log(std::exp(-1) + 1 + std::exp(-2));
  check_values(logsumexp(x, {1}), {1001 + tail, 1 + std::log1p(std::exp(-1)), -inf});
  check_values(logsumexp(x, {1}, true), {1001 + tail, 1 + std::log1p(std::exp(-1)), -inf}, {3, 1});
  check_values(logsumexp(vector({inf, 0})), {inf}, Shape{});
  for (const double slope : list(grad(sum(logsumexp(slice(x, 0, 1, 3), {1})), {x})[0]))
    CHECK(std::isfinite(slope));
  const Tensor y = slice(x, 0, 0, 2);
  const double e = std::exp(-1), ee = std::exp(-2), total = e + 1 + ee;
  check_values(softmax(y), {e / total, 1 / total, ee / total, 0, e / (1 + e), 1 / (1 + e)}, {2, 3});
  check_values(log_softmax(y, 1),
               {-1 - tail, -tail, -2 - tail, -inf, -1 - std::log1p(e), -std::log1p(e)}, {2, 3});
  check_equal(softmax(transpose(y), 0), transpose(softmax(y)));
  for (const int axis : {0, 1}) {
    check_gradients([=](const auto& in) { return logsumexp(in[0], {axis}); }, {noise({3, 4})});
    check_gradients([=](const auto& in) { return softmax(in[0], axis); }, {noise({3, 4})});
    check_gradients([=](const auto& in) { return log_softmax(in[0], axis); }, {noise({3, 4})});
  }
  check_gradients([](const auto& in) { return logsumexp(in[0]); }, {noise({3, 4})});
}

}  // namespace
}  // namespace genera
