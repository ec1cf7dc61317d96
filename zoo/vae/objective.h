/// The bound that a VAE maximises, and its estimates.
#pragma once

#include <genera/random.h>
#include <genera/tensor.h>

#include "zoo/vae/model.h"

namespace genera::zoo::vae {

/// p(x|z) given the decoder's output.
enum class Likelihood {
  bernoulli,  ///< of each pixel, the decoder gives its logit; a grey x counts as a probability
  logistic,   ///< discretised logistic over 256 levels (Salimans et al., 1701.05517, equation 2):
              ///< the decoder gives the mean, the scale is learned for each pixel
};

/// A latent-variable model with its likelihood.
class VaeObjective {
 public:
  VaeObjective(std::shared_ptr<const LatentModel> model, Likelihood likelihood);

  const LatentModel& model() const { return *model_; }
  Likelihood likelihood() const { return likelihood_; }
  /// The model's parameters and the likelihood's.
  std::vector<State> parameters() const;
  /// Those, and what else a checkpoint must hold of the model.
  std::vector<State> states() const;

  /// log p(x|z), summed over pixels: x (B,C,H,W), output = decode(z) -> (B), nats.
  Tensor log_likelihood(const Tensor& x, const Tensor& output) const;
  /// The mean image that the decoder's output stands for, in [0,1].
  Tensor mean_image(const Tensor& output) const;
  /// Images drawn from p(x|z).
  Tensor draw_image(const Tensor& output, const Key& key) const;

  /// Both parts of the negative ELBO of each image (B), with one z per image: the reconstruction
  /// -log p(x|z) and the divergence KL(q(z|x) || p(z)) (1312.6114, equation 10); and what only
  /// training wants, see LatentDraw. `labels` (B) where the model is conditional.
  struct Parts {
    Tensor reconstruction;
    Tensor kl;
    Tensor penalty;
    std::vector<Update> updates;
  };
  Parts negative_elbo(const Tensor& x, const Key& key, const Tensor& labels = {}) const;

  /// log w of `samples` draws z per image: log p(x|z) + log p(z) - log q(z|x) (Burda et al.,
  /// 1509.00519, equation 8); (B,samples). `encoded` is encode(x).
  Tensor log_weights(const Tensor& x, const Encoded& encoded, std::int64_t samples,
                     const Key& key) const;

 private:
  std::shared_ptr<const LatentModel> model_;
  Likelihood likelihood_;
  State log_scale_;  // (1,C,H,W), empty for bernoulli
};

/// The IWAE bound of each image (B) from its log_weights (B,K): log(mean(w)) (1509.00519, equation 8).
/// Its gradient is that of equation 13: each draw's weighs as w does.
Tensor iwae_bound(const Tensor& log_weights);

}  // namespace genera::zoo::vae
