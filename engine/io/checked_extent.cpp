#include "engine/io/checked_extent.h"
#include "engine/core/joined.h"

#include <fmt/format.h>

#include <array>

namespace genera::io {

Extent checked_extent(const ByteSource& source, std::int64_t offset,
                      std::span<const std::uint64_t> extents, std::size_t element_size,
                      const ByteLimit& limit) {
  if (extents.size() > Shape::max_rank)
    source.fail(offset, fmt::format("the array has {} axes, at most {} are supported; reshape it",
                                    extents.size(), Shape::max_rank));
  constexpr std::uint64_t max_bytes = std::uint64_t{1} << 62;
  std::uint64_t nonzero_bytes = element_size;
  bool is_empty = false;
  std::array<std::int64_t, Shape::max_rank> signed_extents{};
  for (std::size_t i = 0; i < extents.size(); ++i) {
    const std::uint64_t extent = extents[i];
    is_empty |= extent == 0;
    if (extent > 0 && nonzero_bytes > max_bytes / extent)
      source.fail(offset, fmt::format("the shape ({}) overflows; the file is corrupt",
                                      joined(extents, ",")));
    if (extent > 0) nonzero_bytes *= extent;
    signed_extents[i] = static_cast<std::int64_t>(extent);
  }
  const auto bytes = is_empty ? std::int64_t{0} : static_cast<std::int64_t>(nonzero_bytes);
  if (bytes > limit.bytes)
    source.fail(offset, fmt::format("the shape ({}) needs {} bytes, but {}", joined(extents, ","),
                                    bytes, limit.reason));
  return {Shape(std::span<const std::int64_t>(signed_extents.data(), extents.size())), bytes};
}

}  // namespace genera::io
