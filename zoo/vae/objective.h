/// The bound that a VAE maximises, and its estimates.
#pragma once

#include <genera/random.h>
#include <genera/tensor.h>

#include "zoo/vae/model.h"

namespace genera::zoo {

/// p(x|z) given the decoder's output.
enum class Likelihood {
  bernoulli,  ///< of each pixel, the decoder gives its logit; a grey x counts as a probability
  logistic,   ///< discretised logistic over 256 levels (Salimans et al., 1701.05517, equation 2):
              ///< the decoder gives the mean, the scale is learned for each pixel
};

/// A VAE with its likelihood.
class VaeObjective {
 public:
  VaeObjective(std::shared_ptr<const Vae> vae, Likelihood likelihood);

  const Vae& vae() const { return *vae_; }
  Likelihood likelihood() const { return likelihood_; }
  /// The model's parameters and the likelihood's.
  std::vector<State> parameters() const;

  /// log p(x|z), summed over pixels: x (B,C,H,W), output = decode(z) -> (B), nats.
  Tensor log_likelihood(const Tensor& x, const Tensor& output) const;
  /// The mean image that the decoder's output stands for, in [0,1].
  Tensor mean_image(const Tensor& output) const;
  /// Images drawn from p(x|z).
  Tensor draw_image(const Tensor& output, const Key& key) const;

  /// Both parts of the negative ELBO of each image (B), with one z per image: the reconstruction
  /// -log p(x|z) and the divergence KL(q(z|x) || p(z)), which is analytic (1312.6114, equation 10
  /// and appendix B).
  struct Parts {
    Tensor reconstruction;
    Tensor kl;
  };
  Parts negative_elbo(const Tensor& x, const Key& key) const;

  /// log w of `samples` draws z per image: log p(x|z) + log p(z) - log q(z|x) (Burda et al.,
  /// 1509.00519, equation 8); (B,samples). The IWAE bound of all draws is the log of the mean of w.
  Tensor log_weights(const Tensor& x, const Posterior& posterior, std::int64_t samples,
                     const Key& key) const;

 private:
  std::shared_ptr<const Vae> vae_;
  Likelihood likelihood_;
  State log_scale_;  // (1,C,H,W), empty for bernoulli
};

/// z = mean + exp(log_variance / 2) * noise (1312.6114, section 2.4).
Tensor sample_posterior(const Posterior& posterior, const Key& key);

}  // namespace genera::zoo
