#include <genera/error.h>
#include <genera/optim.h>
#include <genera/scope.h>

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "engine/core/storage.h"
#include "engine/optim/constants.h"
#include "engine/plan/evaluate.h"

namespace genera::optim {
namespace {

std::size_t bytes_of(const Tensor& x) {
  return static_cast<std::size_t>(x.elements()) * size_of(x.dtype());
}

Tensor step_tensor(std::int64_t step) {
  return Tensor::from<std::int32_t>({static_cast<std::int32_t>(step)}, {});
}

void check_parameters(const std::string& name, const std::vector<State>& parameters) {
  if (parameters.empty())
    throw ArgumentError(fmt::format("[{}] needs at least one parameter, got none", name));
  std::vector<const Tensor*> cells;
  for (const State& parameter : parameters) {
    if (!parameter) throw ArgumentError(fmt::format("[{}] got an empty State", name));
    if (!parameter.trainable())
      throw ArgumentError(
          fmt::format("[{}] '{}' is not trainable: pass parameters(...), not states(...)", name,
                      parameter.name()));
    if (!is_floating(parameter.value().dtype()))
      throw ArgumentError(fmt::format("[{}] parameter '{}' must be floating, got {}", name,
                                      parameter.name(), genera::name(parameter.value().dtype())));
    cells.push_back(&parameter.value());
  }
  std::sort(cells.begin(), cells.end());
  if (std::adjacent_find(cells.begin(), cells.end()) != cells.end())
    throw ArgumentError(fmt::format("[{}] got a parameter twice", name));
}

}  // namespace

bool is_matrix(const State& parameter) { return parameter.shape().rank() >= 2; }

Tensor zero_leaf(const Tensor& like) {
  StorageRef storage(Storage::allocate(bytes_of(like)));
  if (storage->data()) std::memset(storage->data(), 0, bytes_of(like));
  return leaf_node(std::move(storage), like.dtype(), like.shape());
}

Tensor copied_leaf(const Tensor& x) {
  StorageRef storage(Storage::allocate(bytes_of(x)));
  x.copy_to({static_cast<std::byte*>(storage->data()), bytes_of(x)});
  return leaf_node(std::move(storage), x.dtype(), x.shape());
}

Optimizer::Optimizer(std::string name, std::vector<State> parameters)
    : name_(std::move(name)), parameters_(std::move(parameters)) {
  check_parameters(name_, parameters_);
  counted_ = step_tensor(0);
  step_ = State(name_ + ".step", counted_, false);
}

Optimizer::~Optimizer() = default;

void Optimizer::assign_groups(const std::vector<Predicate>& predicates, std::vector<double> rates) {
  rates_ = std::move(rates);
  group_of_.reserve(parameters_.size());
  for (const State& parameter : parameters_) {
    const auto found = std::find_if(predicates.begin(), predicates.end(),
                                    [&](const Predicate& where) { return where(parameter); });
    group_of_.push_back(
        found == predicates.end() ? 0 : 1 + static_cast<std::size_t>(found - predicates.begin()));
  }
}

std::vector<State> Optimizer::zeros_per_parameter(std::string_view kind) {
  std::vector<State> made;
  made.reserve(parameters_.size());
  for (const State& parameter : parameters_)
    made.emplace_back(fmt::format("{}.{}.{}", name_, kind, parameter.name()),
                      zero_leaf(parameter.value()), false);
  moments_.insert(moments_.end(), made.begin(), made.end());
  return made;
}

std::vector<State> Optimizer::states() const {
  std::vector<State> all = moments_;
  all.push_back(step_);
  return all;
}

std::int64_t Optimizer::steps() const {
  if (step_.value().node() != counted_.node()) {
    counted_ = step_.value();
    count_ = counted_.item<std::int64_t>();
  }
  return count_;
}

void Optimizer::check(const Gradients& gradients) const {
  if (gradients.size() != parameters_.size())
    throw ArgumentError(
        fmt::format("[{}] has {} parameters, got {} gradients: pass "
                    "grad(loss, optimizer.parameters())",
                    name_, parameters_.size(), gradients.size()));
  for (std::size_t i = 0; i < gradients.size(); ++i) {
    const Tensor& g = gradients.values[i];
    const Tensor& p = parameters_[i].value();
    if (!g || g.shape() != p.shape() || g.dtype() != p.dtype())
      throw ArgumentError(fmt::format("[{}] parameter '{}' is {} {}, its gradient {} {}", name_,
                                      parameters_[i].name(), to_string(p.shape()),
                                      genera::name(p.dtype()), g ? to_string(g.shape()) : "empty",
                                      g ? genera::name(g.dtype()) : ""));
  }
}

void Optimizer::step(Gradients gradients, StepExtras extras) {
  check(gradients);
  const std::int64_t step = steps() + 1;
  std::vector<Update> updates = std::move(extras.updates);
  updates.reserve(updates.size() + parameters_.size() + moments_.size() +
                  (extras.average ? parameters_.size() : 0));
  {
    const scope in_step(name_);
    append_updates(step, gradients.values, updates);
    if (extras.average) extras.average->append_updates(step, updates);
  }
  std::vector<Tensor> also = std::move(extras.metrics);
  if (gradients.loss) also.push_back(std::move(gradients.loss));
  gradients = {};  // a gradient that nobody holds need not be stored
  commit(std::move(updates), std::move(also));
  count_ = step;
  counted_ = step_tensor(step);
  step_.set(counted_);
}

}  // namespace genera::optim
