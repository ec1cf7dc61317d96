/// JSON that is written.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace genera::zoo {

/// The text of a value, of `indent` blanks a level; -1: on one line. Bytes that are not UTF-8, which
/// the names of files may have, become U+FFFD.
inline std::string json_text(const nlohmann::ordered_json& json, int indent = -1) {
  return json.dump(indent, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace genera::zoo
