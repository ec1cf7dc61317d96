#include "engine/core/joined.h"
#include "engine/graph/build.h"

#include <fmt/format.h>

namespace genera {
namespace {

Shape gathered_shape(std::string_view op, const Tensor& x, const Tensor& indices, int axis) {
  check_tensor(op, x);
  check_tensor(op, indices);
  if (indices.dtype() != DType::i32)
    fail(op, fmt::format("indices must be i32, got {}", describe(indices)));
  std::vector<std::int64_t> extents;
  for (int d = 0; d < axis; ++d) extents.push_back(x.shape()[d]);
  extents.insert(extents.end(), indices.shape().begin(), indices.shape().end());
  for (int d = axis + 1; d < x.rank(); ++d) extents.push_back(x.shape()[d]);
  return Shape(extents);
}

Tensor scatter(std::string_view op, ScatterAttrs::Mode mode, const Tensor& base,
               const Tensor& indices, const Tensor& updates, int axis) {
  check_same_dtype(op, base, updates);
  axis = checked_axis(op, axis, base.rank());
  const Shape expected = gathered_shape(op, base, indices, axis);
  if (!(updates.shape() == expected))
    fail(op, fmt::format("updates for {} at indices {} along axis {} must be {}, got {}",
                         describe(base), to_string(indices.shape()), axis, to_string(expected),
                         describe(updates)));
  if (mode == ScatterAttrs::add && base.dtype() == DType::boolean) fail(op, "does not take bool");
  return make_node(Op::ScatterAdd, {base, indices, updates}, base.dtype(), base.shape(),
                   ScatterAttrs{axis, mode});
}

void check_block(std::string_view op, const Tensor& x, const Tensor& update) {
  check_same_dtype(op, x, update);
  bool fits = x.rank() == update.rank();
  for (int d = 0; fits && d < x.rank(); ++d) fits = update.shape()[d] <= x.shape()[d];
  if (!fits) fail(op, fmt::format("update {} does not fit in {}", describe(update), describe(x)));
}

}  // namespace

Tensor gather(const Tensor& x, const Tensor& indices, int axis) {
  check_tensor("gather", x);
  axis = checked_axis("gather", axis, x.rank());
  return make_node(Op::Gather, {x, indices}, x.dtype(), gathered_shape("gather", x, indices, axis),
                   GatherAttrs{axis});
}

Tensor scatter_add(const Tensor& base, const Tensor& indices, const Tensor& updates, int axis) {
  return scatter("scatter_add", ScatterAttrs::add, base, indices, updates, axis);
}
Tensor scatter_set(const Tensor& base, const Tensor& indices, const Tensor& updates, int axis) {
  return scatter("scatter_set", ScatterAttrs::set, base, indices, updates, axis);
}

Tensor slice_update(const Tensor& x, const Tensor& update, const std::vector<std::int64_t>& start) {
  check_block("slice_update", x, update);
  if (start.size() != static_cast<std::size_t>(x.rank()))
    fail("slice_update",
         fmt::format("start needs one number per axis ({}), got {}", x.rank(), start.size()));
  SliceUpdateAttrs attrs{};
  for (int d = 0; d < x.rank(); ++d) {
    const std::int64_t at = start[static_cast<std::size_t>(d)];
    if (at < 0 || at > x.shape()[d] - update.shape()[d])
      fail("slice_update", fmt::format("update {} at ({}) leaves {}", describe(update),
                                       joined(start, ","), describe(x)));
    attrs.start[static_cast<std::size_t>(d)] = at;
  }
  return make_node(Op::SliceUpdate, {x, update}, x.dtype(), x.shape(), attrs);
}

Tensor dynamic_slice_update(const Tensor& x, const Tensor& update, const Tensor& start) {
  check_block("dynamic_slice_update", x, update);
  check_tensor("dynamic_slice_update", start);
  if (start.dtype() != DType::i32 || !(start.shape() == Shape{x.rank()}))
    fail("dynamic_slice_update",
         fmt::format("start must be ({}) i32, got {}", x.rank(), describe(start)));
  return make_node(Op::SliceUpdate, {x, update, start}, x.dtype(), x.shape(), SliceUpdateAttrs{});
}

}  // namespace genera
