/// Whole-model workloads: a model on fixed input, and the step to time. Each is written as
/// bench/peers writes it with PyTorch: the same layers under the same names, the same draws in the
/// same order.
#pragma once

#include <genera/genera.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace bench {

using namespace genera;

/// The random draws of one step. `kept` records them, or gives back what it holds already: another
/// program, or another step, then computes with the same draws.
class Noise {
 public:
  explicit Noise(const Key& key, std::vector<Tensor>* kept = nullptr) : key_(key), kept_(kept) {}
  /// Standard normal, or uniform in [0,1).
  Tensor normal(const Shape& shape);
  Tensor uniform(const Shape& shape);

 private:
  Tensor keep(Tensor draw);

  Key key_;
  std::vector<Tensor>* kept_;
  std::uint64_t count_ = 0;
};

/// A model on fixed input.
struct Workload {
  std::vector<State> states;                           ///< named as PyTorch's state_dict names them
  std::vector<std::pair<std::string, Tensor>> inputs;  ///< what a step computes on
  /// Does one step, all of it; its loss, or what it sampled.
  std::function<Tensor(Noise&)> step;
};

/// One optimiser step on `loss`, in one plan; gradients are clipped to norm `clip` unless it is 0.
Tensor train(optim::Optimizer& optimizer, const Tensor& loss, Context& context, double clip = 0);

/// Training by Adam on fixed images (batch,1,32,32) of a model with parameters(), states() and
/// loss(x, context).
template <class Model>
Workload trained_on_images(const std::shared_ptr<Model>& model, std::int64_t batch, double lr) {
  const auto adam =
      std::make_shared<optim::Adam>(model->parameters(), optim::AdamOptions{.lr = lr});
  const Tensor x = random_normal(Key(2), {batch, 1, 32, 32}).eval();
  const auto step = [=](Noise&) {
    Context context = Context::training(Key(0));
    return train(*adam, model->loss(x, context), context);
  };
  return {model->states(), {{"x", x}}, step};
}

/// The vector (x0, x1, …) of fixed whole numbers in [0, count), i32.
Tensor fixed_symbols(std::int64_t count, const Shape& shape);

// `small`: narrow and few, for tests that want the path and not the time.
#define WORKLOAD(name, items, gflop) Workload name(bool small);
#define OPERATION(name)
#include "workloads.def"
#undef WORKLOAD
#undef OPERATION

}  // namespace bench
