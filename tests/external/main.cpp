// A program outside the library's own build: a small net learns the sine.
#include <genera/genera.h>

#include <cstdio>

using namespace genera;

int main() {
  const Key key(0);
  nn::Sequential net{nn::Linear(1, 32, key.fold_in(0)), nn::Tanh{},
                     nn::Linear(32, 1, key.fold_in(1))};
  optim::Adam adam(parameters(net), {.lr = 1e-2f});
  float last = 1;
  for (std::uint64_t step = 0; step < 500; ++step) {
    const Tensor x = random_uniform(key.fold_in(100 + step), {64, 1}, -3, 3);
    const Tensor loss = mse_loss(net(x), sin(x));
    adam.step(grad(loss, adam.parameters()));
    last = loss.item<float>();
  }
  std::printf("loss %g\n", last);
  return last < 0.05f ? 0 : 1;
}
