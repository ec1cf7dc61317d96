#include "engine/graph/build.h"

#include "engine/plan/evaluate.h"

#include <fmt/format.h>

#include <algorithm>

namespace genera {

Tensor make_node(Op op, std::span<const Value> inputs, DType dtype, const Shape& shape,
                 std::span<const std::byte> attrs) {
  Node* node = Node::create(op, inputs, dtype, shape, attrs);
  if (op == Op::LU)
    node->add_output(DType::i32, Shape(shape.extents().first(shape.extents().size() - 1)));
  Tensor result(node);
  if (eager_mode()) eval({result});
  return result;
}

Tensor const_node(double value, DType dtype, const Shape& shape) {
  ConstAttrs attrs{};
  if (is_floating(dtype))
    attrs.floating = value;
  else
    attrs.integer = static_cast<std::int64_t>(value);
  return make_node(Op::Const, {}, dtype, shape, attrs);
}

Tensor random_node(const Key& key, RandomAttrs::Kind kind, const Shape& shape) {
  const HostScalar bits{0, static_cast<std::int64_t>(key.bits())};
  const Tensor key_node = make_node(Op::Scalar, std::span<const Value>{}, DType::i64, Shape{},
                                    std::as_bytes(std::span<const HostScalar, 1>(&bits, 1)));
  const DType dtype = kind == RandomAttrs::bits ? DType::u32 : DType::f32;
  return make_node(Op::Random, {key_node}, dtype, shape, RandomAttrs{kind});
}

void fail(std::string_view op, std::string_view message) {
  throw ArgumentError(fmt::format("[{}] {}", op, message));
}

int checked_axis(std::string_view op, int axis, int rank) {
  if (axis < -rank || axis >= rank)
    fail(op, fmt::format("axis {} is outside a tensor of rank {}", axis, rank));
  return axis < 0 ? axis + rank : axis;
}

std::uint64_t checked_axes(std::string_view op, const Axes& axes, int rank) {
  std::uint64_t set = 0;
  for (const int axis : axes) {
    const std::uint64_t bit = std::uint64_t{1} << checked_axis(op, axis, rank);
    if (set & bit) fail(op, fmt::format("axis {} is named twice", axis));
    set |= bit;
  }
  return set;
}

std::int64_t checked_sum(std::string_view op, std::int64_t a, std::int64_t b) {
  std::int64_t sum;
  if (__builtin_add_overflow(a, b, &sum))
    fail(op, fmt::format("{} + {} is too large for a tensor", a, b));
  return sum;
}

std::int64_t checked_product(std::string_view op, std::int64_t a, std::int64_t b) {
  std::int64_t product;
  if (__builtin_mul_overflow(a, b, &product))
    fail(op, fmt::format("{} * {} is too large for a tensor", a, b));
  return product;
}

void check_tensor(std::string_view op, const Tensor& x) {
  if (!x) fail(op, "got an empty Tensor; every operand must hold an expression");
}

void check_same_dtype(std::string_view op, const Tensor& a, const Tensor& b) {
  check_tensor(op, a);
  check_tensor(op, b);
  if (a.dtype() != b.dtype())
    fail(op, fmt::format("operands must have one dtype, got {} and {}; convert one with cast()",
                         describe(a), describe(b)));
}

Shape broadcast_shape(std::string_view op, const Shape& a, const Shape& b) {
  if (a == b) return a;
  const int rank = std::max(a.rank(), b.rank());
  std::array<std::int64_t, Shape::max_rank> extents{};
  for (int i = 0; i < rank; ++i) {
    const int ia = i - (rank - a.rank());
    const int ib = i - (rank - b.rank());
    const std::int64_t ea = ia < 0 ? 1 : a[ia];
    const std::int64_t eb = ib < 0 ? 1 : b[ib];
    if (ea != eb && ea != 1 && eb != 1)
      fail(op, fmt::format("shapes {} and {} do not broadcast: extents {} and {} meet",
                           to_string(a), to_string(b), ea, eb));
    extents[static_cast<std::size_t>(i)] = ea == 1 ? eb : ea;
  }
  return Shape(std::span<const std::int64_t>(extents.data(), static_cast<std::size_t>(rank)));
}

std::string describe(const Tensor& x) {
  return fmt::format("{} {}", to_string(x.shape()), name(x.dtype()));
}

}  // namespace genera
