#include <genera/ops.h>

#include "engine/autodiff/rules.h"

namespace genera::autodiff {
namespace {

constexpr double half_pi = 1.57079632679489661923;
constexpr double two_over_sqrt_pi = 1.12837916709551257390;

/// The share of the gradient that goes to a in max(a, b): 1, 1/2 where they are equal, 0.
Tensor share(const Tensor& a, const Tensor& b) {
  return where(less(b, a), full_like(a, 1), where(equal(a, b), full_like(a, 0.5), full_like(a, 0)));
}

Tensor none() { return {}; }

}  // namespace

// The expressions of the table (primitives.def) speak of x or a, b, c, of y and g.
void elementwise_rule(const RuleInput& rule, std::span<Tensor> result) {
  const Tensor& g = rule.cotangent();
  const Tensor& y = rule.out[0];
  [[maybe_unused]] const auto lit = [&](double value) { return full_like(g, value); };
  (void)y;
  switch (rule.node.op()) {
#define GENERA_UNARY(Name, function, types, reference, glsl, gradient, ...) \
  case Op::Name: {                                                          \
    [[maybe_unused]] const Tensor& x = rule.in[0];                          \
    if (rule.needed[0]) result[0] = gradient;                               \
    break;                                                                  \
  }
#define GENERA_BINARY(Name, function, types, reference, glsl, gradient_a, gradient_b, ...) \
  case Op::Name: {                                                                         \
    [[maybe_unused]] const Tensor& a = rule.in[0];                                         \
    [[maybe_unused]] const Tensor& b = rule.in[1];                                         \
    if (rule.needed[0]) result[0] = gradient_a;                                            \
    if (rule.needed[1]) result[1] = gradient_b;                                            \
    break;                                                                                 \
  }
#define GENERA_TERNARY(Name, function, types, reference, glsl, gradient_a, gradient_b, gradient_c, \
                       ...)                                                                        \
  case Op::Name: {                                                                                 \
    [[maybe_unused]] const Tensor& a = rule.in[0];                                                 \
    [[maybe_unused]] const Tensor& b = rule.in[1];                                                 \
    [[maybe_unused]] const Tensor& c = rule.in[2];                                                 \
    if (rule.needed[0]) result[0] = gradient_a;                                                    \
    if (rule.needed[1]) result[1] = gradient_b;                                                    \
    if (rule.needed[2]) result[2] = gradient_c;                                                    \
    break;                                                                                         \
  }
#include "engine/graph/primitives.def"
    case Op::Cast:
      result[0] = cast(g, rule.in[0].dtype());
      break;
    default:
      break;
  }
}

}  // namespace genera::autodiff
