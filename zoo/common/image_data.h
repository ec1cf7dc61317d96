/// The images that a model is trained and measured on.
#pragma once

#include <genera/data.h>

#include <cstdint>
#include <string>
#include <vector>

#include "zoo/common/common_flags.h"

namespace genera::zoo {

/// The data set that the flags name; with --smoke a few sprites of 28 x 28.
data::Dataset open_images(const TrainFlags& flags);

/// What a run trains on, batch by batch.
class ImageData {
 public:
  /// Opens the data set and looks whether its test split can be read, which otherwise shows at the
  /// end only. UsageError when there are fewer training images than a batch has.
  explicit ImageData(const TrainFlags& flags);

  /// The batch of a step: it depends on the step and the seed alone, so that a resumed run sees the
  /// same.
  data::Batch batch(std::int64_t step);
  const data::Images& train() const { return train_; }
  const data::Images& validation() const { return validation_; }
  /// Read when it is first asked for: at the end of a run.
  data::Images test() const { return dataset_.test(); }
  std::int64_t steps_per_epoch() const { return stream_.batches_per_epoch(); }
  const data::Dataset& dataset() const { return dataset_; }
  const std::string& name() const { return dataset_.name(); }
  /// Of the training and validation images.
  std::string digest() const;
  /// Of one image: (C,H,W).
  Shape shape() const { return {train_.channels(), train_.height(), train_.width()}; }

 private:
  data::Dataset dataset_;
  data::Images train_, validation_;
  data::Stream stream_;
};

/// The test images of the data set `name`, or where that is empty of the one that `trained` names.
/// DataError unless they have the `extents` (channels, height, width) of the training.
data::Images open_test_images(TrainFlags trained, const std::string& name,
                              const std::vector<std::int64_t>& extents);

/// DataError unless the images of the data set `name` have labels, all below `classes`.
void check_labels(const data::Images& images, std::int64_t classes, const std::string& name);

/// At most `count` different ones of `size` examples that the seed chooses.
std::vector<std::int64_t> chosen_indices(std::int64_t size, std::int64_t count, std::uint64_t seed);

}  // namespace genera::zoo
