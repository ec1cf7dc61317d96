#include "zoo/common/extents.h"

#include <charconv>

namespace genera::zoo {

std::string extents_text(const Shape& shape) {
  std::string text;
  for (int axis = 0; axis < shape.rank(); ++axis)
    text += (axis > 0 ? "," : "") + std::to_string(shape[axis]);
  return text;
}

std::optional<std::vector<std::int64_t>> parse_extents(const std::string& text,
                                                       std::int64_t largest) {
  std::vector<std::int64_t> extents;
  const char *at = text.data(), *end = text.data() + text.size();
  while (at < end) {
    std::int64_t extent = 0;
    const auto [next, error] = std::from_chars(at, end, extent);
    if (error != std::errc{} || extent < 1 || extent > largest) break;
    extents.push_back(extent);
    if (next == end) return extents;
    if (*next != ',') break;
    at = next + 1;
  }
  return std::nullopt;
}

}  // namespace genera::zoo
