/// Figures of a VAE on images that it was not trained on.
#pragma once

#include <genera/data.h>

#include <cstdint>
#include <vector>

#include "zoo/common/classifier.h"
#include "zoo/common/console.h"
#include "zoo/common/summary.h"
#include "zoo/vae/objective.h"

namespace genera::zoo::vae {

/// The training or evaluation target of grey images: they themselves, or with `binarize` a draw
/// with each pixel's value as probability.
Tensor target(const Tensor& images, bool binarize, const Key& key);

/// One number per image, in order.
struct BoundParts {
  std::vector<double> reconstruction;
  std::vector<double> kl;
  /// Their sums: the negative ELBO of each image.
  std::vector<double> negative_elbo() const;
};

/// Both parts of the negative ELBO of every image, with one z each from fixed noise (and, with
/// `binarize`, one fixed binarisation): the same numbers at every call with the same weights.
BoundParts negative_elbo_parts(const VaeObjective& objective, const data::Images& images,
                               bool binarize);

/// The IWAE bound (Burda et al., 1509.00519, equation 8) of every image with `samples` draws each,
/// from fixed noise. The log of the mean weight is accumulated in f64 over chunks of draws.
std::vector<double> iwae_bounds(const VaeObjective& objective, const data::Images& images,
                                bool binarize, std::int64_t samples, Console& console);

/// elbo, negative_elbo, reconstruction, kl, for the logistic likelihood bits_per_dim, and with
/// iwae_samples > 0 iwae.
std::vector<Figure> evaluate(const VaeObjective& objective, const data::Images& images,
                             bool binarize, std::int64_t iwae_samples, Console& console);

/// class_agreement of a conditional model's samples, as many of each class.
Figure class_agreement(const VaeObjective& objective, const Classifier& classifier);

}  // namespace genera::zoo::vae
