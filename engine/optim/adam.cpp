#include <genera/optim.h>

#include <cmath>
#include <utility>

#include "engine/optim/constants.h"
#include "engine/optim/grouping.h"

namespace genera::optim {
namespace {

/// What changes from step to step, or from group to group, in
///   p' = p - (lr a1 / a2) m' / (sqrt(v') + eps / a2),   m' = beta1 m + g,   v' = beta2 v + g^2,
///   a1 = (1 - beta1) / (1 - beta1^t),   a2 = sqrt((1 - beta2) / (1 - beta2^t)),
/// which is the paper's rule with sums in place of its averages, so that all factors but two are moved out of the tensors.
struct Numbers {
  double beta1, beta2, epsilon, rate, keep;

  Numbers(const AdamOptions& o, double lr, std::int64_t step) {
    const auto t = static_cast<double>(step);
    const double a1 = (1 - o.beta1) / (1 - std::pow(o.beta1, t));
    const double a2 = std::sqrt((1 - o.beta2) / (1 - std::pow(o.beta2, t)));
    beta1 = o.beta1;
    beta2 = o.beta2;
    epsilon = o.eps / a2;
    rate = -lr * a1 / a2;
    keep = 1 - lr * o.weight_decay;
  }
};

}  // namespace

Adam::Adam(std::vector<State> parameters, AdamOptions options,
           std::vector<Group<AdamOptions>> groups, bool decoupled)
    : Optimizer(options.name, std::move(parameters)), decoupled_(decoupled) {
  auto [all, predicates, rates] = split_groups(std::move(options), std::move(groups));
  groups_ = std::move(all);
  assign_groups(predicates, std::move(rates));
  for (std::size_t i = 0; i < this->parameters().size(); ++i) {
    const AdamOptions& o = groups_[group_of(i)];
    decays_.push_back(o.weight_decay != 0 && (!o.decays || o.decays(this->parameters()[i])));
  }
  m_ = zeros_per_parameter("gradient_sum");
  v_ = zeros_per_parameter("square_sum");
}

void Adam::append_updates(std::int64_t step, std::span<const Tensor> gradients,
                          std::vector<Update>& updates) const {
  std::vector<Numbers> numbers;
  for (std::size_t k = 0; k < groups_.size(); ++k)
    numbers.emplace_back(groups_[k], effective_rate(k), step);
  ConstantsByShape<4> constants;
  for (std::size_t i = 0; i < gradients.size(); ++i) {
    const std::size_t group = group_of(i);
    const Numbers& n = numbers[group];
    const Tensor& p = parameters()[i].value();
    const auto& [beta1, beta2, epsilon, rate] = constants.get(p, group, [&](const Tensor& like) {
      return std::array{full_like(like, n.beta1), full_like(like, n.beta2),
                        slot_like(like, n.epsilon), slot_like(like, n.rate)};
    });
    const bool decays = decays_[i];
    Tensor g = gradients[i];
    if (decays && !decoupled_) g = g + p * full_like(p, groups_[group].weight_decay);
    Tensor m = m_[i].value() * beta1 + g;
    Tensor v = v_[i].value() * beta2 + g * g;
    const Tensor move = m / (sqrt(v) + epsilon) * rate;
    updates.push_back(
        {parameters()[i], decays && decoupled_ ? p * slot_like(p, n.keep) + move : p + move});
    updates.push_back({m_[i], std::move(m)});
    updates.push_back({v_[i], std::move(v)});
  }
}

}  // namespace genera::optim
