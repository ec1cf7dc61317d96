// Elementwise mathematics.
#include "engine/graph/composite.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>

namespace genera {
namespace {

bool is_unsigned(DType dtype) { return dtype == DType::u8 || dtype == DType::u32; }

/// x^n by repeated squaring, n >= 1.
Tensor power_by_squaring(const Tensor& x, int n) {
  Tensor result;
  Tensor factor = x;
  for (;;) {
    if (n & 1) result = result ? multiply(result, factor) : factor;
    n >>= 1;
    if (n == 0) return result;
    factor = multiply(factor, factor);
  }
}

/// Whether a floating tensor holds whole numbers.
Tensor is_whole(const Tensor& x) { return equal(floor(x), x); }

/// |x|^exponent where x != 0, and |1|^exponent = 1 where x == 0, whose gradient is finite.
Tensor power_of_magnitude(const Tensor& x, const Tensor& zero, const Tensor& exponent) {
  const Tensor magnitude = where(less(x, lit(x, 0)), negative(x), x);
  return exp(multiply(exponent, log(where(zero, lit(x, 1), magnitude))));
}

Tensor quotient_floor(const Tensor& a, const Tensor& b) {
  return is_floating(a.dtype()) ? floor(divide(a, b)) : divide(a, b);
}

}  // namespace

Tensor square(const Tensor& x) {
  check_tensor("square", x);
  return multiply(x, x);
}

Tensor abs(const Tensor& x) {
  check_tensor("abs", x);
  if (is_unsigned(x.dtype())) return x;
  return maximum(x, negative(x));
}

Tensor sign(const Tensor& x) {
  check_tensor("sign", x);
  const Tensor zero = lit(x, 0);
  if (is_unsigned(x.dtype())) return cast(less(zero, x), x.dtype());
  return subtract(cast(less(zero, x), x.dtype()), cast(less(x, zero), x.dtype()));
}

Tensor reciprocal(const Tensor& x) {
  check_floating("reciprocal", x);
  return divide(lit(x, 1), x);
}

Tensor rsqrt(const Tensor& x) {
  check_floating("rsqrt", x);
  return divide(lit(x, 1), sqrt(x));
}

Tensor pow(const Tensor& x, double exponent) {
  check_tensor("pow", x);
  const bool whole = std::floor(exponent) == exponent;
  if (exponent == 0) return lit(x, 1);
  if (!is_floating(x.dtype()) && (!whole || exponent < 0 || x.dtype() == DType::boolean))
    fail("pow",
         fmt::format("{} cannot be raised to {}; cast it to f32 first", describe(x), exponent));
  constexpr double most_squared = 64;
  if (whole && std::abs(exponent) <= (is_floating(x.dtype()) ? most_squared : 1e9)) {
    const Tensor power = power_by_squaring(x, static_cast<int>(std::abs(exponent)));
    return exponent < 0 ? reciprocal(power) : power;
  }
  check_floating("pow", x);
  if (exponent == 0.5) return sqrt(x);
  if (exponent == -0.5) return rsqrt(x);
  const Tensor zero = equal(x, lit(x, 0));
  const Tensor of_zero = lit(x, exponent > 0 ? 0 : std::numeric_limits<double>::infinity());
  if (whole) {
    const Tensor power = power_of_magnitude(x, zero, lit(x, exponent));
    const bool odd = std::fmod(exponent, 2) != 0;
    const Tensor with_sign = odd ? where(less(x, lit(x, 0)), negative(power), power) : power;
    return where(zero, of_zero, with_sign);
  }
  const Tensor power = exp(multiply(log(where(zero, lit(x, 1), x)), lit(x, exponent)));
  return where(zero, of_zero, power);
}

Tensor pow(const Tensor& x, const Tensor& exponent) {
  check_floating("pow", x, exponent);
  const Shape shape = broadcast_shape("pow", x.shape(), exponent.shape());
  const Tensor base = broadcast_to(x, shape);
  const Tensor p = broadcast_to(exponent, shape);
  const Tensor nothing = lit(base, 0);
  const Tensor zero = equal(base, nothing);
  const Tensor power = power_of_magnitude(base, zero, p);
  const Tensor odd = logical_not(is_whole(multiply(p, lit(p, 0.5))));
  const Tensor of_negative =
      where(is_whole(p), where(odd, negative(power), power), lit(p, std::nan("")));
  const Tensor of_zero =
      where(less(nothing, p), nothing,
            where(equal(p, nothing), lit(p, 1), lit(p, std::numeric_limits<double>::infinity())));
  return where(zero, of_zero, where(less(base, nothing), of_negative, power));
}

Tensor cos(const Tensor& x) {
  check_floating("cos", x);
  // 1 - 2 sin^2(x/2): unlike sin(x + pi/2) this rounds no argument, so large x keep their accuracy.
  const Tensor s = sin(multiply(x, lit(x, 0.5)));
  return fma(multiply(s, lit(x, -2)), s, lit(x, 1));
}

Tensor tan(const Tensor& x) {
  check_floating("tan", x);
  return divide(sin(x), cos(x));
}

Tensor ceil(const Tensor& x) {
  check_floating("ceil", x);
  return negative(floor(negative(x)));
}

Tensor round(const Tensor& x) {
  check_floating("round", x);
  const Tensor half = lit(x, 0.5);
  const Tensor below = floor(x);
  const Tensor rest = stop_gradient(subtract(x, below));
  const Tensor odd = logical_not(is_whole(multiply(below, half)));
  const Tensor up = logical_or(less(half, rest), logical_and(equal(half, rest), odd));
  return add(below, cast(up, x.dtype()));
}

Tensor remainder(const Tensor& a, const Tensor& b) {
  check_elementwise("remainder", a, b);
  const Tensor quotient = quotient_floor(a, b);
  if (!is_floating(a.dtype())) return subtract(a, multiply(quotient, b));
  // The quotient may have been rounded up to a whole number; the rest then has the wrong sign.
  const Tensor rest = fma(negative(quotient), b, a);
  const Tensor wrong = less(multiply(rest, sign(b)), lit(rest, 0));
  return where(wrong, add(rest, b), rest);
}

Tensor fmod(const Tensor& a, const Tensor& b) {
  check_elementwise("fmod", a, b);
  if (is_unsigned(a.dtype())) return remainder(a, b);
  const Tensor rest = remainder(a, b);
  const Tensor zero = lit(rest, 0);
  const Tensor signs_differ = logical_xor(less(a, lit(a, 0)), less(rest, zero));
  const Tensor floored = logical_and(signs_differ, logical_not(equal(rest, zero)));
  return where(floored, subtract(rest, b), rest);
}

Tensor clip(const Tensor& x, double low, double high) {
  check_tensor("clip", x);
  if (low > high) fail("clip", fmt::format("low {} is above high {}", low, high));
  return clip(x, number(x, low), number(x, high));
}

Tensor clip(const Tensor& x, const Tensor& low, const Tensor& high) {
  check_elementwise("clip", x, low);
  check_elementwise("clip", x, high);
  return where(less(x, low), low, where(less(high, x), high, x));
}

Tensor maximum(const Tensor& x, double bound) { return maximum(x, number("maximum", x, bound)); }
Tensor minimum(const Tensor& x, double bound) { return minimum(x, number("minimum", x, bound)); }

Tensor logaddexp(const Tensor& a, const Tensor& b) {
  check_floating("logaddexp", a, b);
  check_elementwise("logaddexp", a, b);
  const Tensor swap = less(a, b);
  const Tensor high = where(swap, b, a);
  const Tensor low = where(swap, a, b);
  // Where `high` is infinite it is the result, and low - high would be NaN.
  const Tensor endless = isinf(high);
  const Tensor zero = lit(high, 0);
  const Tensor gap = subtract(where(endless, zero, low), where(endless, zero, high));
  return where(endless, high, add(high, log1p(exp(gap))));
}

}  // namespace genera
