/// Watching a plan run: the profiler and the hunt for NaN hook in here.
#pragma once

#include "backends/backend.h"
#include "engine/plan/plan.h"

#include <span>

namespace genera {

/// The hook for the next run of `plan`, whose buffers lie at `addresses` in `memory` (null: the host's); empty when nobody watches.
Executable::StepHook observe_hook(const Plan& plan, std::span<void* const> addresses,
                                  DeviceMemory* memory);

}  // namespace genera
