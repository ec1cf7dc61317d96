#include <genera/ops.h>

#include "engine/autodiff/rules.h"
#include "engine/graph/attributes.h"

namespace genera::autodiff {
namespace {

void scatter_rule(const RuleInput& rule, std::span<Tensor> result) {
  const auto& attrs = rule.attrs<ScatterAttrs>();
  const int axis = static_cast<int>(attrs.axis);
  const Tensor& indices = rule.in[1];
  const Tensor& g = rule.cotangent();
  if (rule.needed[0])
    result[0] =
        attrs.mode == ScatterAttrs::add ? g : scatter_set(g, indices, zeros_like(rule.in[2]), axis);
  if (rule.needed[2]) result[2] = gather(g, indices, axis);
}

void slice_update_rule(const RuleInput& rule, std::span<Tensor> result) {
  const Tensor& update = rule.in[1];
  const Tensor& g = rule.cotangent();
  if (rule.in.size() == 3) {
    if (rule.needed[0]) result[0] = dynamic_slice_update(g, zeros_like(update), rule.in[2]);
    if (rule.needed[1]) result[1] = dynamic_slice(g, rule.in[2], update.shape());
    return;
  }
  const auto& attrs = rule.attrs<SliceUpdateAttrs>();
  const auto rank = static_cast<std::size_t>(update.rank());
  const std::vector<std::int64_t> start(attrs.start.begin(),
                                        attrs.start.begin() + static_cast<std::ptrdiff_t>(rank));
  if (rule.needed[0]) result[0] = slice_update(g, zeros_like(update), start);
  if (rule.needed[1])
    result[1] = update.elements() == 0
                    ? zeros_like(update)
                    : strided_slice(g, start, update.shape(), std::vector<std::int64_t>(rank, 1));
}

}  // namespace

void index_rule(const RuleInput& rule, std::span<Tensor> result) {
  switch (rule.node.op()) {
    case Op::Gather:
      if (rule.needed[0])
        result[0] = scatter_add(zeros_like(rule.in[0]), rule.in[1], rule.cotangent(),
                                static_cast<int>(rule.attrs<GatherAttrs>().axis));
      break;
    case Op::ScatterAdd:
      scatter_rule(rule, result);
      break;
    case Op::SliceUpdate:
      slice_update_rule(rule, result);
      break;
    default:
      break;
  }
}

}  // namespace genera::autodiff
