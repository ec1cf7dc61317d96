// Movement: every one of these is a copy between two strided views of the same index space.
#include <algorithm>
#include <cstring>
#include <vector>

#include "backends/reference/element.h"
#include "backends/reference/kernels.h"
#include "backends/reference/strided_copy.h"

namespace genera::reference {
namespace {

std::int64_t bytes_of(const Shape& shape, DType dtype) {
  return shape.elements() * static_cast<std::int64_t>(size_of(dtype));
}

std::size_t at(int axis) { return static_cast<std::size_t>(axis); }

/// Copies input 0, seen through `from`, to the whole output.
void read_view(const Arguments& call, const StridedView& from) {
  const Shape& space = call.output_shape(0);
  copy_strided(space, call.inputs[0].data, from, call.outputs[0].data, StridedView(space),
               size_of(call.outputs[0].dtype));
}

void compute_permute(const Arguments& call) {
  const auto& axes = call.as<PermuteAttrs>().axes;
  const PerAxis strides = contiguous_strides(call.input_shape(0));
  StridedView from(call.input_shape(0));
  for (int d = 0; d < call.output_shape(0).rank(); ++d)
    from.strides[at(d)] = strides[static_cast<std::size_t>(axes[at(d)])];
  read_view(call, from);
}

void compute_broadcast(const Arguments& call) {
  const Shape& shape = call.input_shape(0);
  StridedView from(shape);
  for (int d = 0; d < shape.rank(); ++d)
    if (shape[d] == 1) from.strides[at(d)] = 0;
  read_view(call, from);
}

void compute_slice(const Arguments& call) {
  const auto& attrs = call.as<SliceAttrs>();
  const Shape& shape = call.input_shape(0);
  const bool dynamic = call.inputs.size() > 1;
  const PerAxis start =
      dynamic ? clamped_start(call.op, call.inputs[1], shape, call.output_shape(0)) : attrs.start;
  StridedView from(shape);
  for (int d = 0; d < shape.rank(); ++d) {
    from.offset += start[at(d)] * from.strides[at(d)];
    if (!dynamic) from.strides[at(d)] *= attrs.step[at(d)];
  }
  read_view(call, from);
}

void compute_pad(const Arguments& call) {
  const auto& attrs = call.as<PadAttrs>();
  const Output& out = call.outputs[0];
  const std::int64_t bytes = bytes_of(out.shape, out.dtype);
  if (bytes > 0) std::memset(out.data, 0, static_cast<std::size_t>(bytes));
  StridedView to(out.shape);
  for (int d = 0; d < out.shape.rank(); ++d) {
    to.offset += attrs.lo[at(d)] * to.strides[at(d)];
    to.strides[at(d)] *= attrs.interior[at(d)] + 1;
  }
  const Shape& space = call.input_shape(0);
  copy_strided(space, call.inputs[0].data, StridedView(space), out.data, to, size_of(out.dtype));
}

/// Turns every -0 of the floating output into +0.
void add_zero(const Arguments& call) {
  visit<Accepts::Floating>(call.op, call.outputs[0].dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    const std::int64_t n = call.output_shape(0).elements();
    T* y = call.output<T>(0);
    for (std::int64_t i = 0; i < n; ++i) y[i] = store<T>(load(y[i]) + 0);
  });
}

void compute_concat(const Arguments& call) {
  const auto& attrs = call.as<ConcatAttrs>();
  const int axis = static_cast<int>(attrs.axis);
  const Output& out = call.outputs[0];
  StridedView to(out.shape);
  for (const Input& x : call.inputs) {
    copy_strided(x.shape, x.data, StridedView(x.shape), out.data, to, size_of(out.dtype));
    to.offset += x.shape[axis] * to.strides[at(axis)];
  }
  if (attrs.plus_zero && is_floating(out.dtype)) add_zero(call);
}

/// The view of x (shape `whole`) whose index space is Window's output.
StridedView windows_of(const Shape& whole, const WindowAttrs& attrs) {
  StridedView view(whole);
  for (int k = 0; k < static_cast<int>(attrs.count); ++k) {
    const auto axis = static_cast<std::size_t>(attrs.axes[at(k)]);
    const std::int64_t stride = view.strides[axis];
    view.strides[axis] = stride * attrs.stride[at(k)];
    view.strides[at(whole.rank() + k)] = stride * attrs.dilation[at(k)];
  }
  return view;
}

/// y[view(i)] += x[i] for each index i of x. Sums are those of Compute<T>, one rounding per
/// addition.
template <class T, class Sum>
void add_windows(const Arguments& call, const StridedView& view, Sum* y) {
  const Shape& space = call.input_shape(0);
  StridedLoop<2> loop(space, {contiguous_strides(space), view.strides});
  loop.lengthen_rows();
  const T* x = call.input<T>(0);
  loop.for_each_row({0, view.offset}, [&](const auto& at, std::int64_t count, const auto& step) {
    for (std::int64_t i = 0; i < count; ++i) {
      Sum& sum = y[at[1] + i * step[1]];
      sum = store<Sum>(load(sum) + load(x[at[0] + i * step[0]]));
    }
  });
}

void compute_fold(const Arguments& call) {
  const StridedView view = windows_of(call.output_shape(0), call.as<WindowAttrs>());
  visit<Accepts::Numeric>(call.op, call.inputs[0].dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    const std::int64_t n = call.output_shape(0).elements();
    T* y = call.output<T>(0);
    if constexpr (std::is_arithmetic_v<T>) {
      std::fill_n(y, n, T{0});
      add_windows<T, T>(call, view, y);
    } else {
      std::vector<float> sums(static_cast<std::size_t>(n), 0.0f);
      add_windows<T, float>(call, view, sums.data());
      for (std::int64_t i = 0; i < n; ++i) y[i] = store<T>(sums[static_cast<std::size_t>(i)]);
    }
  });
}

}  // namespace

void compute_movement(const Arguments& call) {
  switch (call.op) {
    case Op::Reshape:
      return copy_bytes(call.outputs[0].data, call.inputs[0].data,
                        bytes_of(call.output_shape(0), call.outputs[0].dtype));
    case Op::Permute:
      return compute_permute(call);
    case Op::Broadcast:
      return compute_broadcast(call);
    case Op::Slice:
      return compute_slice(call);
    case Op::Pad:
      return compute_pad(call);
    case Op::Concat:
      return compute_concat(call);
    case Op::Window:
      return read_view(call, windows_of(call.input_shape(0), call.as<WindowAttrs>()));
    case Op::Fold:
      return compute_fold(call);
    default:
      throw_unsupported(call.op, call.inputs[0].dtype);
  }
}

}  // namespace genera::reference
