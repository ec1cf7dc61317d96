#include "workload.h"

namespace bench {

Tensor Noise::normal(const Shape& shape) {
  return keep(random_normal(key_.fold_in(count_), shape));
}

Tensor Noise::uniform(const Shape& shape) {
  return keep(random_uniform(key_.fold_in(count_), shape));
}

Tensor Noise::keep(Tensor draw) {
  const std::uint64_t at = count_++;
  if (!kept_) return draw;
  if (at == kept_->size()) kept_->push_back(draw.eval());
  return kept_->at(at);
}

Tensor train(optim::Optimizer& optimizer, const Tensor& loss, Context& context, double clip) {
  Gradients gradients = grad(loss, optimizer.parameters());
  if (clip > 0) gradients = optim::clip_by_global_norm(std::move(gradients), clip);
  optimizer.step(std::move(gradients), {.updates = context.take_updates()});
  return loss;
}

Tensor fixed_symbols(std::int64_t count, const Shape& shape) {
  return cast(random_uniform(Key(7), shape) * static_cast<double>(count), DType::i32).eval();
}

}  // namespace bench
