#include <genera/error.h>
#include <genera/ops.h>
#include <genera/optim.h>
#include <genera/scope.h>

#include <algorithm>
#include <utility>

#include "engine/optim/constants.h"

namespace genera::optim {

Ema::Ema(const std::vector<State>& states, EmaOptions options) : options_(std::move(options)) {
  for (const State& state : states) {
    if (!state.trainable()) continue;
    parameters_.push_back(state);
    averages_.emplace_back(options_.name + "." + state.name(), copied_leaf(state.value()), false);
  }
  if (parameters_.empty()) throw ArgumentError("[ema] needs at least one parameter, got none");
}

void Ema::swap() {
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    Tensor live = parameters_[i].value();
    parameters_[i].set(averages_[i].value());
    averages_[i].set(std::move(live));
  }
}

void Ema::append_updates(std::int64_t step, std::vector<Update>& updates) const {
  const scope in_ema(options_.name);
  const auto t = static_cast<double>(step);
  const double decay =
      options_.warm_up ? std::min(options_.decay, (1 + t) / (10 + t)) : options_.decay;
  ConstantsByShape<2> constants;
  const std::size_t given = updates.size();
  std::size_t next = 0;  // both lists mostly have one order, so the search mostly ends at once
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    std::size_t tried = 0;
    while (tried < given && !(updates[next].state == parameters_[i])) {
      next = (next + 1) % given;
      ++tried;
    }
    if (tried == given) continue;  // this optimiser trains other parameters
    const Tensor value = updates[next].value;
    const auto& [keep, rest] = constants.get(value, 0, [&](const Tensor& like) {
      return std::array{slot_like(like, decay), slot_like(like, 1 - decay)};
    });
    updates.push_back({averages_[i], averages_[i].value() * keep + value * rest});
  }
}

}  // namespace genera::optim
