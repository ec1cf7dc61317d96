/// What the composite operations share: literals of the right shape and dtype, and checks.
#pragma once

#include <genera/functions.h>
#include <genera/ops.h>

#include "engine/graph/build.h"

#include <string_view>

namespace genera {

/// A literal in the shape and dtype of `like`: part of the plan.
inline Tensor lit(const Tensor& like, double value) { return full_like(like, value); }
/// A number of the caller's in the shape and dtype of `like`: bound when the plan runs.
inline Tensor number(const Tensor& like, double value) {
  return scalar(value, like.dtype(), like.shape());
}
/// The same, where `like` is an argument that nothing has checked yet.
inline Tensor number(std::string_view function, const Tensor& like, double value) {
  check_tensor(function, like);
  return number(like, value);
}

/// ArgumentError unless x is a floating tensor.
void check_floating(std::string_view function, const Tensor& x);
/// ArgumentError unless both are floating tensors of one dtype.
void check_floating(std::string_view function, const Tensor& a, const Tensor& b);
/// ArgumentError unless a and b have one dtype and broadcast: for functions that would otherwise
/// blame a primitive that the caller never named.
void check_elementwise(std::string_view function, const Tensor& a, const Tensor& b);
/// ArgumentError unless x is bool.
void check_bool(std::string_view function, const Tensor& x);
/// ArgumentError unless x has at least `rank` axes.
void check_rank(std::string_view function, const Tensor& x, int rank);
/// 0, 1, …, rank-1.
Axes all_axes(std::string_view function, const Tensor& x);
/// The number of elements that one result of a reduction over `axes` is made of.
std::int64_t reduced_elements(std::string_view function, const Tensor& x, const Axes& axes);

/// Whether x <= 0, as a comparison that NaN fails: NaN counts as positive and so passes through
/// activations to where somebody sees it. Subnormal numbers count as 0.
Tensor not_positive(const Tensor& x);
/// x mapped so that its order is reversed without overflow; NaN stays NaN.
Tensor reversed_order(const Tensor& x);

}  // namespace genera
