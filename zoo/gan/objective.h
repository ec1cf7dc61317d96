/// What discriminators maximise and generators minimise, as functions of scores.
#pragma once

#include <genera/random.h>
#include <genera/tensor.h>

#include <functional>

namespace genera::zoo::gan {

enum class GanLoss {
  nonsaturating,  ///< Goodfellow et al., 1406.2661, section 3: log D, not log(1 - D), for G
  least_squares,  ///< Mao et al., 1611.04076, equation 9: targets 1 for real, 0 for generated
  hinge,          ///< Miyato et al., 1802.05957, equations 16 and 17
  wasserstein,    ///< Arjovsky et al., 1701.07875, equation 2: differences of mean scores
};

/// The discriminator's loss, of scores of real and of generated examples (each (B)): a scalar.
Tensor discriminator_loss(GanLoss loss, const Tensor& real, const Tensor& generated);
/// The generator's loss, of the scores of what it made: a scalar.
Tensor generator_loss(GanLoss loss, const Tensor& generated);

/// A critic: examples (B,E…) -> scores, example by example.
using Critic = std::function<Tensor(const Tensor& examples)>;
/// mean((|gradient of the critic at x| - 1)^2), x uniform on the lines between pairs of real and
/// generated examples (Gulrajani et al., "Improved training of Wasserstein GANs", 1704.00028,
/// equation 3 and algorithm 1, without lambda). A graph that has gradients itself.
Tensor gradient_penalty(const Critic& critic, const Tensor& real, const Tensor& generated,
                        const Key& key);
/// The same on given points (B,E…).
Tensor gradient_penalty_at(const Critic& critic, const Tensor& points);

}  // namespace genera::zoo::gan
