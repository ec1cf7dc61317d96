// Whole training steps: forward, loss, backward, optimiser, on fixed random input.
#include "register.h"

#include <genera/genera.h>

#include <memory>

namespace bench {
namespace {

using namespace genera;

/// The negative evidence lower bound with Bernoulli logits, summed over pixels, mean over the batch.
Tensor vae_loss(const Tensor& logits, const Tensor& x, const Tensor& mean,
                const Tensor& log_variance) {
  const Tensor reconstruction = binary_cross_entropy_with_logits(logits, x, Reduction::sum);
  const Tensor kl = sum(mean * mean + exp(log_variance) - log_variance - full_like(mean, 1)) * 0.5;
  return (reconstruction + kl) * (1.0 / static_cast<double>(x.shape()[0]));
}

Tensor sampled(const Tensor& mean, const Tensor& log_variance, Context& context) {
  return mean + exp(log_variance * 0.5) * random_normal(context.next_key(), mean.shape());
}

/// A model with its optimiser, stepping on one fixed batch.
struct Trained {
  std::unique_ptr<optim::Adam> adam;
  std::function<Tensor(Context&)> loss;
  std::uint64_t steps = 0;

  void step() {
    Context context = Context::training(Key(1).fold_in(steps++));
    Tensor value = loss(context);
    adam->step(grad(value, adam->parameters()), {.updates = context.take_updates()});
  }
};

std::function<void()> vae_mlp() {
  const Key key(0);
  const nn::Linear hidden(784, 400, key.fold_in(0)), moments(400, 40, key.fold_in(1)),
      decode(20, 400, key.fold_in(3)), logits(400, 784, key.fold_in(4));
  auto model = std::make_shared<Trained>();
  model->adam = std::make_unique<optim::Adam>(nn::parameters(hidden, moments, decode, logits),
                                              optim::AdamOptions{.lr = 1e-3});
  const Tensor x = random_uniform(Key(2), {128, 784}).eval();
  model->loss = [=](Context& c) {
    const Tensor mv = moments(relu(hidden(x, c)), c);
    const Tensor m = slice(mv, 1, 0, 20), v = slice(mv, 1, 20, 40);
    return vae_loss(logits(relu(decode(sampled(m, v, c), c)), c), x, m, v);
  };
  return [model] { model->step(); };
}

std::function<void()> conv_vae() {
  const Key key(0);
  const nn::Conv2d conv1(1, 32, 4, key.fold_in(0), {.stride = 2, .padding = 1}),
      conv2(32, 64, 4, key.fold_in(1), {.stride = 2, .padding = 1});
  const nn::Linear hidden(64 * 7 * 7, 256, key.fold_in(2)), moments(256, 64, key.fold_in(3)),
      decode(32, 256, key.fold_in(5)), expand(256, 64 * 7 * 7, key.fold_in(6));
  const nn::ConvTranspose2d up1(64, 32, 4, key.fold_in(7), {.stride = 2, .padding = 1}),
      up2(32, 1, 4, key.fold_in(8), {.stride = 2, .padding = 1});
  auto model = std::make_shared<Trained>();
  model->adam = std::make_unique<optim::Adam>(
      nn::parameters(conv1, conv2, hidden, moments, decode, expand, up1, up2),
      optim::AdamOptions{.lr = 1e-3});
  const Tensor x = random_uniform(Key(2), {128, 1, 28, 28}).eval();
  model->loss = [=](Context& c) {
    const Tensor features = reshape(relu(conv2(relu(conv1(x, c)), c)), {128, 64 * 7 * 7});
    const Tensor mv = moments(relu(hidden(features, c)), c);
    const Tensor m = slice(mv, 1, 0, 32), v = slice(mv, 1, 32, 64);
    const Tensor d = relu(expand(relu(decode(sampled(m, v, c), c)), c));
    return vae_loss(up2(relu(up1(reshape(d, {128, 64, 7, 7}), c)), c), x, m, v);
  };
  return [model] { model->step(); };
}

}  // namespace

void register_models() {
  add("vae_mlp", 128, 0.42e9, vae_mlp);
  add("conv_vae", 128, 3.85e9, conv_vae);
}

}  // namespace bench
