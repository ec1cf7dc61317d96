#include <genera/error.h>
#include <genera/shape.h>

#include "engine/core/joined.h"

#include <fmt/format.h>

namespace genera {

Shape::Shape(std::initializer_list<std::int64_t> extents)
    : Shape(std::span<const std::int64_t>(extents.begin(), extents.size())) {}

namespace {

/// ArgumentError for a negative extent or more than 2^62 elements, extents of 0 not counted: so that no product of
/// extents overflows.
void check(std::span<const std::int64_t> extents) {
  constexpr std::int64_t limit = std::int64_t{1} << 62;
  std::int64_t elements = 1;
  for (const std::int64_t extent : extents) {
    if (extent < 0)
      throw ArgumentError(
          fmt::format("[shape] extents must not be negative, got ({})", joined(extents, ",")));
    if (extent == 0) continue;
    if (__builtin_mul_overflow(elements, extent, &elements) || elements > limit)
      throw ArgumentError(
          fmt::format("[shape] ({}) has more than 2^62 elements", joined(extents, ",")));
  }
}

}  // namespace

Shape::Shape(std::span<const std::int64_t> extents) {
  if (extents.size() > max_rank)
    throw ArgumentError(
        fmt::format("[shape] at most {} axes are supported, got {}", max_rank, extents.size()));
  check(extents);
  for (const std::int64_t extent : extents) extents_[static_cast<std::size_t>(rank_++)] = extent;
}

Shape Shape::with(int axis, std::int64_t extent) const {
  Shape result = *this;
  result.extents_[static_cast<std::size_t>(axis)] = extent;
  check(result.extents());
  return result;
}

Shape Shape::appended(std::int64_t extent) const {
  if (rank_ == max_rank)
    throw ArgumentError(fmt::format("[shape] {} cannot take one more axis", to_string(*this)));
  Shape result = *this;
  result.extents_[static_cast<std::size_t>(result.rank_++)] = extent;
  check(result.extents());
  return result;
}

std::string to_string(const Shape& shape) {
  return fmt::format("({})", joined(shape.extents(), ","));
}

}  // namespace genera
