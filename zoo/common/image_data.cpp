#include "zoo/common/image_data.h"

#include <fmt/core.h>

#include <algorithm>

#include "zoo/common/dataset.h"
#include "zoo/common/failure.h"

namespace genera::zoo {
namespace {

data::Images at_least_a_batch(const data::Images& images, std::int64_t batch) {
  if (images.size() < batch)
    throw UsageError(
        fmt::format("--batch {} is more than the {} training images", batch, images.size()));
  return images;
}

}  // namespace

data::Dataset open_images(const TrainFlags& flags) {
  if (!flags.smoke) return open_dataset(flags.data);
  data::OpenOptions few;
  few.sprites = {.size = 28, .train = 640, .test = 128};
  return data::open("sprites", few);
}

ImageData::ImageData(const TrainFlags& flags)
    : dataset_(open_images(flags)),
      train_(at_least_a_batch(dataset_.train(), flags.batch)),
      validation_(dataset_.validation()),
      stream_(train_.stream(flags.batch, Key(flags.seed).fold_in(1))) {
  dataset_.check(data::Split::test);
}

data::Batch ImageData::batch(std::int64_t step) {
  const data::Position position{step / steps_per_epoch(), step % steps_per_epoch()};
  if (stream_.position() != position) stream_.seek(position);
  return stream_.next();
}

std::string ImageData::digest() const { return train_.digest() + "+" + validation_.digest(); }

data::Images open_test_images(TrainFlags trained, const std::string& name,
                              const std::vector<std::int64_t>& extents) {
  trained = on_data(std::move(trained), name);
  data::Images images = open_images(trained).test();
  if (std::vector{images.channels(), images.height(), images.width()} != extents)
    throw DataError(
        fmt::format("the images of {} are ({},{},{}), the model was trained on ({},{},{})",
                    trained.data, images.channels(), images.height(), images.width(), extents.at(0),
                    extents.at(1), extents.at(2)));
  return images;
}

void check_labels(const data::Images& images, std::int64_t classes, const std::string& name) {
  if (!images.has_labels() || images.classes() > classes)
    throw DataError(
        fmt::format("the model wants images with labels below {}: {} has others", classes, name));
}

std::vector<std::int64_t> chosen_indices(std::int64_t size, std::int64_t count,
                                         std::uint64_t seed) {
  const auto order = random_permutation(Key(seed).fold_in(2), size).to_vector<std::int32_t>();
  return {order.begin(), order.begin() + std::min(count, size)};
}

}  // namespace genera::zoo
