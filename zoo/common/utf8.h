/// UTF-8, as far as tokens and streams need it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace genera::zoo {

/// Bytes of the character at the beginning of `text`; 0 where that is no well-formed UTF-8
/// (overlong forms, surrogates and what lies beyond U+10FFFF included) or not all of a character.
std::size_t utf8_length(std::string_view text);

/// True when more bytes could make `text`, which utf8_length() calls malformed, a character.
bool utf8_incomplete(std::string_view text);

/// Characters of `text`; each byte that belongs to none counts as one.
std::int64_t utf8_count(std::string_view text);

/// Bytes in, whole characters out: what is not yet a whole character waits, what can become none is
/// U+FFFD.
class Utf8Stream {
 public:
  /// The characters that these bytes complete.
  std::string add(std::string_view bytes);
  /// What is left at the end: U+FFFD if anything waits.
  std::string finish();

 private:
  std::string waiting_;
};

}  // namespace genera::zoo
