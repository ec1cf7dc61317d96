/// State: what a program keeps from step to step — parameters, optimiser moments, batch-norm statistics, averages, chains.
#pragma once

#include <genera/autodiff.h>
#include <genera/export.h>
#include <genera/random.h>
#include <genera/tensor.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace genera {

/// A named cell that holds a tensor. Copies of a State are the same cell. Only commit() overwrites it in place.
class GENERA_API State {
 public:
  State() = default;
  /// `trainable`: a parameter, which parameters() lists; otherwise statistics that a forward pass updates. A value that
  /// depends on no stored tensor (random numbers, constants) is computed when it is first asked for: never, if set()
  /// replaces it before.
  State(std::string name, Tensor value, bool trainable = true);

  explicit operator bool() const { return cell_ != nullptr; }
  const Tensor& value() const {
    if (cell_->deferred.load(std::memory_order_acquire)) compute();
    return cell_->value;
  }
  // a State stands for its tensor in expressions
  operator const Tensor&() const { return value(); }
  const std::string& name() const { return cell_->name; }
  void rename(std::string name) { cell_->name = std::move(name); }
  bool trainable() const { return cell_->trainable; }
  const Shape& shape() const { return cell_->shape; }
  /// Replaces the tensor, without touching the old one's memory; it may be computed later, as by the constructor.
  /// ArgumentError unless shape and dtype are the same.
  void set(Tensor value) const;

  friend bool operator==(const State&, const State&) = default;  // the same cell

 private:
  struct Cell {
    std::string name;
    Tensor value;
    Shape shape;
    bool trainable = true;
    std::atomic<bool> deferred{false};  // `value` is an expression that nobody has asked for yet
    std::mutex mutex;                   // held while it is computed
  };
  void compute() const;
  std::shared_ptr<Cell> cell_;
};

/// A new value for a state.
struct Update {
  State state;
  Tensor value;
};

/// Computes all updates and `also` (losses, metrics) in one plan and writes the updates into their states. The old values'
/// memory is reused where nobody else holds them. A handle on a tensor that depends on an old value and that these
/// graphs reach is computed too and stays readable; asking later for anything else that depends on the old values
/// throws ConsumedError. All or nothing: when it throws, no state has changed.
GENERA_API void commit(std::vector<Update> updates, std::vector<Tensor> also = {});

/// What a forward pass is given besides its input: the mode, random numbers, and where state updates go.
class GENERA_API Context {
 public:
  /// Inference: no randomness, running statistics.
  Context() = default;
  /// Training with this step's key.
  static Context training(const Key& key);

  bool is_training() const { return training_; }
  /// A fresh key at every call, derived from the step's key. ArgumentError in inference.
  Key next_key();
  /// Declares a state's new value; the optimiser's step (or commit) writes it.
  void update(const State& state, Tensor value) { updates_.push_back({state, std::move(value)}); }
  /// Hands the updates over (to a step) and forgets them.
  std::vector<Update> take_updates() { return std::exchange(updates_, {}); }

 private:
  bool training_ = false;
  Key key_{0};
  std::uint64_t draws_ = 0;
  std::vector<Update> updates_;
};

/// Gradients of `loss` with respect to the states' current values.
GENERA_API Gradients grad(const Tensor& loss, const std::vector<State>& wrt);

}  // namespace genera
