/// The averages of weights that evaluation uses in place of the weights themselves.
#pragma once

#include <genera/optim.h>

#include <functional>
#include <optional>
#include <vector>

namespace genera::zoo {

/// Follows weights from step to step, or with a decay of 0 does nothing.
class WeightAverage {
 public:
  WeightAverage() = default;
  /// Starts at the values that `parameters` have now; warms up as optim::Ema does.
  WeightAverage(const std::vector<State>& parameters, double decay) {
    if (decay > 0) ema_.emplace(parameters, optim::EmaOptions{.decay = decay, .warm_up = true});
  }

  /// For the extras of an optimiser's step; nullptr where there is none.
  optim::Ema* ema() { return ema_ ? &*ema_ : nullptr; }
  std::vector<State> states() const { return ema_ ? ema_->states() : std::vector<State>(); }
  /// Runs `body` while the parameters hold their averages.
  void during(const std::function<void()>& body) {
    if (!ema_) return body();
    const optim::UseAverages averaged(*ema_);
    body();
  }

 private:
  std::optional<optim::Ema> ema_;
};

}  // namespace genera::zoo
