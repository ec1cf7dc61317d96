#include <genera/error.h>
#include <genera/nn.h>

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "engine/core/scope.h"

namespace genera::nn {
namespace detail {

ScopeName& ScopeName::operator=(const ScopeName& other) {
  name_ = other.name_;
  seen_ = other.seen_.load();
  return *this;
}

void ScopeName::rename(std::string name) {
  name_ = std::move(name);
  seen_ = 0;
}

std::uint32_t ScopeName::number() const {
  const std::uint32_t outer = current_scope();
  if (name_.empty()) return outer;
  const std::uint64_t seen = seen_.load(std::memory_order_relaxed);
  if (seen != 0 && seen >> 32 == outer) return static_cast<std::uint32_t>(seen);
  enter_scope(name_);
  const std::uint32_t number = current_scope();
  set_scope(outer);
  seen_.store(std::uint64_t{outer} << 32 | number, std::memory_order_relaxed);
  return number;
}

}  // namespace detail

namespace {

class InScope {
 public:
  explicit InScope(std::uint32_t number) : outer_(current_scope()) { set_scope(number); }
  ~InScope() { set_scope(outer_); }
  InScope(const InScope&) = delete;
  InScope& operator=(const InScope&) = delete;

 private:
  std::uint32_t outer_;
};

}  // namespace

void Visitor::member(const State& state) {
  if (!state) return;  // a layer without its optional bias
  if (std::find(states_.begin(), states_.end(), state) != states_.end()) return;
  // A state's own name is the last part of whatever path it was last listed under.
  const std::string& old = state.name();
  std::string path = prefix_ + old.substr(old.rfind('.') + 1);
  State renamed = state;
  if (path != old) renamed.rename(std::move(path));
  states_.push_back(std::move(renamed));
}

void Visitor::member(const Module& module) {
  const std::size_t position = unnamed_;
  if (module.name().empty()) ++unnamed_;
  member(module, module.name().empty() ? std::to_string(position) : module.name());
}

void Visitor::member(const Module& module, const std::string& name) {
  const std::size_t outer_length = prefix_.size();
  const std::size_t outer_unnamed = std::exchange(unnamed_, 0);
  prefix_ += name + ".";
  module.visit(*this);
  prefix_.resize(outer_length);
  unnamed_ = outer_unnamed;
}

Module::~Module() = default;

Tensor Module::forward(const Tensor&, Context&) const {
  throw ArgumentError(
      fmt::format("[{}] this module has no forward(x)", name().empty() ? "module" : name()));
}

void Module::visit(Visitor&) const {}

Tensor Module::operator()(const Tensor& x, Context& context) const {
  const InScope here(scope_.number());
  return forward(x, context);
}

Tensor Module::operator()(const Tensor& x) const {
  Context inference;
  return (*this)(x, inference);
}

std::vector<State> Module::states() const { return nn::states(*this); }
std::vector<State> Module::parameters() const { return nn::parameters(*this); }

std::int64_t count_elements(const std::vector<State>& states) {
  std::int64_t count = 0;
  for (const State& state : states) count += state.shape().elements();
  return count;
}

Tensor Sequential::forward(const Tensor& x, Context& context) const {
  Tensor y = x;
  for (const auto& module : modules_) y = (*module)(y, context);
  return y;
}

void Sequential::visit(Visitor& visitor) const {
  for (const auto& module : modules_) visitor(*module);
}

void Sequential::append(std::shared_ptr<Module> module) {
  if (module->name().empty()) module->set_name(std::to_string(modules_.size()));
  modules_.push_back(std::move(module));
}

}  // namespace genera::nn
