#include <genera/error.h>
#include <genera/optim.h>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string_view>

namespace genera::optim {
namespace {

void check_steps(std::string_view schedule, std::int64_t steps) {
  if (steps < 1)
    throw ArgumentError(fmt::format("[{}] needs at least 1 step, got {}", schedule, steps));
}

}  // namespace

Schedule constant() {
  return [](std::int64_t) { return 1.0; };
}

Schedule linear_warm_up(std::int64_t steps) {
  check_steps("linear_warm_up", steps);
  return [=](std::int64_t step) {
    return std::min(1.0, static_cast<double>(step + 1) / static_cast<double>(steps));
  };
}

Schedule cosine(std::int64_t steps, double final) {
  check_steps("cosine", steps);
  return [=](std::int64_t step) {
    const double done = std::min(1.0, static_cast<double>(step) / static_cast<double>(steps));
    return final + (1 - final) * 0.5 * (1 + std::cos(std::numbers::pi * done));
  };
}

Schedule step_decay(std::int64_t every, double factor) {
  check_steps("step_decay", every);
  return [=](std::int64_t step) { return std::pow(factor, static_cast<double>(step / every)); };
}

Schedule exponential(double factor) {
  return [=](std::int64_t step) { return std::pow(factor, static_cast<double>(step)); };
}

Schedule warm_up_cosine(std::int64_t warm_up, std::int64_t steps, double final) {
  if (warm_up < 0 || warm_up >= steps)
    throw ArgumentError(
        fmt::format("[warm_up_cosine] needs 0 <= warm_up < steps, got {} and {}", warm_up, steps));
  if (warm_up == 0) return cosine(steps, final);
  return [rise = linear_warm_up(warm_up), fall = cosine(steps - warm_up, final), warm_up](
             std::int64_t step) { return step < warm_up ? rise(step) : fall(step - warm_up); };
}

}  // namespace genera::optim
