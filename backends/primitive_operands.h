/// Binding primitive steps to memory, for backends that live in host memory.
#pragma once

#include "backends/backend.h"

#include <span>

namespace genera {

/// Runs a primitive step by the reference loops.
void run_by_reference(const PrimitiveStep& step, std::span<void* const> addresses,
                      std::span<const ScalarBinding> scalars);

}  // namespace genera
