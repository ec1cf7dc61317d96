#include "zoo/common/shell.h"

#include <algorithm>
#include <cctype>
#include <string_view>

namespace genera::zoo {

std::string shell_word(const std::string& text) {
  const auto plain = [](char c) {
    constexpr std::string_view harmless = "_-./:,=+@%";
    return std::isalnum(static_cast<unsigned char>(c)) != 0 ||
           harmless.find(c) != std::string_view::npos;
  };
  if (!text.empty() && std::all_of(text.begin(), text.end(), plain)) return text;
  std::string result = "'";
  for (const char c : text) {
    if (c == '\'')
      result += "'\\''";
    else
      result += c;
  }
  return result + "'";
}

}  // namespace genera::zoo
