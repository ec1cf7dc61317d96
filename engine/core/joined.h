/// Lists in messages and headers.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>

namespace genera {

/// The items as text, separated. fmt::join does the same, but g++ 12 at -O3 warns of fmt 9's code
/// behind it.
template <class Range>
std::string joined(const Range& items, std::string_view separator) {
  std::string text;
  for (const auto& item : items) {
    if (!text.empty()) text += separator;
    text += fmt::format("{}", item);
  }
  return text;
}

}  // namespace genera
