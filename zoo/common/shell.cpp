#include "zoo/common/shell.h"

#include <algorithm>
#include <cctype>
#include <string_view>

#include "zoo/common/utf8.h"

namespace genera::zoo {
namespace {

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

// UTF-8 without control characters: what logs, JSON and PNG can hold.
bool is_plain_text(std::string_view text) {
  if (std::any_of(text.begin(), text.end(), is_control)) return false;
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

// Bash's $'...': what is not ASCII or a control character as \xNN.
std::string escaped(std::string_view text) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string result = "$'";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x80 || is_control(c))
      result.append("\\x").append({digits[byte >> 4], digits[byte & 15]});
    else if (c == '\'' || c == '\\')
      result.append({'\\', c});
    else
      result += c;
  }
  return result + "'";
}

}  // namespace

std::string shell_word(const std::string& text) {
  const auto plain = [](char c) {
    constexpr std::string_view harmless = "_-./:,=+@%";
    return std::isalnum(static_cast<unsigned char>(c)) != 0 ||
           harmless.find(c) != std::string_view::npos;
  };
  if (!text.empty() && std::all_of(text.begin(), text.end(), plain)) return text;
  if (!is_plain_text(text)) return escaped(text);
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
