/// The real examples that a GAN learns from, and how its samples are measured against them.
#pragma once

#include <genera/shape.h>
#include <genera/tensor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "zoo/common/common_flags.h"
#include "zoo/common/console.h"
#include "zoo/common/metrics.h"
#include "zoo/common/summary.h"
#include "zoo/gan/sampling.h"

namespace genera::zoo::gan {

struct RealBatch {
  Tensor x;       ///< (B,E…); images in [-1,1]
  Tensor labels;  ///< i32 (B); empty where there are none
};

/// Of the samples that are validated and tested: they have nothing to do with the training's seed.
inline constexpr std::uint64_t validation_seed = 0x9a11, test_seed = 0x7e57;

/// Figures of something that is compared with the model: "train", "noise".
using Reference = std::pair<std::string, std::vector<Figure>>;

class Examples {
 public:
  virtual ~Examples() = default;

  /// The extents of one example, (C,H,W) or (D).
  virtual Shape example() const = 0;
  /// How many classes the labels name; 0 without labels.
  virtual std::int64_t classes() const = 0;
  virtual std::string name() const = 0;
  virtual std::string digest() const = 0;
  /// Batches in which every training example is seen once.
  virtual std::int64_t batches_per_epoch() const = 0;
  /// Training batch `index` of the run: a function of the seed and the index.
  virtual RealBatch batch(std::int64_t index) = 0;

  /// Does now what the first figures would else wait for: the classifier's training. DataError when
  /// there are too few test examples for figures.
  virtual void prepare(Console&) {}
  /// What validate() gives as "loss".
  virtual std::string loss_label() const = 0;
  /// Figures of samples against the validation split, "loss" first.
  virtual Metrics validate(const Sampler& sampler) = 0;
  /// Figures of samples on the test split.
  virtual std::vector<Figure> evaluate(const Sampler& sampler, Console& console) = 0;
  /// The same figures of what is not the model: of other real examples, of noise, and of the
  /// samples in the files `others` (import_images).
  virtual std::vector<Reference> references(const std::vector<std::string>& others,
                                            Console& console) = 0;
};

/// Images of the data set that the flags name (image_examples.cpp).
std::unique_ptr<Examples> make_image_examples(const TrainFlags& flags);
/// Points of the mixture of 25 normal distributions on a grid (grid.cpp).
std::unique_ptr<Examples> make_grid_examples(const TrainFlags& flags);

}  // namespace genera::zoo::gan
