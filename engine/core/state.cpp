#include <genera/error.h>
#include <genera/ops.h>
#include <genera/state.h>

#include <fmt/format.h>

#include <string_view>

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

}  // namespace

State::State(std::string name, Tensor value, bool trainable) {
  Tensor leaf = as_leaf(std::move(value), name);
  cell_ = std::make_shared<Cell>(Cell{std::move(name), std::move(leaf), trainable});
}

void State::set(Tensor value) const {
  if (!cell_) throw ArgumentError("[state] set() on an empty State");
  Tensor leaf = as_leaf(std::move(value), cell_->name);
  const Tensor& old = cell_->value;
  if (leaf.shape() != old.shape() || leaf.dtype() != old.dtype())
    throw ArgumentError(fmt::format("[state] '{}' holds {} {}, got {} {}", cell_->name,
                                    to_string(old.shape()), genera::name(old.dtype()),
                                    to_string(leaf.shape()), genera::name(leaf.dtype())));
  cell_->value = std::move(leaf);
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
