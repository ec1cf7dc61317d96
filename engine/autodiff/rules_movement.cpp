#include <genera/ops.h>

#include "engine/autodiff/rules.h"
#include "engine/graph/attributes.h"

namespace genera::autodiff {
namespace {

using Extents = std::vector<std::int64_t>;

/// The axes that Broadcast grew.
Axes grown_axes(const Shape& from, const Shape& to) {
  Axes axes;
  for (int d = 0; d < from.rank(); ++d)
    if (from[d] != to[d]) axes.push_back(d);
  return axes;
}

Tensor slice_rule(const Tensor& x, Tensor g, const SliceAttrs& attrs) {
  const int rank = x.rank();
  Extents lo(static_cast<std::size_t>(rank)), hi(lo), interior(lo), first(lo), back(lo);
  bool turned = false;
  for (int d = 0; d < rank; ++d) {
    const auto i = static_cast<std::size_t>(d);
    const std::int64_t n = g.shape()[d];
    const std::int64_t step = attrs.step[i];
    const std::int64_t end = attrs.start[i] + (n - 1) * step;
    back[i] = step < 0 ? -1 : 1;
    turned = turned || step < 0;
    first[i] = step < 0 ? n - 1 : 0;
    lo[i] = step < 0 ? end : attrs.start[i];
    interior[i] = (step < 0 ? -step : step) - 1;
    hi[i] = x.shape()[d] - 1 - (step < 0 ? attrs.start[i] : end);
  }
  if (g.elements() == 0) return zeros_like(x);
  if (turned) g = strided_slice(g, first, g.shape(), back);
  return pad(g, lo, hi, interior);
}

Tensor pad_rule(const Tensor& x, const Tensor& g, const PadAttrs& attrs) {
  Extents start, step;
  for (int d = 0; d < x.rank(); ++d) {
    start.push_back(x.shape()[d] == 0 ? 0 : attrs.lo[static_cast<std::size_t>(d)]);
    step.push_back(attrs.interior[static_cast<std::size_t>(d)] + 1);
  }
  return strided_slice(g, start, x.shape(), step);
}

void concat_rule(const RuleInput& rule, std::span<Tensor> result) {
  const int axis = static_cast<int>(rule.attrs<ConcatAttrs>().axis);
  std::int64_t start = 0;
  for (std::size_t i = 0; i < rule.in.size(); ++i) {
    const std::int64_t extent = rule.in[i].shape()[axis];
    if (rule.needed[i]) result[i] = slice(rule.cotangent(), axis, start, start + extent);
    start += extent;
  }
}

struct WindowLists {
  Axes axes;
  Extents size, stride, dilation;
};
WindowLists lists_of(const WindowAttrs& attrs) {
  WindowLists lists;
  for (std::size_t k = 0; k < static_cast<std::size_t>(attrs.count); ++k) {
    lists.axes.push_back(static_cast<int>(attrs.axes[k]));
    lists.size.push_back(attrs.size[k]);
    lists.stride.push_back(attrs.stride[k]);
    lists.dilation.push_back(attrs.dilation[k]);
  }
  return lists;
}

}  // namespace

void movement_rule(const RuleInput& rule, std::span<Tensor> result) {
  const Tensor& x = rule.in[0];
  const Tensor& g = rule.cotangent();
  switch (rule.node.op()) {
    case Op::Reshape:
      result[0] = reshape(g, x.shape());
      break;
    case Op::Permute: {
      Axes inverse(static_cast<std::size_t>(x.rank()));
      for (int d = 0; d < x.rank(); ++d)
        inverse[static_cast<std::size_t>(
            rule.attrs<PermuteAttrs>().axes[static_cast<std::size_t>(d)])] = d;
      result[0] = permute(g, inverse);
      break;
    }
    case Op::Broadcast:
      result[0] = sum(g, grown_axes(x.shape(), rule.out[0].shape()), true);
      break;
    case Op::Slice:
      result[0] = rule.in.size() == 1 ? slice_rule(x, g, rule.attrs<SliceAttrs>())
                                      : dynamic_slice_update(zeros_like(x), g, rule.in[1]);
      break;
    case Op::Pad:
      result[0] = pad_rule(x, g, rule.attrs<PadAttrs>());
      break;
    case Op::Concat:
      concat_rule(rule, result);
      break;
    case Op::Window: {
      const WindowLists w = lists_of(rule.attrs<WindowAttrs>());
      result[0] = fold(g, x.shape(), w.axes, w.size, w.stride, w.dilation);
      break;
    }
    case Op::Fold: {
      const WindowLists w = lists_of(rule.attrs<WindowAttrs>());
      result[0] = window(g, w.axes, w.size, w.stride, w.dilation);
      break;
    }
    default:
      break;
  }
}

}  // namespace genera::autodiff
