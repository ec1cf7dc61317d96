#include "engine/nn/parameter.h"

#include <genera/error.h>

#include <fmt/format.h>

#include <algorithm>
#include <string>

namespace genera::nn {

void check_sizes(std::string_view layer, std::initializer_list<std::int64_t> sizes) {
  if (std::all_of(sizes.begin(), sizes.end(), [](std::int64_t size) { return size >= 1; })) return;
  std::string list;
  for (const std::int64_t size : sizes) {
    if (!list.empty()) list += ',';
    list += std::to_string(size);
  }
  throw ArgumentError(fmt::format("[{}] sizes must be positive, got ({})", layer, list));
}

const Tensor& value_or_empty(const State& state) {
  static const Tensor empty;
  return state ? state.value() : empty;
}

}  // namespace genera::nn
