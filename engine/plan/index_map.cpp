#include "engine/plan/index_map.h"

namespace genera {
namespace {

constexpr std::size_t loops = Shape::max_rank;

bool equal_views(const AffineView& a, const AffineView& b) {
  return a.offset == b.offset && a.stride == b.stride;
}

AffineView scaled(const AffineView& view, std::int64_t factor, std::int64_t offset) {
  AffineView result;
  result.offset = view.offset * factor + offset;
  for (std::size_t j = 0; j < loops; ++j) result.stride[j] = view.stride[j] * factor;
  return result;
}

void accumulate(AffineView& into, const AffineView& view, std::int64_t factor) {
  into.offset += view.offset * factor;
  for (std::size_t j = 0; j < loops; ++j) into.stride[j] += view.stride[j] * factor;
}

/// Splits flat into quotient and remainder by `extent`, if every loop term goes wholly to one side and the remainder
/// never reaches `extent`.
struct Split {
  AffineView quotient, remainder;
};
std::optional<Split> split(const AffineView& flat, std::int64_t extent,
                           std::span<const std::int64_t> extents) {
  Split result;
  std::int64_t low = 0, high = 0;
  for (std::size_t j = 0; j < extents.size(); ++j) {
    const std::int64_t stride = flat.stride[j];
    if (stride == 0 || extents[j] <= 1) continue;
    if (stride % extent == 0) {
      result.quotient.stride[j] = stride / extent;
    } else {
      result.remainder.stride[j] = stride;
      (stride > 0 ? high : low) += stride * (extents[j] - 1);
    }
  }
  // The offset's share: its own remainder, as far as the terms leave room.
  std::int64_t rest = flat.offset % extent;
  std::int64_t whole = flat.offset / extent;
  if (rest < 0) {
    rest += extent;
    --whole;
  }
  result.quotient.offset = whole;
  result.remainder.offset = rest;
  if (rest + low < 0 || rest + high >= extent) return std::nullopt;
  return result;
}

std::optional<IndexMap> through_reshape(const Shape& in_shape, const Shape& out_shape,
                                        const IndexMap& map,
                                        std::span<const std::int64_t> extents) {
  AffineView flat = flatten(map, out_shape);
  IndexMap result;
  result.axes.resize(static_cast<std::size_t>(in_shape.rank()));
  for (int d = in_shape.rank() - 1; d >= 0; --d) {
    if (in_shape[d] == 1) continue;
    const std::optional<Split> parts = split(flat, in_shape[d], extents);
    if (!parts) return std::nullopt;
    result.axes[static_cast<std::size_t>(d)] = parts->remainder;
    flat = parts->quotient;
  }
  return result;
}

IndexMap through_window(const WindowAttrs& attrs, const Shape& in_shape, const IndexMap& map) {
  IndexMap result;
  const auto rank = static_cast<std::size_t>(in_shape.rank());
  result.axes.assign(map.axes.begin(), map.axes.begin() + static_cast<std::ptrdiff_t>(rank));
  for (std::size_t k = 0; k < static_cast<std::size_t>(attrs.count); ++k) {
    AffineView& axis = result.axes[static_cast<std::size_t>(attrs.axes[k])];
    axis = scaled(axis, attrs.stride[k], 0);
    accumulate(axis, map.axes[rank + k], attrs.dilation[k]);
  }
  return result;
}

}  // namespace

bool operator==(const IndexMap& a, const IndexMap& b) {
  if (a.axes.size() != b.axes.size()) return false;
  for (std::size_t d = 0; d < a.axes.size(); ++d)
    if (!equal_views(a.axes[d], b.axes[d])) return false;
  return true;
}

IndexMap identity_map(int rank) {
  IndexMap map;
  map.axes.resize(static_cast<std::size_t>(rank));
  for (std::size_t d = 0; d < map.axes.size(); ++d) map.axes[d].stride[d] = 1;
  return map;
}

bool is_view(Op op, std::size_t input_count) {
  switch (op) {
    case Op::Reshape:
    case Op::Permute:
    case Op::Broadcast:
    case Op::Window:
      return true;
    case Op::Slice:
    case Op::Barrier:
      return input_count == 1;
    default:
      return false;
  }
}

std::optional<IndexMap> through_view(Op op, const void* attrs, const Shape& in_shape,
                                     const Shape& out_shape, const IndexMap& map,
                                     std::span<const std::int64_t> extents) {
  const auto rank = static_cast<std::size_t>(in_shape.rank());
  switch (op) {
    case Op::Barrier:
      return map;
    case Op::Reshape:
      return through_reshape(in_shape, out_shape, map, extents);
    case Op::Window:
      return through_window(*static_cast<const WindowAttrs*>(attrs), in_shape, map);
    case Op::Permute: {
      const auto& permute = *static_cast<const PermuteAttrs*>(attrs);
      IndexMap result;
      result.axes.resize(rank);
      for (std::size_t d = 0; d < rank; ++d)
        result.axes[static_cast<std::size_t>(permute.axes[d])] = map.axes[d];
      return result;
    }
    case Op::Broadcast: {
      IndexMap result = map;
      for (std::size_t d = 0; d < rank; ++d)
        if (in_shape[static_cast<int>(d)] == 1) result.axes[d] = AffineView{};
      return result;
    }
    case Op::Slice: {
      const auto& slice = *static_cast<const SliceAttrs*>(attrs);
      IndexMap result;
      for (std::size_t d = 0; d < rank; ++d)
        result.axes.push_back(scaled(map.axes[d], slice.step[d], slice.start[d]));
      return result;
    }
    default:
      return std::nullopt;
  }
}

AffineView flatten(const IndexMap& map, const Shape& shape) {
  AffineView flat;
  std::int64_t stride = 1;
  for (int d = shape.rank() - 1; d >= 0; --d) {
    accumulate(flat, map.axes[static_cast<std::size_t>(d)], stride);
    stride *= shape[d];
  }
  return flat;
}

}  // namespace genera
