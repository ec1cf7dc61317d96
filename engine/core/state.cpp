#include <genera/error.h>
#include <genera/ops.h>
#include <genera/state.h>

#include <fmt/format.h>

#include <string_view>
#include <unordered_set>
#include <vector>

#include "engine/graph/node.h"

namespace genera {
namespace {

/// The value as a leaf, so that no step's plan contains how a state began.
Tensor as_leaf(Tensor value, std::string_view name) {
  if (!value)
    throw ArgumentError(fmt::format("[state] '{}' needs a tensor, got an empty one", name));
  if (value.node()->op() == Op::Leaf) return value;
  return detach(value);
}

/// Whether a value can be computed later as well as now: stored tensors could be overwritten until then.
bool can_wait(const Tensor& value) {
  std::vector<const Node*> open = {value.node()};
  std::unordered_set<const Node*> seen = {value.node()};
  while (!open.empty()) {
    const Node* node = open.back();
    open.pop_back();
    if (node->op() == Op::Leaf) return false;
    for (const Value& input : node->inputs())
      if (seen.insert(input.node).second) open.push_back(input.node);
  }
  return true;
}

}  // namespace

State::State(std::string name, Tensor value, bool trainable) : cell_(std::make_shared<Cell>()) {
  const bool deferred = value && can_wait(value);
  cell_->value = deferred ? std::move(value) : as_leaf(std::move(value), name);
  cell_->deferred = deferred;
  cell_->name = std::move(name);
  cell_->shape = cell_->value.shape();
  cell_->trainable = trainable;
}

void State::compute() const {
  std::lock_guard lock(cell_->mutex);
  if (!cell_->deferred.load(std::memory_order_relaxed)) return;  // another thread was faster
  cell_->value = as_leaf(cell_->value, cell_->name);
  cell_->deferred.store(false, std::memory_order_release);
}

void State::set(Tensor value) const {
  if (!cell_) throw ArgumentError("[state] set() on an empty State");
  const bool deferred = value && can_wait(value);
  Tensor ready = deferred ? std::move(value) : as_leaf(std::move(value), cell_->name);
  const Tensor& old = cell_->value;
  if (ready.shape() != old.shape() || ready.dtype() != old.dtype())
    throw ArgumentError(fmt::format("[state] '{}' holds {} {}, got {} {}", cell_->name,
                                    to_string(old.shape()), genera::name(old.dtype()),
                                    to_string(ready.shape()), genera::name(ready.dtype())));
  cell_->value = std::move(ready);
  cell_->deferred = deferred;
}

Context Context::training(const Key& key) {
  Context context;
  context.training_ = true;
  context.key_ = key;
  return context;
}

Key Context::next_key() {
  if (!training_)
    throw ArgumentError(
        "[context] inference has no random key; make the context with Context::training(key)");
  return key_.fold_in(draws_++);
}

Gradients grad(const Tensor& loss, const std::vector<State>& wrt) {
  std::vector<Tensor> values;
  values.reserve(wrt.size());
  for (const State& state : wrt) values.push_back(state.value());
  return grad(loss, std::span<const Tensor>(values));
}

}  // namespace genera
