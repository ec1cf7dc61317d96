#include <genera/optim.h>

#include <algorithm>
#include <utility>

#include "engine/optim/constants.h"
#include "engine/optim/grouping.h"

namespace genera::optim {

RmsProp::RmsProp(std::vector<State> parameters, RmsPropOptions options,
                 std::vector<Group<RmsPropOptions>> groups)
    : Optimizer(options.name, std::move(parameters)) {
  auto [all, predicates, rates] = split_groups(std::move(options), std::move(groups));
  groups_ = std::move(all);
  assign_groups(predicates, std::move(rates));
  square_ = zeros_per_parameter("square");
  const auto any = [&](auto wants) { return std::any_of(groups_.begin(), groups_.end(), wants); };
  if (any([](const RmsPropOptions& o) { return o.centered; })) mean_ = zeros_per_parameter("mean");
  if (any([](const RmsPropOptions& o) { return o.momentum != 0; }))
    buffer_ = zeros_per_parameter("buffer");
}

void RmsProp::append_updates(std::int64_t, std::span<const Tensor> gradients,
                             std::vector<Update>& updates) const {
  for (std::size_t i = 0; i < gradients.size(); ++i)
    append(i, gradients[i], groups_[group_of(i)], updates);
}

void RmsProp::append(std::size_t i, Tensor g, const RmsPropOptions& o,
                     std::vector<Update>& updates) const {
  const Tensor& p = parameters()[i].value();
  const auto number = [&](double value) { return full_like(p, value); };
  if (o.weight_decay != 0) g = g + p * number(o.weight_decay);
  const Tensor keep = number(o.alpha), rest = number(1 - o.alpha);
  Tensor square = square_[i].value() * keep + g * g * rest;
  Tensor variance = square;
  if (o.centered) {
    Tensor mean = mean_[i].value() * keep + g * rest;
    variance = square - mean * mean;
    updates.push_back({mean_[i], std::move(mean)});
  }
  updates.push_back({square_[i], std::move(square)});
  Tensor move = g / (sqrt(variance) + number(o.eps));
  if (o.momentum != 0) {
    move = buffer_[i].value() * number(o.momentum) + move;
    updates.push_back({buffer_[i], move});
  }
  updates.push_back({parameters()[i], p + move * slot_like(p, -effective_rate(group_of(i)))});
}

}  // namespace genera::optim
