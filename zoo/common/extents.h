/// Sizes as text: as checkpoints' descriptions and flags have them.
#pragma once

#include <genera/shape.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace genera::zoo {

/// "1,28,28" of the shape (1,28,28).
std::string extents_text(const Shape& shape);

/// The numbers of such a text; nothing unless it is one or more numbers from 1 to `largest` with
/// commas between.
std::optional<std::vector<std::int64_t>> parse_extents(const std::string& text,
                                                       std::int64_t largest);

}  // namespace genera::zoo
