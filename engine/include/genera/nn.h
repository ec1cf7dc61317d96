/// Layers and initialisers. A module is a value: copying it is cheap and the copy shares its
/// states.
///
///     nn::Sequential encoder{nn::Linear(784, 400, key.fold_in(0)), nn::Relu{},
///                            nn::Linear(400, 40, key.fold_in(1))};
///     Tensor y = encoder(x);           // inference
///     Tensor z = encoder(x, context);  // training, with Context::training(key)
///
/// Letters: B batch, C channels, S… spatial axes, … any axes.
#pragma once

#include <genera/export.h>
#include <genera/functions.h>
#include <genera/random.h>
#include <genera/state.h>
#include <genera/tensor.h>

#include <atomic>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace genera::nn {

// ---- Modules ----

class Module;

/// Lists the states below a module, each under the path that leads to it: "encoder.0.weight".
/// States that are met twice (tied weights) are listed once, under their first path.
class GENERA_API Visitor {
 public:
  /// `members` are States and Modules; a Module without a name is called by its position among
  /// those.
  template <class... Members>
  void operator()(const Members&... members) {
    (member(members), ...);
  }
  /// Modules called "name.0", "name.1", …
  template <class M>
  void list(std::string_view name, const std::vector<M>& modules) {
    for (std::size_t i = 0; i < modules.size(); ++i)
      member(modules[i], std::string(name) + "." + std::to_string(i));
  }
  void member(const State& state);
  void member(const Module& module);
  void member(const Module& module, const std::string& name);

  std::vector<State> take() { return std::move(states_); }

 private:
  std::string prefix_;
  std::size_t unnamed_ = 0;
  std::vector<State> states_;
};

namespace detail {

/// A module's name and, so that a forward pass looks nothing up, the scope that it last stood for.
class GENERA_API ScopeName {
 public:
  ScopeName() = default;
  ScopeName(const ScopeName& other) : name_(other.name_), seen_(other.seen_.load()) {}
  ScopeName& operator=(const ScopeName& other);
  void rename(std::string name);
  const std::string& name() const { return name_; }
  /// The number of the scope of this name inside the current one.
  std::uint32_t number() const;

 private:
  std::string name_;
  mutable std::atomic<std::uint64_t> seen_{0};  // outer scope << 32 | this scope
};

}  // namespace detail

/// Base of layers and models. A model of one's own overrides visit(), so that its states are found,
/// and forward(), or has functions of its own instead.
class GENERA_API Module {
 public:
  virtual ~Module();

  /// The layer's function; callers use operator(). ArgumentError unless overridden.
  virtual Tensor forward(const Tensor& x, Context& context) const;
  /// Passes the states and modules that this one is made of to `visitor`, always in the same order.
  virtual void visit(Visitor& visitor) const;

  /// forward() in this module's scope.
  Tensor operator()(const Tensor& x, Context& context) const;
  /// The same for inference: no randomness, running statistics.
  Tensor operator()(const Tensor& x) const;

  /// Everything that a checkpoint of this module holds, in a fixed order. Renames the states to
  /// their paths from here.
  std::vector<State> states() const;
  /// The trainable ones.
  std::vector<State> parameters() const;

  /// What states' paths and scopes call it; may be empty.
  const std::string& name() const { return scope_.name(); }
  void set_name(std::string name) { scope_.rename(std::move(name)); }

 protected:
  Module() = default;
  Module(const Module&) = default;
  Module& operator=(const Module&) = default;

 private:
  detail::ScopeName scope_;
};

template <class M>
concept IsModule = std::derived_from<std::remove_cvref_t<M>, Module>;

/// The module under a name: nn::named("encoder", nn::Sequential{…}).
template <IsModule M>
M named(std::string name, M module) {
  module.set_name(std::move(name));
  return module;
}

/// States of several things, for a checkpoint: of modules (one without a name is called by its
/// position, unless it is the only one), and of anything else that has states(): optimisers,
/// averages.
template <class... Parts>
std::vector<State> states(const Parts&... parts) {
  Visitor visitor;
  constexpr int modules = (0 + ... + (IsModule<Parts> ? 1 : 0));
  const auto visit = [&]<class Part>(const Part& part) {
    if constexpr (IsModule<Part>) {
      if (modules == 1 && part.name().empty())
        part.visit(visitor);
      else
        visitor.member(part);
    }
  };
  (visit(parts), ...);
  std::vector<State> all = visitor.take();
  const auto append = [&]<class Part>(const Part& part) {
    if constexpr (!IsModule<Part>) {
      const auto& more = part.states();
      all.insert(all.end(), more.begin(), more.end());
    }
  };
  (append(parts), ...);
  return all;
}
/// The trainable states of modules, named as by states().
template <IsModule... Modules>
std::vector<State> parameters(const Modules&... modules) {
  std::vector<State> all = states(modules...);
  std::erase_if(all, [](const State& state) { return !state.trainable(); });
  return all;
}
/// Elements of all parameters together.
GENERA_API std::int64_t count_elements(const std::vector<State>& states);

/// Modules one after the other. Those without a name are called "0", "1", … by their position.
class GENERA_API Sequential : public Module {
 public:
  Sequential() = default;
  template <IsModule First, IsModule... Rest>
  requires(
      sizeof...(Rest) > 0 ||
      !std::same_as<std::remove_cvref_t<First>, Sequential>) explicit Sequential(First&& first,
                                                                                 Rest&&... rest) {
    modules_.reserve(1 + sizeof...(Rest));
    add(std::forward<First>(first));
    (add(std::forward<Rest>(rest)), ...);
  }
  /// Appends a module.
  template <IsModule M>
  Sequential& add(M&& module) {
    append(std::make_shared<std::remove_cvref_t<M>>(std::forward<M>(module)));
    return *this;
  }
  std::size_t size() const { return modules_.size(); }
  const Module& operator[](std::size_t i) const { return *modules_.at(i); }

  Tensor forward(const Tensor& x, Context& context) const override;
  void visit(Visitor& visitor) const override;

 private:
  void append(std::shared_ptr<Module> module);
  std::vector<std::shared_ptr<const Module>> modules_;
};

// ---- Layers with parameters ----
// Unless said otherwise weights and biases begin uniform in +-1/sqrt(fan_in), as PyTorch's do (He
// et al., "Delving deep into rectifiers", 2015, with a = sqrt(5)).

struct LinearOptions {
  bool bias = true;
};
/// x (…,in) -> (…,out). States: weight (out,in), bias (out).
class GENERA_API Linear : public Module {
 public:
  Linear(std::int64_t in, std::int64_t out, const Key& key, LinearOptions options = {});
  const State& weight() const { return weight_; }
  const State& bias() const { return bias_; }
  Tensor forward(const Tensor& x, Context& context) const override;
  void visit(Visitor& visitor) const override { visitor(weight_, bias_); }

 private:
  State weight_, bias_;
};

/// Convolution over as many spatial axes as `kernel` has entries: x (B,in,S…) -> (B,out,O…), see
/// genera::conv. States: weight (out,in/groups,K…), bias (out).
class GENERA_API Conv : public Module {
 public:
  Conv(std::int64_t in, std::int64_t out, const std::vector<std::int64_t>& kernel, const Key& key,
       ConvOptions options = {}, bool bias = true);
  const State& weight() const { return weight_; }
  const State& bias() const { return bias_; }
  Tensor forward(const Tensor& x, Context& context) const override;
  void visit(Visitor& visitor) const override { visitor(weight_, bias_); }

 private:
  State weight_, bias_;
  ConvOptions options_;
};

struct Conv2dOptions {
  std::int64_t stride = 1;
  std::int64_t padding = 0;
  std::int64_t dilation = 1;
  std::int64_t groups = 1;
  bool bias = true;
};
/// Conv with a square kernel: x (B,in,H,W) -> (B,out,H',W').
class GENERA_API Conv2d : public Conv {
 public:
  Conv2d(std::int64_t in, std::int64_t out, std::int64_t kernel, const Key& key,
         const Conv2dOptions& options = {});
};

struct ConvTranspose2dOptions {
  std::int64_t stride = 1;
  std::int64_t padding = 0;
  std::int64_t output_padding = 0;
  std::int64_t dilation = 1;
  std::int64_t groups = 1;
  bool bias = true;
};
/// Transposed convolution: x (B,in,H,W) -> (B,out,H',W'), H' = (H-1) stride + dilation (kernel-1) +
/// 1 - 2 padding + output_padding. States: weight (in,out/groups,kernel,kernel), bias (out).
class GENERA_API ConvTranspose2d : public Module {
 public:
  ConvTranspose2d(std::int64_t in, std::int64_t out, std::int64_t kernel, const Key& key,
                  const ConvTranspose2dOptions& options = {});
  const State& weight() const { return weight_; }
  const State& bias() const { return bias_; }
  Tensor forward(const Tensor& x, Context& context) const override;
  void visit(Visitor& visitor) const override { visitor(weight_, bias_); }

 private:
  State weight_, bias_;
  ConvOptions options_;
  std::vector<std::int64_t> output_padding_;
};

struct BatchNormOptions {
  double eps = 1e-5;
  double momentum = 0.1;  ///< running = (1-momentum) running + momentum batch
  bool affine = true;
};
/// Batch normalisation (Ioffe and Szegedy, 2015) of x (B,C) or (B,C,S…), per channel, as
/// torch.nn.BatchNorm. In training by the batch's mean and variance, and the running ones are
/// updated through the context (the variance without bias); in inference by the running ones.
/// States: weight, bias (C); running_mean, running_var (C), not trainable.
class GENERA_API BatchNorm : public Module {
 public:
  explicit BatchNorm(std::int64_t channels, BatchNormOptions options = {});
  const State& weight() const { return weight_; }
  const State& bias() const { return bias_; }
  const State& running_mean() const { return running_mean_; }
  const State& running_var() const { return running_var_; }
  Tensor forward(const Tensor& x, Context& context) const override;
  void visit(Visitor& visitor) const override {
    visitor(weight_, bias_, running_mean_, running_var_);
  }

 private:
  Tensor per_channel(const Tensor& t, int rank) const;
  Tensor scale_and_shift(const Tensor& centred, const Tensor& var) const;
  std::int64_t channels_;
  BatchNormOptions options_;
  State weight_, bias_, running_mean_, running_var_;
};

struct NormOptions {
  double eps = 1e-5;
  bool affine = true;
};
/// Layer normalisation over the last axes, which have the extents `shape`. States: weight, bias
/// (shape).
class GENERA_API LayerNorm : public Module {
 public:
  explicit LayerNorm(const Shape& shape, NormOptions options = {});
  explicit LayerNorm(std::int64_t features, NormOptions options = {})
      : LayerNorm(Shape{features}, options) {}
  Tensor forward(const Tensor& x, Context& context) const override;
  void visit(Visitor& visitor) const override { visitor(weight_, bias_); }

 private:
  Shape shape_;
  NormOptions options_;
  State weight_, bias_;
};

/// Group normalisation of x (B,C,S…); groups = C is instance normalisation. States: weight, bias
/// (C).
class GENERA_API GroupNorm : public Module {
 public:
  GroupNorm(std::int64_t groups, std::int64_t channels, NormOptions options = {});
  Tensor forward(const Tensor& x, Context& context) const override;
  void visit(Visitor& visitor) const override { visitor(weight_, bias_); }

 private:
  std::int64_t groups_;
  NormOptions options_;
  State weight_, bias_;
};

/// Root-mean-square normalisation over the last axis. States: weight (C).
class GENERA_API RMSNorm : public Module {
 public:
  explicit RMSNorm(std::int64_t features, NormOptions options = {.eps = 1e-6});
  Tensor forward(const Tensor& x, Context& context) const override;
  void visit(Visitor& visitor) const override { visitor(weight_); }

 private:
  NormOptions options_;
  State weight_;
};

/// Rows of a table: indices (i32, …) -> (…,features). States: weight (count,features), at first
/// standard normal.
class GENERA_API Embedding : public Module {
 public:
  Embedding(std::int64_t count, std::int64_t features, const Key& key);
  const State& weight() const { return weight_; }
  Tensor forward(const Tensor& indices, Context& context) const override;
  void visit(Visitor& visitor) const override { visitor(weight_); }

 private:
  State weight_;
};

// ---- Layers without parameters ----

namespace detail {

template <Tensor (*function)(const Tensor&)>
class GENERA_API Activation : public Module {
 public:
  Tensor forward(const Tensor& x, Context&) const override { return function(x); }
};

template <Tensor (*pool)(const Tensor&, const std::vector<std::int64_t>&, const PoolOptions&)>
class GENERA_API Pool2d : public Module {
 public:
  explicit Pool2d(std::int64_t size, PoolOptions options = {})
      : size_{size}, options_(std::move(options)) {}
  Tensor forward(const Tensor& x, Context&) const override { return pool(x, size_, options_); }

 private:
  std::vector<std::int64_t> size_;
  PoolOptions options_;
};

}  // namespace detail

using Relu = detail::Activation<relu>;
using Gelu = detail::Activation<gelu>;
using Silu = detail::Activation<silu>;
using Tanh = detail::Activation<tanh>;
using Sigmoid = detail::Activation<sigmoid>;
using Softplus = detail::Activation<softplus>;
class GENERA_API LeakyRelu : public Module {
 public:
  explicit LeakyRelu(double slope = 0.01) : slope_(slope) {}
  Tensor forward(const Tensor& x, Context&) const override { return leaky_relu(x, slope_); }

 private:
  double slope_;
};
class GENERA_API Elu : public Module {
 public:
  explicit Elu(double alpha = 1) : alpha_(alpha) {}
  Tensor forward(const Tensor& x, Context&) const override { return elu(x, alpha_); }

 private:
  double alpha_;
};
/// Any function of one tensor as a layer.
class GENERA_API Function : public Module {
 public:
  explicit Function(std::function<Tensor(const Tensor&)> function)
      : function_(std::move(function)) {}
  Tensor forward(const Tensor& x, Context&) const override { return function_(x); }

 private:
  std::function<Tensor(const Tensor&)> function_;
};

/// In training zeroes each element with probability p and divides the others by 1-p; in inference
/// does nothing.
class GENERA_API Dropout : public Module {
 public:
  explicit Dropout(double p = 0.5);
  Tensor forward(const Tensor& x, Context& context) const override;

 private:
  double p_;
};

/// (B,…) -> (B,F): all axes from `first` on become one.
class GENERA_API Flatten : public Module {
 public:
  explicit Flatten(int first = 1) : first_(first) {}
  Tensor forward(const Tensor& x, Context&) const override { return flatten(x, first_); }

 private:
  int first_;
};

/// (B,…) -> (B,extents…): another shape for each example; one extent may be -1.
class GENERA_API Reshape : public Module {
 public:
  explicit Reshape(const std::vector<std::int64_t>& extents);
  Tensor forward(const Tensor& x, Context& context) const override;

 private:
  std::vector<std::int64_t> extents_;  // the batch's place first
};

/// The largest, or the mean, of each size x size window of x (B,C,H,W), see genera::max_pool.
using MaxPool2d = detail::Pool2d<max_pool>;
using AvgPool2d = detail::Pool2d<avg_pool>;

enum class Interpolation { nearest, bilinear };
/// (B,C,S…) -> (B,C,S*factor…).
class GENERA_API Upsample : public Module {
 public:
  explicit Upsample(std::int64_t factor, Interpolation mode = Interpolation::nearest)
      : factor_(factor), mode_(mode) {}
  Tensor forward(const Tensor& x, Context&) const override {
    return mode_ == Interpolation::nearest ? upsample_nearest(x, factor_)
                                           : upsample_bilinear(x, factor_);
  }

 private:
  std::int64_t factor_;
  Interpolation mode_;
};

// ---- Initialisers ----

/// First values of parameters, f32: `layer.weight().set(nn::init::he_normal(key,
/// layer.weight().shape()))`. Weights are (out,in,K…), with fan_in = in K… and fan_out = out K….
namespace init {

GENERA_API Tensor constant(const Shape& shape, double value);
GENERA_API Tensor uniform(const Key& key, const Shape& shape, double low, double high);
GENERA_API Tensor normal(const Key& key, const Shape& shape, double mean = 0, double stddev = 1);
/// Normal, drawn again where further than `bound` standard deviations (at least 0.5) from the mean.
GENERA_API Tensor truncated_normal(const Key& key, const Shape& shape, double mean = 0,
                                   double stddev = 1, double bound = 2);
/// Uniform in +-1/sqrt(fan_in of `weight`): PyTorch's default for weights and biases of linear and
/// convolution layers.
GENERA_API Tensor fan_in_uniform(const Key& key, const Shape& shape, const Shape& weight);
/// Uniform in +-gain sqrt(6/(fan_in+fan_out)), or normal of variance gain^2 2/(fan_in+fan_out)
/// (Glorot and Bengio, 2010).
GENERA_API Tensor xavier_uniform(const Key& key, const Shape& shape, double gain = 1);
GENERA_API Tensor xavier_normal(const Key& key, const Shape& shape, double gain = 1);
/// Uniform in +-gain sqrt(3/fan_in), or normal of variance gain^2/fan_in (He et al., 2015); sqrt(2)
/// is relu's gain.
GENERA_API Tensor he_uniform(const Key& key, const Shape& shape, double gain = 1.4142135623730951);
GENERA_API Tensor he_normal(const Key& key, const Shape& shape, double gain = 1.4142135623730951);
/// gain Q with orthonormal rows or columns, whichever are fewer; (out,in,K…) counts as (out,in K…).
/// Uniformly distributed (Saxe et al., "Exact solutions to the nonlinear dynamics of learning in
/// deep linear neural networks", 2014).
GENERA_API Tensor orthogonal(const Key& key, const Shape& shape, double gain = 1);

}  // namespace init

}  // namespace genera::nn
