#include "zoo/common/utf8.h"

#include <utility>

namespace genera::zoo {
namespace {

constexpr const char* replacement = "\xEF\xBF\xBD";  // U+FFFD

unsigned byte_at(std::string_view text, std::size_t i) {
  return static_cast<unsigned char>(text[i]);
}

// Length by the first byte and the range of the second (Unicode 15, table 3-7).
struct Form {
  std::size_t length = 0;
  unsigned low = 0x80, high = 0xBF;
};

Form form_of(unsigned first) {
  if (first < 0x80) return {1};
  if (first >= 0xC2 && first <= 0xDF) return {2};
  if (first >= 0xE0 && first <= 0xEF)
    return {3, first == 0xE0 ? 0xA0u : 0x80u, first == 0xED ? 0x9Fu : 0xBFu};
  if (first >= 0xF0 && first <= 0xF4)
    return {4, first == 0xF0 ? 0x90u : 0x80u, first == 0xF4 ? 0x8Fu : 0xBFu};
  return {};
}

// How many bytes from the beginning fit the form of a character.
std::size_t fitting(std::string_view text, const Form& form) {
  std::size_t i = 1;
  for (; i < form.length && i < text.size(); ++i) {
    const unsigned low = i == 1 ? form.low : 0x80, high = i == 1 ? form.high : 0xBF;
    if (byte_at(text, i) < low || byte_at(text, i) > high) break;
  }
  return i;
}

}  // namespace

std::size_t utf8_length(std::string_view text) {
  if (text.empty()) return 0;
  const Form form = form_of(byte_at(text, 0));
  return form.length > 0 && fitting(text, form) == form.length ? form.length : 0;
}

bool utf8_incomplete(std::string_view text) {
  if (text.empty()) return false;
  const Form form = form_of(byte_at(text, 0));
  return form.length > text.size() && fitting(text, form) == text.size();
}

std::int64_t utf8_count(std::string_view text) {
  std::int64_t count = 0;
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    text.remove_prefix(length > 0 ? length : 1);
    ++count;
  }
  return count;
}

std::string Utf8Stream::add(std::string_view bytes) {
  waiting_ += bytes;
  std::string characters;
  std::string_view left = waiting_;
  while (!left.empty() && !utf8_incomplete(left)) {
    const std::size_t length = utf8_length(left);
    if (length > 0)
      characters += left.substr(0, length);
    else
      characters += replacement;
    left.remove_prefix(length > 0 ? length : 1);
  }
  waiting_ = std::string(left);
  return characters;
}

std::string Utf8Stream::finish() { return std::exchange(waiting_, {}).empty() ? "" : replacement; }

}  // namespace genera::zoo
