#include "backends/vulkan/limits.h"

#include <genera/error.h>

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <system_error>

namespace genera::vulkan {
namespace {

/// "16K", "64M" or plain digits.
std::uint64_t number(std::string_view word, std::string_view digits) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  const std::string_view unit(end, static_cast<std::size_t>(digits.data() + digits.size() - end));
  const int shift = unit == "K" ? 10 : unit == "M" ? 20 : 0;
  if (error != std::errc() || value == 0 || (shift == 0 && !unit.empty()) ||
      value << shift >> shift != value)
    throw ArgumentError(
        fmt::format("[vulkan] GENERA_VULKAN_LIMITS: '{}' needs a number such as 64 or 16K", word));
  return value << shift;
}

template <class T>
void at_most(T& limit, std::uint64_t value) {
  limit = static_cast<T>(std::min<std::uint64_t>(limit, value));
}

void apply(Limits& limits, std::string_view word) {
  const std::size_t equals = word.find('=');
  const std::string_view name = word.substr(0, equals);
  if (equals == std::string_view::npos) {
    if (name == "no-bytes") return void(limits.bytes = false);
    if (name == "no-half-words") return void(limits.half_words = false);
    if (name == "barrier-always") return void(limits.barrier_always = true);
    if (name == "record-always") return void(limits.record_always = true);
    if (name == "red-zones") return void(limits.red_zones = true);
  } else {
    const std::uint64_t value = number(word, word.substr(equals + 1));
    if (name == "shared") return at_most(limits.shared_bytes, value);
    if (name == "invocations") return at_most(limits.invocations, value);
    if (name == "groups") return at_most(limits.groups, value);
    if (name == "binding") return at_most(limits.binding_bytes, value);
    if (name == "block") return at_most(limits.allocation_bytes, value);
    if (name == "heap") return at_most(limits.heap_bytes, value);
    if (name == "segment") return at_most(limits.segment_work, value);
  }
  throw ArgumentError(
      fmt::format("[vulkan] GENERA_VULKAN_LIMITS: '{}' is no limit that can be lowered", word));
}

}  // namespace

void lower(Limits& limits, std::string_view text) {
  while (!text.empty()) {
    const std::size_t comma = text.find(',');
    if (comma != 0) apply(limits, text.substr(0, comma));
    text.remove_prefix(comma == std::string_view::npos ? text.size() : comma + 1);
  }
}

}  // namespace genera::vulkan
