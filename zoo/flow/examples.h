/// What flows are trained on: points of a known density, rows of a table, or images.
#pragma once

#include <genera/data.h>
#include <genera/tensor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "zoo/common/common_flags.h"
#include "zoo/flow/densities.h"

namespace genera::zoo::flow {

/// A data set of vectors (D) or images (C,H,W), which are bytes as f32.
class Examples {
 public:
  virtual ~Examples() = default;
  virtual const std::string& name() const = 0;
  virtual std::string digest() const = 0;
  /// (D) or (C,H,W).
  virtual Shape shape() const = 0;
  virtual std::int64_t steps_per_epoch() const = 0;
  /// The batch of training step `step`: (B,…). Depends on nothing else but the seed.
  virtual Tensor training_batch(std::int64_t step) = 0;
  /// Examples of a split.
  virtual std::int64_t size(data::Split split) const = 0;
  /// Its examples first … first + count - 1: (count,…).
  virtual Tensor at(data::Split split, std::int64_t first, std::int64_t count) const = 0;

  /// The density that the points come from; nullptr where it is not known.
  virtual const Density2d* density() const { return nullptr; }
  /// Of a vector's numbers; empty for images.
  virtual std::vector<std::string> names() const { return {}; }
  /// Of the training rows, per number of a vector; DataError when a number never changes.
  struct Moments {
    std::vector<double> mean, deviation;
  };
  virtual Moments moments() const { return {}; }
};

/// Opens `flags.data`: the name of a density of densities.h, the path of a .csv file, or images as
/// ImageData does.
std::unique_ptr<Examples> open_examples(const TrainFlags& flags);

/// Whether `data` names a CSV file.
bool is_csv(const std::string& data);
/// Whether `data` names images: neither a density nor a .csv file.
bool names_images(const std::string& data);

}  // namespace genera::zoo::flow
