/// How learning rates change over a run.
#pragma once

#include <cstdint>
#include <string>

#include "zoo/common/training.h"

namespace genera::zoo {

/// What a learning rate is multiplied with in a step: first a rise, (step + 1) / warm_up; then, as
/// `schedule` says, half a "cosine" or a "linear" fall from 1 to `last` at the end of the run, or
/// "constant", 1.
double rate_factor(const std::string& schedule, const StepInfo& info, std::int64_t warm_up = 0,
                   double last = 0);

}  // namespace genera::zoo
