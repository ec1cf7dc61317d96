#include "zoo/text/formats/gguf_values.h"

#include <fmt/format.h>

namespace genera::zoo::text {

std::int64_t GgufValues::integer(std::string_view key, std::int64_t low, std::int64_t high,
                                 std::optional<std::int64_t> otherwise) const {
  const auto* value = find<std::int64_t>(key);
  if (value == nullptr && otherwise) return *otherwise;
  if (value == nullptr) missing(key);
  if (*value < low || *value > high)
    fail(fmt::format("'{}' is {}, which is not in {} to {}", key, *value, low, high));
  return *value;
}

double GgufValues::real(std::string_view key, std::optional<double> otherwise) const {
  const auto* value = find<double>(key);
  if (value == nullptr && !otherwise) missing(key);
  return value == nullptr ? *otherwise : *value;
}

bool GgufValues::boolean(std::string_view key, bool otherwise) const {
  const auto* value = find<bool>(key);
  return value == nullptr ? otherwise : *value;
}

std::string GgufValues::text(std::string_view key, std::optional<std::string> otherwise) const {
  const auto* value = find<std::string>(key);
  if (value == nullptr && !otherwise) missing(key);
  return value == nullptr ? *otherwise : *value;
}

void GgufValues::missing(std::string_view key) const {
  fail(fmt::format("'{}' is missing; convert the model again", key));
}

void GgufValues::fail(std::string_view problem) const {
  io::BinaryFile("read_gguf", std::span<const std::byte>(), file_.file_name()).fail(problem);
}

}  // namespace genera::zoo::text
