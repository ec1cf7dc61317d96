#include "engine/graph/composite.h"

#include <fmt/format.h>

namespace genera {
namespace {

void check_accepts(std::string_view op, Accepts accepts, const Tensor& x) {
  check_tensor(op, x);
  const DType dtype = x.dtype();
  const bool fine = accepts == Accepts::Any || is_floating(dtype) ||
                    (accepts == Accepts::Numeric && is_integer(dtype));
  if (!fine)
    fail(op, fmt::format("needs a {} tensor, got {}",
                         accepts == Accepts::Floating ? "floating" : "numeric", describe(x)));
}

/// x in `shape`. A literal or a host number takes the shape itself, without a Broadcast.
Tensor spread(const Tensor& x, const Shape& shape) {
  if (x.shape() == shape) return x;
  const Node& node = *x.node();
  if (node.op() == Op::Const || node.op() == Op::Scalar)
    return make_node(node.op(), std::span<const Value>{}, x.dtype(), shape, node.attr_bytes());
  return broadcast_to(x, shape);
}

Tensor unary(Op op, std::string_view function, const Tensor& x) {
  check_accepts(function, info(op).accepts, x);
  return make_node(op, {x}, x.dtype(), x.shape());
}

Tensor binary(Op op, std::string_view function, const Tensor& a, const Tensor& b) {
  check_accepts(function, info(op).accepts, a);
  check_same_dtype(function, a, b);
  const DType dtype = info(op).compares ? DType::boolean : a.dtype();
  if (a.shape() == b.shape()) return make_node(op, {a, b}, dtype, a.shape());
  const Shape shape = broadcast_shape(function, a.shape(), b.shape());
  return make_node(op, {spread(a, shape), spread(b, shape)}, dtype, shape);
}

}  // namespace

// The public functions of the table's rows. Fma and Select, below, check their arguments in ways of their own.
#define GENERA_UNARY(Name, function, ...) \
  Tensor function(const Tensor& x) { return unary(Op::Name, #function, x); }
#define GENERA_BINARY(Name, function, ...) \
  Tensor function(const Tensor& a, const Tensor& b) { return binary(Op::Name, #function, a, b); }
#include "engine/graph/primitives.def"

Tensor subtract(const Tensor& a, const Tensor& b) {
  check_same_dtype("subtract", a, b);
  return binary(Op::Add, "subtract", a, negative(b));
}
Tensor minimum(const Tensor& a, const Tensor& b) {
  check_same_dtype("minimum", a, b);
  if (is_floating(a.dtype())) return negative(maximum(negative(a), negative(b)));
  return where(less(b, a), b, a);
}

Tensor fma(const Tensor& a, const Tensor& b, const Tensor& c) {
  check_accepts("fma", Accepts::Floating, a);
  check_same_dtype("fma", a, b);
  check_same_dtype("fma", a, c);
  const Shape shape =
      broadcast_shape("fma", broadcast_shape("fma", a.shape(), b.shape()), c.shape());
  return make_node(Op::Fma, {spread(a, shape), spread(b, shape), spread(c, shape)}, a.dtype(),
                   shape);
}

Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b) {
  check_tensor("where", condition);
  check_same_dtype("where", a, b);
  if (condition.dtype() != DType::boolean)
    fail("where", fmt::format("the condition must be bool, got {}", describe(condition)));
  const Shape shape =
      broadcast_shape("where", broadcast_shape("where", condition.shape(), a.shape()), b.shape());
  return make_node(Op::Select, {spread(condition, shape), spread(a, shape), spread(b, shape)},
                   a.dtype(), shape);
}

Tensor cast(const Tensor& x, DType dtype) {
  check_tensor("cast", x);
  if (x.dtype() == dtype) return x;
  return make_node(Op::Cast, {x}, dtype, x.shape());
}

Tensor operator+(const Tensor& a, double b) { return add(a, number("add", a, b)); }
Tensor operator+(double a, const Tensor& b) { return add(number("add", b, a), b); }
Tensor operator-(const Tensor& a, double b) { return subtract(a, number("subtract", a, b)); }
Tensor operator-(double a, const Tensor& b) { return subtract(number("subtract", b, a), b); }
Tensor operator*(const Tensor& a, double b) { return multiply(a, number("multiply", a, b)); }
Tensor operator*(double a, const Tensor& b) { return multiply(number("multiply", b, a), b); }
Tensor operator/(const Tensor& a, double b) { return divide(a, number("divide", a, b)); }
Tensor operator/(double a, const Tensor& b) { return divide(number("divide", b, a), b); }

}  // namespace genera
