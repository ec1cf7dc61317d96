#include <genera/ops.h>

#include "engine/autodiff/rules.h"
#include "engine/graph/attributes.h"
#include "engine/graph/build.h"

namespace genera::autodiff {
namespace {

void matmul_rule(const RuleInput& rule, std::span<Tensor> result) {
  const Tensor& g = rule.cotangent();
  if (rule.needed[0]) result[0] = matmul(g, transpose(rule.in[1]));
  if (rule.needed[1]) result[1] = matmul(transpose(rule.in[0]), g);
}

Tensor conv_role(const ConvAttrs& like, ConvAttrs::Role role, const Tensor& first,
                 const Tensor& second, const Shape& shape) {
  ConvAttrs attrs = like;
  attrs.role = role;
  return make_node(Op::Conv, {first, second}, first.dtype(), shape, attrs);
}

/// The trilinear form T(x, w, y): each role leaves one factor out, and its derivative in another leaves that one out too, with
/// the cotangent in the first one's place.
void conv_rule(const RuleInput& rule, std::span<Tensor> result) {
  const auto& attrs = rule.attrs<ConvAttrs>();
  const Tensor& g = rule.cotangent();
  const Tensor& p = rule.in[0];
  const Tensor& q = rule.in[1];
  switch (attrs.role) {
    case ConvAttrs::out:  // (x, w) -> y
      if (rule.needed[0]) result[0] = conv_role(attrs, ConvAttrs::grad_input, g, q, p.shape());
      if (rule.needed[1]) result[1] = conv_role(attrs, ConvAttrs::grad_weight, p, g, q.shape());
      break;
    case ConvAttrs::grad_input:  // (y, w) -> x
      if (rule.needed[0]) result[0] = conv_role(attrs, ConvAttrs::out, g, q, p.shape());
      if (rule.needed[1]) result[1] = conv_role(attrs, ConvAttrs::grad_weight, g, p, q.shape());
      break;
    default:  // grad_weight: (x, y) -> w
      if (rule.needed[0]) result[0] = conv_role(attrs, ConvAttrs::grad_input, q, g, p.shape());
      if (rule.needed[1]) result[1] = conv_role(attrs, ConvAttrs::out, p, g, q.shape());
      break;
  }
}

}  // namespace

void contraction_rule(const RuleInput& rule, std::span<Tensor> result) {
  if (rule.node.op() == Op::MatMul)
    matmul_rule(rule, result);
  else
    conv_rule(rule, result);
}

}  // namespace genera::autodiff
