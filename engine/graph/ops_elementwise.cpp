#include "engine/graph/build.h"

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

Tensor like(double value, const Tensor& x, std::string_view op) {
  check_tensor(op, x);
  return scalar(value, x.dtype(), x.shape());
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
  const Shape shape = broadcast_shape("fma", broadcast_shape("fma", a.shape(), b.shape()), c.shape());
  return make_node(Op::Fma, {spread(a, shape), spread(b, shape), spread(c, shape)}, a.dtype(), shape);
}

Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b) {
  check_tensor("where", condition);
  check_same_dtype("where", a, b);
  if (condition.dtype() != DType::boolean)
    fail("where", fmt::format("the condition must be bool, got {}", describe(condition)));
  const Shape shape =
      broadcast_shape("where", broadcast_shape("where", condition.shape(), a.shape()), b.shape());
  return make_node(Op::Select, {spread(condition, shape), spread(a, shape), spread(b, shape)}, a.dtype(),
                   shape);
}

Tensor cast(const Tensor& x, DType dtype) {
  check_tensor("cast", x);
  if (x.dtype() == dtype) return x;
  return make_node(Op::Cast, {x}, dtype, x.shape());
}

Tensor operator+(const Tensor& a, double b) { return add(a, like(b, a, "add")); }
Tensor operator+(double a, const Tensor& b) { return add(like(a, b, "add"), b); }
Tensor operator-(const Tensor& a, double b) { return subtract(a, like(b, a, "subtract")); }
Tensor operator-(double a, const Tensor& b) { return subtract(like(a, b, "subtract"), b); }
Tensor operator*(const Tensor& a, double b) { return multiply(a, like(b, a, "multiply")); }
Tensor operator*(double a, const Tensor& b) { return multiply(like(a, b, "multiply"), b); }
Tensor operator/(const Tensor& a, double b) { return divide(a, like(b, a, "divide")); }
Tensor operator/(double a, const Tensor& b) { return divide(like(a, b, "divide"), b); }

}  // namespace genera
