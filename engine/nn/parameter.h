/// What layers with parameters share.
#pragma once

#include <genera/state.h>
#include <genera/tensor.h>

#include <cstdint>
#include <initializer_list>
#include <string_view>

namespace genera::nn {

/// A layer's sizes must be positive; ArgumentError names the layer and prints them.
void check_sizes(std::string_view layer, std::initializer_list<std::int64_t> sizes);

/// The state's tensor, or the empty tensor of a state that the layer goes without.
const Tensor& value_or_empty(const State& state);

}  // namespace genera::nn
