#include <genera/error.h>
#include <genera/ops.h>
#include <genera/optim.h>

#include <fmt/format.h>

#include <utility>

#include "engine/optim/constants.h"

namespace genera::optim {

Tensor global_norm(const Gradients& gradients) {
  if (gradients.values.empty()) throw ArgumentError("[global_norm] got no gradients");
  Tensor total;
  for (const Tensor& g : gradients.values) {
    Tensor square = sum(g * g);
    total = total ? total + square : std::move(square);
  }
  return sqrt(total);
}

Gradients clip_by_global_norm(Gradients gradients, double max_norm) {
  const Tensor norm = global_norm(gradients);
  const Tensor room = slot_like(norm, max_norm) / (norm + full_like(norm, 1e-6));
  const Tensor factor = minimum(room, full_like(room, 1));
  for (Tensor& g : gradients.values) g = g * factor;
  return gradients;
}

Gradients clip_by_value(Gradients gradients, double limit) {
  for (Tensor& g : gradients.values)
    g = minimum(maximum(g, slot_like(g, -limit)), slot_like(g, limit));
  return gradients;
}

GradientAccumulator::GradientAccumulator(const std::vector<State>& parameters) {
  sums_.reserve(parameters.size());
  for (const State& p : parameters)
    sums_.emplace_back("gradients." + p.name(), zero_leaf(p.value()), false);
}

void GradientAccumulator::add(Gradients gradients, StepExtras extras) {
  if (gradients.size() != sums_.size())
    throw ArgumentError(fmt::format("[gradient_accumulator] has {} parameters, got {} gradients",
                                    sums_.size(), gradients.size()));
  if (!loss_) loss_ = State("gradients.loss", zero_leaf(gradients.loss), false);
  std::vector<Update> updates = std::move(extras.updates);
  const auto append = [&](const State& total, Tensor value) {
    // The first overwrites, so that a NaN of an abandoned round does not stay.
    updates.push_back({total, count_ == 0 ? std::move(value) : total.value() + value});
  };
  for (std::size_t i = 0; i < sums_.size(); ++i) append(sums_[i], std::move(gradients.values[i]));
  append(loss_, gradients.loss);
  std::vector<Tensor> also = std::move(extras.metrics);
  also.push_back(std::move(gradients.loss));
  commit(std::move(updates), std::move(also));
  ++count_;
}

Gradients GradientAccumulator::take() {
  if (count_ == 0) throw ArgumentError("[gradient_accumulator] take() before any add()");
  const double share = 1.0 / count_;
  Gradients means;
  means.values.reserve(sums_.size());
  for (const State& total : sums_)
    means.values.push_back(total.value() * slot_like(total.value(), share));
  means.loss = loss_.value() * slot_like(loss_.value(), share);
  count_ = 0;
  return means;
}

std::vector<State> GradientAccumulator::states() const {
  std::vector<State> all = sums_;
  if (loss_) all.push_back(loss_);
  return all;
}

}  // namespace genera::optim
