#include "zoo/gan/objective.h"

#include <genera/autodiff.h>
#include <genera/functions.h>
#include <genera/ops.h>

namespace genera::zoo::gan {

Tensor discriminator_loss(GanLoss loss, const Tensor& real, const Tensor& generated) {
  switch (loss) {
    case GanLoss::nonsaturating:  // -log D(x) - log(1 - D(G(z))), D = sigmoid(score)
      return mean(softplus(-real)) + mean(softplus(generated));
    case GanLoss::least_squares:
      return 0.5 * mean(square(real - 1.0)) + 0.5 * mean(square(generated));
    case GanLoss::hinge:
      return mean(relu(1.0 - real)) + mean(relu(1.0 + generated));
    case GanLoss::wasserstein:
      break;
  }
  return mean(generated) - mean(real);
}

Tensor generator_loss(GanLoss loss, const Tensor& generated) {
  switch (loss) {
    case GanLoss::nonsaturating:
      return mean(softplus(-generated));
    case GanLoss::least_squares:
      return 0.5 * mean(square(generated - 1.0));
    case GanLoss::hinge:
    case GanLoss::wasserstein:
      break;
  }
  return -mean(generated);
}

Tensor gradient_penalty_at(const Critic& critic, const Tensor& points) {
  // A score depends on its example alone, so that the gradient of the sum is that of each.
  const Tensor gradient = grad(sum(critic(points)), {points})[0];
  const Tensor length = sqrt(sum(square(flatten(gradient, 1)), {1}) + 1e-12);
  return mean(square(length - 1.0));
}

Tensor gradient_penalty(const Critic& critic, const Tensor& real, const Tensor& generated,
                        const Key& key) {
  std::vector<std::int64_t> extents(static_cast<std::size_t>(real.rank()), 1);
  extents[0] = real.size(0);
  const Tensor share = reshape(random_uniform(key, {real.size(0)}), extents);
  return gradient_penalty_at(critic, real * share + generated * (1.0 - share));
}

}  // namespace genera::zoo::gan
