/// How operations make nodes: argument checks with one voice, and the node itself.
#pragma once

#include <genera/ops.h>
#include <genera/random.h>
#include <genera/tensor.h>

#include "engine/graph/attributes.h"
#include "engine/graph/node.h"

#include <initializer_list>
#include <span>
#include <string_view>

namespace genera {

/// A node without attributes.
Tensor make_node(Op op, std::span<const Value> inputs, DType dtype, const Shape& shape,
                 std::span<const std::byte> attrs = {});
inline Tensor make_node(Op op, std::initializer_list<Value> inputs, DType dtype,
                        const Shape& shape) {
  return make_node(op, std::span<const Value>(inputs.begin(), inputs.size()), dtype, shape);
}
/// A node with its struct of attributes.h.
template <class A>
Tensor make_node(Op op, std::initializer_list<Value> inputs, DType dtype, const Shape& shape,
                 const A& attrs) {
  static_assert(std::has_unique_object_representations_v<A> || std::is_same_v<A, ConstAttrs>,
                "attributes go into plan keys as bytes: no padding");
  return make_node(op, std::span<const Value>(inputs.begin(), inputs.size()), dtype, shape,
                   std::as_bytes(std::span<const A, 1>(&attrs, 1)));
}

/// A node of class Random.
Tensor random_node(const Key& key, RandomAttrs::Kind kind, const Shape& shape);
/// A literal in every element of `shape`, as floating or integer as dtype says.
Tensor const_node(double value, DType dtype, const Shape& shape);

/// Throws ArgumentError("[op] message").
[[noreturn]] void fail(std::string_view op, std::string_view message);
/// The axis counted from 0; ArgumentError when outside [-rank, rank).
int checked_axis(std::string_view op, int axis, int rank);
/// The axes as a bit set; ArgumentError when one is outside or named twice.
std::uint64_t checked_axes(std::string_view op, const Axes& axes, int rank);
/// a + b and a * b of extents, steps and paddings; ArgumentError when 64 bits do not hold them.
std::int64_t checked_sum(std::string_view op, std::int64_t a, std::int64_t b);
std::int64_t checked_product(std::string_view op, std::int64_t a, std::int64_t b);
/// ArgumentError when x is an empty handle.
void check_tensor(std::string_view op, const Tensor& x);
/// ArgumentError unless the dtypes are equal.
void check_same_dtype(std::string_view op, const Tensor& a, const Tensor& b);
/// The shape that a and b broadcast to; ArgumentError when they do not.
Shape broadcast_shape(std::string_view op, const Shape& a, const Shape& b);
/// "(32,3,5,5) f32".
std::string describe(const Tensor& x);

}  // namespace genera
