// Primitives that index with data.
#include <genera/error.h>

#include <fmt/format.h>

#include <cstring>
#include <vector>

#include "backends/reference/element.h"
#include "backends/reference/kernels.h"
#include "backends/reference/strided_copy.h"

namespace genera::reference {
namespace {

/// The indices of Gather and ScatterAdd after checking that all lie in [0, extent).
std::span<const std::int32_t> checked_indices(const Arguments& call, const std::string& caller,
                                              std::int64_t extent) {
  const Input& indices = call.inputs[1];
  if (indices.dtype != DType::i32)
    throw ArgumentError(
        fmt::format("[{}] indices must be i32, got {}", caller, name(indices.dtype)));
  const std::span<const std::int32_t> values(static_cast<const std::int32_t*>(indices.data),
                                             static_cast<std::size_t>(indices.shape.elements()));
  for (std::size_t i = 0; i < values.size(); ++i)
    if (values[i] < 0 || values[i] >= extent)
      throw ArgumentError(fmt::format("[{}] index {} at position {} is outside [0,{})", caller,
                                      values[i], i, extent));
  return values;
}

/// Calls body(row, update) with the element offsets of each pair of rows that an index connects:
/// `row` in the tensor of shape (outer, extent, inner), `update` in the one of shape (outer,
/// indices, inner).
template <class Body>
void for_each_indexed_row(const AxisSplit& split, std::span<const std::int32_t> indices,
                          const Body& body) {
  std::int64_t update = 0;
  for (std::int64_t o = 0; o < split.outer; ++o)
    for (const std::int32_t index : indices) {
      body((o * split.extent + index) * split.inner, update);
      update += split.inner;
    }
}

/// Calls loop(copy), where copy(to, from) copies `bytes` bytes: known sizes spare the call for a
/// single element.
template <class Loop>
void with_row_copy(std::int64_t bytes, const Loop& loop) {
  switch (bytes) {
    case 4:
      return loop([](void* to, const void* from) { std::memcpy(to, from, 4); });
    case 8:
      return loop([](void* to, const void* from) { std::memcpy(to, from, 8); });
    default:
      return loop([bytes](void* to, const void* from) { copy_bytes(to, from, bytes); });
  }
}

void compute_gather(const Arguments& call) {
  const AxisSplit split(call.input_shape(0), call.as<GatherAttrs>().axis);
  const auto indices = checked_indices(call, "gather", split.extent);
  const auto size = static_cast<std::int64_t>(size_of(call.outputs[0].dtype));
  const auto* x = call.input<std::byte>(0);
  auto* y = call.output<std::byte>(0);
  with_row_copy(split.inner * size, [&](const auto& copy) {
    for_each_indexed_row(split, indices, [&](std::int64_t row, std::int64_t update) {
      copy(y + update * size, x + row * size);
    });
  });
}

template <class T, class Sum>
void add_rows(const AxisSplit& split, std::span<const std::int32_t> indices, const T* updates,
              Sum* y) {
  for_each_indexed_row(split, indices, [&](std::int64_t row, std::int64_t update) {
    for (std::int64_t i = 0; i < split.inner; ++i)
      y[row + i] = store<Sum>(load(y[row + i]) + load(updates[update + i]));
  });
}

/// y += updates at rows, in index order; f16 and bf16 are summed in f32 and rounded once.
template <class T>
void scatter_add(const Arguments& call, const AxisSplit& split,
                 std::span<const std::int32_t> indices) {
  const std::int64_t n = call.output_shape(0).elements();
  const T* base = call.input<T>(0);
  T* y = call.output<T>(0);
  if constexpr (std::is_arithmetic_v<T>) {
    copy_bytes(y, base, n * static_cast<std::int64_t>(sizeof(T)));
    add_rows<T, T>(split, indices, call.input<T>(2), y);
  } else {
    std::vector<float> sums(static_cast<std::size_t>(n));
    for (std::int64_t i = 0; i < n; ++i) sums[static_cast<std::size_t>(i)] = load(base[i]);
    add_rows<T, float>(split, indices, call.input<T>(2), sums.data());
    for (std::int64_t i = 0; i < n; ++i) y[i] = store<T>(sums[static_cast<std::size_t>(i)]);
  }
}

void compute_scatter(const Arguments& call) {
  const auto& attrs = call.as<ScatterAttrs>();
  const AxisSplit split(call.input_shape(0), attrs.axis);
  const bool adds = attrs.mode == ScatterAttrs::add;
  const auto indices = checked_indices(call, adds ? "scatter_add" : "scatter_set", split.extent);
  if (adds) {
    return visit<Accepts::Numeric>(call.op, call.inputs[0].dtype, [&](auto type) {
      scatter_add<typename decltype(type)::type>(call, split, indices);
    });
  }
  const auto size = static_cast<std::int64_t>(size_of(call.outputs[0].dtype));
  copy_bytes(call.outputs[0].data, call.inputs[0].data, call.output_shape(0).elements() * size);
  const auto* updates = call.input<std::byte>(2);
  auto* y = call.output<std::byte>(0);
  with_row_copy(split.inner * size, [&](const auto& copy) {
    for_each_indexed_row(split, indices, [&](std::int64_t row, std::int64_t update) {
      copy(y + row * size, updates + update * size);
    });
  });
}

void compute_slice_update(const Arguments& call) {
  const Shape& whole = call.output_shape(0);
  const Input& update = call.inputs[1];
  const std::size_t size = size_of(call.outputs[0].dtype);
  const PerAxis start = call.inputs.size() > 2
                            ? clamped_start(call.op, call.inputs[2], whole, update.shape)
                            : call.as<SliceUpdateAttrs>().start;
  StridedView to(whole);
  for (std::size_t d = 0; d < static_cast<std::size_t>(whole.rank()); ++d)
    to.offset += start[d] * to.strides[d];
  // The planner may have given x's memory to the result.
  if (call.outputs[0].data != call.inputs[0].data)
    copy_bytes(call.outputs[0].data, call.inputs[0].data,
               whole.elements() * static_cast<std::int64_t>(size));
  copy_strided(update.shape, update.data, StridedView(update.shape), call.outputs[0].data, to,
               size);
}

}  // namespace

void compute_index(const Arguments& call) {
  switch (call.op) {
    case Op::Gather:
      return compute_gather(call);
    case Op::ScatterAdd:
      return compute_scatter(call);
    case Op::SliceUpdate:
      return compute_slice_update(call);
    default:
      throw_unsupported(call.op, call.inputs[0].dtype);
  }
}

}  // namespace genera::reference
