/// The scalar functions that the `reference` column of primitives.def uses, and integers that wrap.
#pragma once

#include <cmath>
#include <type_traits>

namespace genera::reference {

/// A signed integer whose arithmetic wraps modulo 2^bits, where the built-in type's would be
/// undefined.
template <class T>
struct Wrapping {
  using Unsigned = std::make_unsigned_t<T>;
  T value = 0;

  friend Wrapping operator-(Wrapping a) { return from(Unsigned{0} - a.bits()); }
  friend Wrapping operator+(Wrapping a, Wrapping b) { return from(a.bits() + b.bits()); }
  friend Wrapping operator*(Wrapping a, Wrapping b) { return from(a.bits() * b.bits()); }
  friend bool operator<(Wrapping a, Wrapping b) { return a.value < b.value; }
  friend bool operator>(Wrapping a, Wrapping b) { return a.value > b.value; }
  friend bool operator==(Wrapping a, Wrapping b) { return a.value == b.value; }

 private:
  Unsigned bits() const { return static_cast<Unsigned>(value); }
  static Wrapping from(Unsigned bits) { return {static_cast<T>(bits)}; }
};

template <class T>
bool is_nan(T value) {
  if constexpr (std::is_floating_point_v<T>) return std::isnan(value);
  return false;
}

/// 1 / (1 + exp(-x)) without overflow and without cancellation for negative x.
template <class T>
T logistic(T x) {
  const T e = std::exp(-std::abs(x));
  return (x >= 0 ? T(1) : e) / (T(1) + e);
}

/// The larger of two values; NaN if either is NaN.
template <class T>
T larger(T a, T b) {
  return is_nan(a) || a > b ? a : b;
}

/// max(x, 0); NaN stays.
template <class T>
T relu(T x) {
  return larger(x, T{});
}

/// log(1 + exp(x)) without overflow.
template <class T>
T softplus(T x) {
  return (x > 0 ? x : T(0)) + std::log1p(std::exp(-std::abs(x)));
}

/// a / b. Integers round towards minus infinity, and division by zero gives 0.
template <class T>
T quotient(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) {
    return a / b;
  } else {
    return b == 0 ? T(0) : a / b;
  }
}

template <class T>
Wrapping<T> quotient(Wrapping<T> a, Wrapping<T> b) {
  if (b.value == 0) return {};
  if (b.value == -1) return -a;
  const bool round_down = a.value % b.value != 0 && (a.value < 0) != (b.value < 0);
  return {static_cast<T>(a.value / b.value - (round_down ? 1 : 0))};
}

}  // namespace genera::reference
