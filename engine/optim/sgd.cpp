#include <genera/optim.h>

#include <algorithm>
#include <utility>

#include "engine/optim/constants.h"
#include "engine/optim/grouping.h"

namespace genera::optim {

Sgd::Sgd(std::vector<State> parameters, SgdOptions options, std::vector<Group<SgdOptions>> groups)
    : Optimizer(options.name, std::move(parameters)) {
  auto [all, predicates, rates] = split_groups(std::move(options), std::move(groups));
  groups_ = std::move(all);
  assign_groups(predicates, std::move(rates));
  if (std::any_of(groups_.begin(), groups_.end(),
                  [](const SgdOptions& o) { return o.momentum != 0; }))
    velocity_ = zeros_per_parameter("velocity");
}

void Sgd::append_updates(std::int64_t, std::span<const Tensor> gradients,
                         std::vector<Update>& updates) const {
  ConstantsByShape<1> rates;
  for (std::size_t i = 0; i < gradients.size(); ++i) {
    const std::size_t group = group_of(i);
    const SgdOptions& o = groups_[group];
    const Tensor& p = parameters()[i].value();
    const auto& [rate] = rates.get(p, group, [&](const Tensor& like) {
      return std::array{slot_like(like, -effective_rate(group))};
    });
    Tensor g = gradients[i];
    if (o.weight_decay != 0) g = g + p * full_like(p, o.weight_decay);
    if (o.momentum == 0) {
      updates.push_back({parameters()[i], p + g * rate});
      continue;
    }
    const Tensor momentum = full_like(p, o.momentum);
    Tensor velocity = velocity_[i].value() * momentum + g;
    updates.push_back(
        {parameters()[i], p + (o.nesterov ? g + velocity * momentum : velocity) * rate});
    updates.push_back({velocity_[i], std::move(velocity)});
  }
}

}  // namespace genera::optim
