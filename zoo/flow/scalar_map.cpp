#include "zoo/flow/scalar_map.h"

#include <genera/functions.h>

#include <cmath>

namespace genera::zoo::flow {
namespace {

// The least width and height of a bin as a part of the whole, and the least derivative (1906.04032,
// appendix B.1, and the authors' program): without them the inverse loses its precision.
constexpr double least_part = 1e-3;
constexpr double least_derivative = 1e-3;

// Parameter number i of (B,P,S…): (B,S…).
Tensor parameter(const Tensor& parameters, std::int64_t i) {
  return squeeze(slice(parameters, 1, i, i + 1), {1});
}

}  // namespace

Tensor AffineMap::log_scale(const Tensor& parameters) const {
  return bound_ * tanh(parameter(parameters, 1) / bound_);
}

ScalarMapped AffineMap::map(const Tensor& x, const Tensor& parameters) const {
  const Tensor s = log_scale(parameters);
  return {x * exp(s) + parameter(parameters, 0), s};
}

Tensor AffineMap::inverse(const Tensor& z, const Tensor& parameters) const {
  return (z - parameter(parameters, 0)) * exp(-log_scale(parameters));
}

// Along axis 1: the bins' left ends, lower ends, widths, heights (K each), and the derivatives at
// their left and right ends.
struct SplineMap::Knots {
  Tensor x, y, width, height, left, right;
};

// The bin that a number falls into.
struct SplineMap::Bin {
  Tensor x, y, width, height, left, right;
};

SplineMap::Knots SplineMap::knots(const Tensor& parameters) const {
  const double span = 2 * bound_, free = 1 - least_part * static_cast<double>(bins_);
  const auto parts = [&](std::int64_t first) {
    const Tensor logits = slice(parameters, 1, first, first + bins_);
    return span * (least_part + free * softmax(logits, 1));
  };
  Knots k;
  k.width = parts(0);
  k.height = parts(bins_);
  k.x = cumsum(k.width, 1) - k.width - bound_;
  k.y = cumsum(k.height, 1) - k.height - bound_;
  // softplus of this is 1 - least_derivative: parameters of 0 give the identity.
  const double one = std::log(std::expm1(1 - least_derivative));
  const Tensor inner =
      least_derivative + softplus(slice(parameters, 1, 2 * bins_, 3 * bins_ - 1) + one);
  const Tensor end = full_like(slice(k.width, 1, 0, 1), 1);
  k.left = concat({end, inner}, 1);
  k.right = concat({inner, end}, 1);
  return k;
}

// `at` are the ends of the bins along the axis that x is on: knots.x or knots.y.
SplineMap::Bin SplineMap::bin_of(const Tensor& x, const Tensor& at, const Knots& knots) const {
  // 1 for every bin that begins at x or before; the first is one of them, whatever rounding does.
  const Tensor inner = slice(at, 1, 1, bins_);
  const Tensor begun = cast(greater_equal(unsqueeze(x, 1), inner), DType::f32);
  const Tensor one = full_like(slice(at, 1, 0, 1), 1), none = full_like(one, 0);
  const Tensor chosen = concat({one, begun}, 1) - concat({begun, none}, 1);
  const auto pick = [&](const Tensor& of_bins) { return sum(chosen * of_bins, {1}); };
  return {pick(knots.x),      pick(knots.y),    pick(knots.width),
          pick(knots.height), pick(knots.left), pick(knots.right)};
}

// 1906.04032, equations 4 and 5.
ScalarMapped SplineMap::map(const Tensor& x, const Tensor& parameters) const {
  const Tensor inside = less_equal(abs(x), bound_);
  const Tensor clipped = clip(x, -bound_, bound_);
  const Knots all = knots(parameters);
  const Bin bin = bin_of(clipped, all.x, all);
  const Tensor slope = bin.height / bin.width;
  const Tensor t = (clipped - bin.x) / bin.width, u = 1 - t;
  const Tensor denominator = slope + (bin.left + bin.right - 2 * slope) * t * u;
  const Tensor value = bin.y + bin.height * t * (slope * t + bin.left * u) / denominator;
  const Tensor numerator = bin.right * square(t) + 2 * slope * t * u + bin.left * square(u);
  const Tensor log_derivative = 2 * (log(slope) - log(denominator)) + log(numerator);
  return {where(inside, value, x), where(inside, log_derivative, zeros_like(x))};
}

// The root of equations 6 to 8, in the form that does not cancel.
Tensor SplineMap::inverse(const Tensor& z, const Tensor& parameters) const {
  const Tensor inside = less_equal(abs(z), bound_);
  const Tensor clipped = clip(z, -bound_, bound_);
  const Knots all = knots(parameters);
  const Bin bin = bin_of(clipped, all.y, all);
  const Tensor slope = bin.height / bin.width;
  const Tensor above = clipped - bin.y, bend = bin.left + bin.right - 2 * slope;
  const Tensor a = bin.height * (slope - bin.left) + above * bend;
  const Tensor b = bin.height * bin.left - above * bend;
  const Tensor c = -slope * above;
  const Tensor root = sqrt(maximum(square(b) - 4 * a * c, 0));
  return where(inside, bin.x + bin.width * (2 * c / (-b - root)), z);
}

}  // namespace genera::zoo::flow
