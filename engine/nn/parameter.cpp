#include "engine/nn/parameter.h"

#include <genera/error.h>
#include <genera/shape.h>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace genera::nn {

void check_sizes(std::string_view layer, std::initializer_list<std::int64_t> sizes) {
  for (const std::int64_t size : sizes)
    if (size < 1)
      throw ArgumentError(
          fmt::format("[{}] sizes must be positive, got ({})", layer, fmt::join(sizes, ",")));
}

const Tensor& value_or_empty(const State& state) {
  static const Tensor empty;
  return state ? state.value() : empty;
}

}  // namespace genera::nn
