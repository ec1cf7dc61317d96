#include "backends/device_choice.h"

#include <genera/error.h>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <string>

namespace genera {
namespace {

constexpr std::array<std::string_view, 5> kinds{"discrete", "integrated", "virtual", "cpu",
                                                "other"};

/// Smaller is better. What cannot be used comes last.
std::size_t rank_of(const DeviceInfo& device) {
  const auto kind = std::find(kinds.begin(), kinds.end(), device.kind);
  return static_cast<std::size_t>(kind - kinds.begin()) +
         (device.problem.empty() ? 0 : kinds.size() + 1);
}

std::size_t best(std::span<const DeviceInfo> devices) {
  const auto found = std::min_element(
      devices.begin(), devices.end(),
      [](const DeviceInfo& a, const DeviceInfo& b) { return rank_of(a) < rank_of(b); });
  return static_cast<std::size_t>(found - devices.begin());
}

bool contains(std::string_view text, std::string_view part) {
  return std::search(text.begin(), text.end(), part.begin(), part.end(),
                     [](unsigned char a, unsigned char b) {
                       return std::tolower(a) == std::tolower(b);
                     }) != text.end();
}

/// All of them, each with its number.
std::string listed(std::span<const DeviceInfo> devices) {
  std::string text;
  for (std::size_t i = 0; i < devices.size(); ++i)
    text += fmt::format("{}vulkan:{} ({})", i == 0 ? "" : ", ", i, devices[i].name);
  return text;
}

std::size_t named(std::span<const DeviceInfo> devices, std::string_view selector) {
  if (selector.empty()) return best(devices);
  std::size_t number = 0;
  const char* const last = selector.data() + selector.size();
  const auto [end, error] = std::from_chars(selector.data(), last, number);
  if (error == std::errc() && end == last) {
    if (number < devices.size()) return number;
    throw DeviceError(
        fmt::format("[vulkan] there is no device {}; there are: {}", selector, listed(devices)));
  }
  for (std::size_t i = 0; i < devices.size(); ++i)
    if (contains(devices[i].name, selector)) return i;
  throw DeviceError(fmt::format("[vulkan] no device has '{}' in its name; there are: {}", selector,
                                listed(devices)));
}

}  // namespace

std::size_t choose_device(std::span<const DeviceInfo> devices, std::string_view selector) {
  if (devices.empty()) throw DeviceError("[vulkan] no driver has a device");
  const std::size_t number = named(devices, selector);
  if (!devices[number].problem.empty())
    throw DeviceError(fmt::format("[vulkan] {} cannot be used: {}", devices[number].name,
                                  devices[number].problem));
  return number;
}

std::optional<std::size_t> best_gpu(std::span<const DeviceInfo> devices) {
  if (devices.empty()) return std::nullopt;
  const std::size_t number = best(devices);
  if (!devices[number].problem.empty() || devices[number].kind == "cpu" ||
      devices[number].kind == "other")
    return std::nullopt;
  return number;
}

}  // namespace genera
