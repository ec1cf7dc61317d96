#include <genera/functions.h>
#include <genera/optim.h>

#include <cmath>
#include <utility>

#include "engine/optim/constants.h"
#include "engine/optim/grouping.h"

namespace genera::optim {

Adamax::Adamax(std::vector<State> parameters, AdamaxOptions options,
               std::vector<Group<AdamaxOptions>> groups)
    : Optimizer(options.name, std::move(parameters)) {
  auto [all, predicates, rates] = split_groups(std::move(options), std::move(groups));
  groups_ = std::move(all);
  assign_groups(predicates, std::move(rates));
  m_ = zeros_per_parameter("m");
  u_ = zeros_per_parameter("u");
}

void Adamax::append_updates(std::int64_t step, std::span<const Tensor> gradients,
                            std::vector<Update>& updates) const {
  ConstantsByShape<5> constants;
  for (std::size_t i = 0; i < gradients.size(); ++i) {
    const std::size_t group = group_of(i);
    const AdamaxOptions& o = groups_[group];
    const Tensor& p = parameters()[i].value();
    const double correction = 1 - std::pow(o.beta1, static_cast<double>(step));
    const auto& [beta1, rest1, beta2, epsilon, rate] =
        constants.get(p, group, [&](const Tensor& like) {
          return std::array{full_like(like, o.beta1), full_like(like, 1 - o.beta1),
                            full_like(like, o.beta2), full_like(like, o.eps),
                            slot_like(like, -effective_rate(group) / correction)};
        });
    Tensor g = gradients[i];
    if (o.weight_decay != 0) g = g + p * full_like(p, o.weight_decay);
    Tensor m = m_[i].value() * beta1 + g * rest1;
    Tensor u = maximum(u_[i].value() * beta2, abs(g) + epsilon);
    updates.push_back({parameters()[i], p + m * rate / u});
    updates.push_back({m_[i], std::move(m)});
    updates.push_back({u_[i], std::move(u)});
  }
}

}  // namespace genera::optim
