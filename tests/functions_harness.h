/// Checking composite operations: values against lists of numbers, gradients against differences.
#pragma once

#include <doctest/doctest.h>
#include <genera/autodiff.h>
#include <genera/functions.h>

#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <vector>

namespace genera::functions_harness {

inline constexpr double inf = std::numeric_limits<double>::infinity();
inline constexpr double nan = std::numeric_limits<double>::quiet_NaN();

using Numbers = std::vector<double>;

/// A leaf of `dtype` that holds `numbers`.
inline Tensor tensor(const Numbers& numbers, const Shape& shape, DType dtype = DType::f64) {
  return detach(cast(Tensor::from(numbers, shape), dtype));
}
inline Tensor vector(const Numbers& numbers, DType dtype = DType::f64) {
  return tensor(numbers, Shape{static_cast<std::int64_t>(numbers.size())}, dtype);
}
inline Tensor integers(const std::vector<std::int32_t>& numbers, const Shape& shape) {
  return Tensor::from(numbers, shape);
}

/// Numbers without a pattern, all different and none 0: in (-2,2).
inline Numbers noise_numbers(std::int64_t count, double seed = 0) {
  Numbers numbers;
  for (std::int64_t i = 0; i < count; ++i) {
    const double t = std::sin(static_cast<double>(i + 1) * 12.9898 + seed * 78.233) * 43758.5453;
    numbers.push_back(4 * (t - std::floor(t)) - 2);
  }
  return numbers;
}
inline Tensor noise(const Shape& shape, double seed = 0, DType dtype = DType::f64) {
  return tensor(noise_numbers(shape.elements(), seed), shape, dtype);
}

/// All elements, row-major, as f64.
inline Numbers list(const Tensor& x) { return cast(x, DType::f64).to_vector<double>(); }

inline bool close(double got, double expected, double tolerance) {
  if (std::isnan(expected)) return std::isnan(got);
  if (std::isinf(expected)) return got == expected;
  return std::abs(got - expected) <= tolerance * std::max(1.0, std::abs(expected));
}

/// Same shape, and every element within `tolerance` (relative above 1, absolute below).
inline void check_values(const Tensor& got, const Numbers& expected, const Shape& shape,
                         double tolerance = 1e-12) {
  CHECK(to_string(got.shape()) == to_string(shape));
  const Numbers numbers = list(got);
  REQUIRE(numbers.size() == expected.size());
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    INFO("element " << i << ": got " << numbers[i] << ", expected " << expected[i]);
    CHECK(close(numbers[i], expected[i], tolerance));
  }
}
inline void check_values(const Tensor& got, const Numbers& expected, double tolerance = 1e-12) {
  check_values(got, expected, Shape{static_cast<std::int64_t>(expected.size())}, tolerance);
}
inline void check_equal(const Tensor& got, const Tensor& expected, double tolerance = 1e-12) {
  check_values(got, list(expected), expected.shape(), tolerance);
}

/// Checks that `body` throws ArgumentError whose message begins with [function] and contains
/// `part`.
inline void check_refused(const std::string& function, const std::function<void()>& body,
                          const std::string& part = "") {
  try {
    body();
    FAIL_CHECK(function << " accepted bad arguments");
  } catch (const ArgumentError& error) {
    const std::string message = error.what();
    INFO(message);
    CHECK(message.rfind("[" + function + "]", 0) == 0);
    CHECK(message.find(part) != std::string::npos);
  }
}

using Function = std::function<Tensor(const std::vector<Tensor>&)>;

/// sum(c * y) with fixed coefficients c, so that no two elements' gradients can be mistaken for
/// each other.
inline Tensor weighted(const Tensor& y, double seed) {
  return y.rank() == 0 ? y * 0.7 : sum(y * noise(y.shape(), seed));
}

/// The gradients of `function`, as one more function of the same inputs: their weighted sum.
inline Function derivative(const Function& function) {
  return [function](const std::vector<Tensor>& x) {
    const Gradients gradients = grad(weighted(function(x), 3), x);
    Tensor total;
    for (std::size_t i = 0; i < x.size(); ++i) {
      const Tensor part = weighted(gradients[i], 5 + static_cast<double>(i));
      total = total ? total + part : part;
    }
    return total;
  };
}

/// Checks d(sum(c f))/dx of every input (f64) against central differences.
inline void check_first_gradients(const Function& function, const std::vector<Tensor>& inputs,
                                  double tolerance = 1e-6) {
  const Gradients gradients = grad(weighted(function(inputs), 3), inputs);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    CHECK(gradients[i].shape() == inputs[i].shape());
    const Numbers got = list(gradients[i]);
    const Numbers at = list(inputs[i]);
    for (std::size_t j = 0; j < at.size(); ++j) {
      const double step = 1e-5;
      double ends[2];
      for (int side = 0; side < 2; ++side) {
        Numbers moved = at;
        moved[j] += side == 0 ? -step : step;
        std::vector<Tensor> x = inputs;
        x[i] = tensor(moved, inputs[i].shape());
        ends[side] = weighted(function(x), 3).item<double>();
      }
      const double expected = (ends[1] - ends[0]) / (2 * step);
      INFO("input " << i << ", element " << j << ": got " << got[j] << ", differences give "
                    << expected);
      CHECK(close(got[j], expected, tolerance));
    }
  }
}

/// First and second order.
inline void check_gradients(const Function& function, const std::vector<Tensor>& inputs,
                            double tolerance = 1e-6) {
  {
    INFO("first order");
    check_first_gradients(function, inputs, tolerance);
  }
  INFO("second order");
  check_first_gradients(derivative(function), inputs, tolerance);
}

}  // namespace genera::functions_harness
