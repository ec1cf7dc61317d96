/// Writing JSON by hand, where a document tree would be waste.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace genera::io {

/// Whether `text` is UTF-8 (RFC 3629: no surrogates, no overlong forms, at most U+10FFFF).
bool is_utf8(std::string_view text);

/// Appends `text` (UTF-8) as a JSON string with its quotes.
void append_json_string(std::string& out, std::string_view text);
void append_json_number(std::string& out, std::int64_t value);
/// The shortest text that reads back as the same number; null for NaN and infinity, which JSON does
/// not have.
void append_json_number(std::string& out, double value);

}  // namespace genera::io
