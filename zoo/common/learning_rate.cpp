#include "zoo/common/learning_rate.h"

#include <genera/optim.h>

#include <algorithm>

namespace genera::zoo {

double rate_factor(const std::string& schedule, const StepInfo& info, std::int64_t warm_up,
                   double last) {
  if (info.step < warm_up) return optim::linear_warm_up(warm_up)(info.step);
  const std::int64_t step = info.step - warm_up;
  const std::int64_t steps = std::max<std::int64_t>(info.steps - warm_up, 1);
  if (schedule == "cosine") return optim::cosine(steps, last)(step);
  if (schedule == "linear")
    return 1 - (1 - last) * static_cast<double>(step) / static_cast<double>(steps);
  return 1;
}

}  // namespace genera::zoo
