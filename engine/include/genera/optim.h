/// Optimisers: each step computes gradients, new parameters, moments, declared state updates and
/// metrics in one plan.
#pragma once

#include <genera/export.h>
#include <genera/state.h>
#include <genera/tensor.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace genera::optim {

class Ema;

/// What a step does besides the parameters, in the same plan.
struct StepExtras {
  std::vector<Update> updates = {};  ///< declared by the forward pass: Context::take_updates()
  std::vector<Tensor> metrics = {};  ///< computed along, so that asking for them costs nothing
  Ema* average = nullptr;            ///< follows the new parameters
};

/// Chooses parameters, for instance by name or rank.
using Predicate = std::function<bool(const State&)>;
/// True for rank 2 and more: weights, but neither biases nor gains.
GENERA_API bool is_matrix(const State& parameter);

/// Options for the parameters that `where` holds for, instead of the optimiser's own.
template <class Options>
struct Group {
  Predicate where;
  Options options;
};

/// Base of the optimisers. Learning rates and the step number enter a plan as numbers that may
/// change without making a new one; all other options are part of it.
class GENERA_API Optimizer {
 public:
  virtual ~Optimizer();
  Optimizer(Optimizer&&) noexcept = default;
  Optimizer& operator=(Optimizer&&) noexcept = default;

  /// One step: computes the loss, the new parameters and everything in `extras` in one plan and
  /// writes the parameters. `gradients` is what grad(loss, parameters()) gave, perhaps clipped;
  /// pass it as an rvalue, since gradients that the caller still holds must be stored.
  /// ArgumentError unless number, shapes and dtypes fit. All or nothing.
  void step(Gradients gradients, StepExtras extras = {});

  /// In the order in which step() wants the gradients.
  const std::vector<State>& parameters() const { return parameters_; }
  /// What a checkpoint needs beside the parameters: the moments ("adam.gradient_sum.encoder.0.weight") and the
  /// step number
  /// ("adam.step", i32). Loading them brings the optimiser back exactly; learning rates are the
  /// program's.
  std::vector<State> states() const;
  /// Steps taken.
  std::int64_t steps() const;

  /// Learning rate of group `group` (0: the parameters that no Group claimed), without the
  /// multiplier below.
  double learning_rate(std::size_t group = 0) const { return rates_.at(group); }
  void set_learning_rate(double rate, std::size_t group = 0) { rates_.at(group) = rate; }
  /// From now on every group's learning rate is multiplied by this:
  /// `adam.scale_learning_rate(schedule(adam.steps()))`.
  void scale_learning_rate(double multiplier) { multiplier_ = multiplier; }

 protected:
  Optimizer(std::string name, std::vector<State> parameters);

  /// Appends the update of each parameter, and of what is kept for it. `step` counts from 1.
  virtual void append_updates(std::int64_t step, std::span<const Tensor> gradients,
                              std::vector<Update>& updates) const = 0;

  /// Sorts the parameters into groups: 0, or 1 + the index of the first predicate that holds.
  void assign_groups(const std::vector<Predicate>& predicates, std::vector<double> rates);
  /// One tensor of zeros per parameter, named "<optimiser>.<kind>.<parameter>".
  std::vector<State> zeros_per_parameter(std::string_view kind);
  std::size_t group_of(std::size_t parameter) const { return group_of_[parameter]; }
  double effective_rate(std::size_t group) const { return rates_[group] * multiplier_; }

 private:
  void check(const Gradients& gradients) const;

  std::string name_;
  std::vector<State> parameters_;
  std::vector<std::size_t> group_of_;
  std::vector<double> rates_;
  double multiplier_ = 1;
  std::vector<State> moments_;
  State step_;
  mutable Tensor counted_;  // the step tensor that count_ is of: another one means that a
                            // checkpoint was loaded
  mutable std::int64_t count_ = 0;
};

/// Stochastic gradient descent: g += weight_decay p; v = momentum v + g; p -= lr v. Nesterov: p -=
/// lr (g + momentum v). As torch.optim.SGD (Sutskever et al., "On the importance of initialization
/// and momentum in deep learning", 2013).
struct SgdOptions {
  double lr = 1e-2;
  double momentum = 0;
  bool nesterov = false;
  double weight_decay = 0;
  std::string name = "sgd";  ///< begins the names of states()
};
class GENERA_API Sgd : public Optimizer {
 public:
  explicit Sgd(std::vector<State> parameters, SgdOptions options = {},
               std::vector<Group<SgdOptions>> groups = {});

 protected:
  void append_updates(std::int64_t step, std::span<const Tensor> gradients,
                      std::vector<Update>& updates) const override;

 private:
  std::vector<SgdOptions> groups_;
  std::vector<State> velocity_;  // empty when no group has momentum
};

/// Adam (Kingma and Ba, "Adam: a method for stochastic optimization", 2015, algorithm 1), as
/// torch.optim.Adam: m = beta1 m + (1-beta1) g; v = beta2 v + (1-beta2) g^2; p -= lr m/(1-beta1^t)
/// / (sqrt(v/(1-beta2^t)) + eps). Kept are the sums m / (1-beta1) and v / (1-beta2).
struct AdamOptions {
  double lr = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 0;    ///< Adam: added to the gradient; AdamW: decoupled
  Predicate decays = {};      ///< which parameters decay; empty: all
  std::string name = "adam";  ///< begins the names of states()
};
class GENERA_API Adam : public Optimizer {
 public:
  explicit Adam(std::vector<State> parameters, AdamOptions options = {},
                std::vector<Group<AdamOptions>> groups = {})
      : Adam(std::move(parameters), std::move(options), std::move(groups), false) {}

 protected:
  Adam(std::vector<State> parameters, AdamOptions options, std::vector<Group<AdamOptions>> groups,
       bool decoupled);
  void append_updates(std::int64_t step, std::span<const Tensor> gradients,
                      std::vector<Update>& updates) const override;

 private:
  std::vector<AdamOptions> groups_;
  std::vector<bool> decays_;
  bool decoupled_;
  std::vector<State> m_, v_;
};

/// Adam with decoupled weight decay, p -= lr weight_decay p (Loshchilov and Hutter, "Decoupled
/// weight decay regularization", 2019), as torch.optim.AdamW. `{.weight_decay = 0.1, .decays =
/// optim::is_matrix}` spares biases.
class GENERA_API AdamW : public Adam {
 public:
  explicit AdamW(std::vector<State> parameters, AdamOptions options = {.weight_decay = 1e-2},
                 std::vector<Group<AdamOptions>> groups = {})
      : Adam(std::move(parameters), std::move(options), std::move(groups), true) {}
};

/// Adamax (Kingma and Ba, 2015, algorithm 2), Adam with the infinity norm, as torch.optim.Adamax: m =
/// beta1 m + (1-beta1) g; u = max(beta2 u, |g| + eps); p -= lr/(1-beta1^t) m/u.
struct AdamaxOptions {
  double lr = 2e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 0;      ///< added to the gradient
  std::string name = "adamax";  ///< begins the names of states()
};
class GENERA_API Adamax : public Optimizer {
 public:
  explicit Adamax(std::vector<State> parameters, AdamaxOptions options = {},
                  std::vector<Group<AdamaxOptions>> groups = {});

 protected:
  void append_updates(std::int64_t step, std::span<const Tensor> gradients,
                      std::vector<Update>& updates) const override;

 private:
  std::vector<AdamaxOptions> groups_;
  std::vector<State> m_, u_;
};

/// RMSProp (Tieleman and Hinton, lecture 6.5, 2012), as torch.optim.RMSprop: s = alpha s +
/// (1-alpha) g^2; step = g / (sqrt(s) + eps), with `centered` sqrt(s - mean^2); with momentum: b =
/// momentum b + step; p -= lr b.
struct RmsPropOptions {
  double lr = 1e-2;
  double alpha = 0.99;
  double eps = 1e-8;
  double weight_decay = 0;
  double momentum = 0;
  bool centered = false;
  std::string name = "rmsprop";  ///< begins the names of states()
};
class GENERA_API RmsProp : public Optimizer {
 public:
  explicit RmsProp(std::vector<State> parameters, RmsPropOptions options = {},
                   std::vector<Group<RmsPropOptions>> groups = {});

 protected:
  void append_updates(std::int64_t step, std::span<const Tensor> gradients,
                      std::vector<Update>& updates) const override;

 private:
  void append(std::size_t i, Tensor g, const RmsPropOptions& o, std::vector<Update>& updates) const;

  std::vector<RmsPropOptions> groups_;
  std::vector<State> square_, mean_, buffer_;  // the last two are empty when no group wants them
};

// ---- Gradients ----

/// The Euclidean norm of all gradients as one vector; 0-d.
GENERA_API Tensor global_norm(const Gradients& gradients);
/// All gradients times min(1, max_norm / (global norm + 1e-6)), as torch.nn.utils.clip_grad_norm_
/// (Pascanu et al., "On the difficulty of training recurrent neural networks", 2013).
GENERA_API Gradients clip_by_global_norm(Gradients gradients, double max_norm);
/// Every element brought into [-limit, limit].
GENERA_API Gradients clip_by_value(Gradients gradients, double limit);

/// Adds up the gradients of several small batches for one step:
///     for (...) accumulator.add(grad(loss, parameters));
///     adam.step(accumulator.take());
class GENERA_API GradientAccumulator {
 public:
  explicit GradientAccumulator(const std::vector<State>& parameters);
  /// Adds gradients, and their loss, in one plan.
  void add(Gradients gradients, StepExtras extras = {});
  /// The means over what was added since the last take(). ArgumentError when that was nothing.
  Gradients take();
  int count() const { return count_; }
  /// The sums, for a checkpoint between add() and take(); count() is the program's to save.
  std::vector<State> states() const;

 private:
  std::vector<State> sums_;
  State loss_;
  int count_ = 0;
};

// ---- Averages ----

struct EmaOptions {
  double decay = 0.999;
  bool warm_up = false;  ///< decay at most (1+t)/(10+t) at step t, so that the start is forgotten
  std::string name = "ema";  ///< begins the names of states()
};
/// Exponential moving average of parameters: average = decay average + (1-decay) parameter after
/// each step that names it in StepExtras (Polyak and Juditsky, 1992). Untrained states (batch-norm
/// statistics) are not averaged: evaluation with the averages uses their current values.
class GENERA_API Ema {
 public:
  /// Starts at the current values. Untrained states in the list are left alone.
  explicit Ema(const std::vector<State>& states, EmaOptions options = {});

  /// Exchanges parameters and averages.
  void swap();
  /// The averages, named "ema.encoder.0.weight".
  const std::vector<State>& states() const { return averages_; }
  const std::vector<State>& parameters() const { return parameters_; }

  /// Appends the averages' updates, given the step number (from 1) and the parameters' updates;
  /// Optimizer::step calls it.
  void append_updates(std::int64_t step, std::vector<Update>& updates) const;

 private:
  EmaOptions options_;
  std::vector<State> parameters_, averages_;
};

/// While it lives, the parameters hold their averages. Train nothing meanwhile.
class GENERA_API UseAverages {
 public:
  explicit UseAverages(Ema& ema) : ema_(ema) { ema_.swap(); }
  ~UseAverages() { ema_.swap(); }
  UseAverages(const UseAverages&) = delete;
  UseAverages& operator=(const UseAverages&) = delete;

 private:
  Ema& ema_;
};

// ---- Schedules ----

/// What to multiply the learning rate with at a step, counted from 0: Optimizer::steps() before the
/// step.
using Schedule = std::function<double(std::int64_t step)>;

/// 1, always.
GENERA_API Schedule constant();
/// (step + 1) / steps, until 1 is reached.
GENERA_API Schedule linear_warm_up(std::int64_t steps);
/// From 1 down to `final` along half a cosine in `steps` steps, then `final` (Loshchilov and
/// Hutter, "SGDR", 2017).
GENERA_API Schedule cosine(std::int64_t steps, double final = 0);
/// factor^floor(step / every).
GENERA_API Schedule step_decay(std::int64_t every, double factor = 0.1);
/// factor^step.
GENERA_API Schedule exponential(double factor);
/// linear_warm_up(warm_up), then cosine over the rest of `steps`.
GENERA_API Schedule warm_up_cosine(std::int64_t warm_up, std::int64_t steps, double final = 0);

}  // namespace genera::optim
