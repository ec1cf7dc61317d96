/// Calling reference primitives on small tensors written as lists of numbers.
#pragma once

#include <doctest/doctest.h>
#include <genera/error.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "backends/reference/primitives.h"
#include "engine/graph/attributes.h"

namespace genera::reference_harness {

inline constexpr double inf = std::numeric_limits<double>::infinity();
inline constexpr double nan = std::numeric_limits<double>::quiet_NaN();

/// A tensor in bytes.
struct Value {
  DType dtype = DType::f32;
  Shape shape;
  std::vector<std::byte> bytes;

  Value(DType type, const Shape& extents)
      : dtype(type),
        shape(extents),
        bytes(static_cast<std::size_t>(extents.elements()) * size_of(type)) {}

  template <class T>
  T* data() {
    REQUIRE(dtype == dtype_of<T>);
    return reinterpret_cast<T*>(bytes.data());
  }
};

template <class T>
inline Value make(const Shape& shape, const std::vector<double>& numbers) {
  Value value(dtype_of<T>, shape);
  REQUIRE(static_cast<std::int64_t>(numbers.size()) == shape.elements());
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    if constexpr (std::is_arithmetic_v<T>) {
      value.data<T>()[i] = static_cast<T>(numbers[i]);
    } else {
      value.data<T>()[i] = T(static_cast<float>(numbers[i]));
    }
  }
  return value;
}

template <class T>
std::vector<double> list(Value value) {
  std::vector<double> numbers;
  for (std::int64_t i = 0; i < value.shape.elements(); ++i) {
    if constexpr (std::is_arithmetic_v<T>) {
      numbers.push_back(static_cast<double>(value.data<T>()[i]));
    } else {
      numbers.push_back(static_cast<float>(value.data<T>()[i]));
    }
  }
  return numbers;
}

inline std::vector<Value> compute_all(Op op, const void* attrs, std::vector<Value> inputs,
                                      std::vector<Value> outputs) {
  std::vector<reference::Input> in;
  std::vector<reference::Output> out;
  for (const Value& x : inputs) in.push_back({x.bytes.data(), x.dtype, x.shape});
  for (Value& y : outputs) {
    std::fill(y.bytes.begin(), y.bytes.end(), std::byte{0x5a});  // every byte must be written
    out.push_back({y.bytes.data(), y.dtype, y.shape});
  }
  reference::run(op, attrs, in, out);
  return outputs;
}

inline Value compute(Op op, const void* attrs, std::vector<Value> inputs, DType dtype,
                     const Shape& shape) {
  return compute_all(op, attrs, std::move(inputs), {Value(dtype, shape)})[0];
}

inline Value random_value(DType dtype, const Shape& shape, unsigned seed) {
  std::mt19937 engine(seed);
  std::uniform_real_distribution<double> uniform(-1, 1);
  std::vector<double> numbers(static_cast<std::size_t>(shape.elements()));
  for (double& number : numbers) number = uniform(engine);
  return dtype == DType::f64 ? make<double>(shape, numbers) : make<float>(shape, numbers);
}

/// Sum of products of two f64 tensors.
inline double dot(Value a, Value b) {
  REQUIRE(a.shape == b.shape);
  return std::inner_product(a.data<double>(), a.data<double>() + a.shape.elements(),
                            b.data<double>(), 0.0);
}

inline void check_equal(const std::vector<double>& got, const std::vector<double>& expected) {
  REQUIRE(got.size() == expected.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    CAPTURE(i);
    if (std::isnan(expected[i])) {
      CHECK(std::isnan(got[i]));
    } else {
      CHECK(got[i] == expected[i]);
    }
  }
}

inline void check_close(const std::vector<double>& got, const std::vector<double>& expected,
                        double tolerance) {
  REQUIRE(got.size() == expected.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    CAPTURE(i);
    CHECK(std::abs(got[i] - expected[i]) <= tolerance);
  }
}

template <class Action>
inline std::string message_of(const Action& action) {
  try {
    action();
  } catch (const ArgumentError& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace genera::reference_harness
