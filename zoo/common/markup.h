/// Text for HTML and SVG pages.
#pragma once

#include <string>
#include <string_view>

namespace genera::zoo {

/// The text with <, >, & and " as entities, and without control bytes but newline and tab.
std::string escaped_markup(std::string_view text);

/// The bytes in base64 (RFC 4648, section 4), as data URIs hold them.
std::string base64(std::string_view bytes);

}  // namespace genera::zoo
