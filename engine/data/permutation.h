/// Shuffling on the host.
#pragma once

#include <genera/random.h>

#include <cstdint>
#include <vector>

namespace genera::data {

/// 0 … n-1 in an order that depends on the key alone (Fisher and Yates; one Philox word per
/// exchange).
std::vector<std::int64_t> permutation(const Key& key, std::int64_t n);

}  // namespace genera::data
