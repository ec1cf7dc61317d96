#include <genera/ops.h>

#include "engine/autodiff/rules.h"
#include "engine/graph/attributes.h"

namespace genera::autodiff {
namespace {

Axes axes_of(std::uint64_t set) {
  Axes axes;
  for (int axis = 0; axis < Shape::max_rank; ++axis)
    if (set >> axis & 1) axes.push_back(axis);
  return axes;
}

/// Equal maxima share the gradient evenly.
Tensor reduce_max_rule(const Tensor& x, const Tensor& y, const Tensor& g, const Axes& axes) {
  const Tensor winners = cast(equal(x, broadcast_to(y, x.shape())), x.dtype());
  const Tensor share = divide(g, sum(winners, axes, true));
  return multiply(broadcast_to(share, x.shape()), winners);
}

/// y_i is the last element of x[0…i] that is a maximum; its index is a running maximum too.
Tensor scan_max_rule(const Tensor& x, const Tensor& y, const Tensor& g, int axis, bool reverse) {
  const Tensor position = iota(x.shape(), axis);
  const Tensor away = full_like(position, reverse ? static_cast<double>(x.shape()[axis]) : -1.0);
  const Tensor candidates = where(equal(x, y), position, away);
  const Tensor winner =
      reverse ? negative(cummax(negative(candidates), axis, true)) : cummax(candidates, axis);
  // Row numbers in x with the axis moved last and everything else flattened.
  Axes last;
  for (int d = 0; d < x.rank(); ++d)
    if (d != axis) last.push_back(d);
  last.push_back(axis);
  const std::int64_t n = x.shape()[axis];
  if (x.elements() == 0) return zeros_like(x);
  const std::int64_t rows = x.elements() / n;
  const Tensor row_start =
      multiply(iota(Shape{rows, n}, 0), full(Shape{rows, n}, static_cast<double>(n), DType::i32));
  const Tensor flat_index =
      reshape(add(row_start, reshape(permute(winner, last), Shape{rows, n})), Shape{rows * n});
  const Tensor moved = permute(g, last);
  const Tensor flat_g = reshape(moved, Shape{rows * n});
  const Tensor scattered = scatter_add(zeros_like(flat_g), flat_index, flat_g);
  Axes back(last.size());
  for (std::size_t d = 0; d < last.size(); ++d)
    back[static_cast<std::size_t>(last[d])] = static_cast<int>(d);
  return permute(reshape(scattered, moved.shape()), back);
}

/// dx_j = sum over i >= j of g_i exp(x_j - y_i), in the log domain, positive and negative g apart.
Tensor scan_log_add_exp_rule(const Tensor& x, const Tensor& y, const Tensor& g, int axis,
                             bool reverse) {
  const auto part = [&](const Tensor& magnitude) {
    const Tensor present = less(zeros_like(g), magnitude);
    const Tensor safe = where(present, magnitude, full_like(g, 1));
    // Finite, so that nothing becomes inf - inf in further derivatives.
    const Tensor log_weight = where(present, subtract(log(safe), y), full_like(g, -1e30));
    return exp(add(x, logcumsumexp(log_weight, axis, !reverse)));
  };
  return subtract(part(g), part(negative(g)));
}

}  // namespace

void reduction_rule(const RuleInput& rule, std::span<Tensor> result) {
  const Tensor& x = rule.in[0];
  const Tensor& y = rule.out[0];
  const Tensor& g = rule.cotangent();
  switch (rule.node.op()) {
    case Op::ReduceSum:
      result[0] = broadcast_to(g, x.shape());
      break;
    case Op::ReduceMax:
      result[0] = reduce_max_rule(x, y, g, axes_of(rule.attrs<ReduceAttrs>().axes));
      break;
    case Op::Scan: {
      const auto& attrs = rule.attrs<ScanAttrs>();
      const int axis = static_cast<int>(attrs.axis);
      const bool reverse = attrs.reverse != 0;
      if (attrs.kind == ScanAttrs::sum)
        result[0] = cumsum(g, axis, !reverse);
      else if (attrs.kind == ScanAttrs::max)
        result[0] = scan_max_rule(x, y, g, axis, reverse);
      else
        result[0] = scan_log_add_exp_rule(x, y, g, axis, reverse);
      break;
    }
    default:
      break;  // ArgMax, ArgSort: indices have no gradient
  }
}

}  // namespace genera::autodiff
