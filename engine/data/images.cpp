#include <genera/data.h>
#include <genera/error.h>

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <memory>
#include <numeric>
#include <utility>

#include "engine/core/storage.h"
#include "engine/data/permutation.h"
#include "engine/data/source.h"
#include "engine/plan/evaluate.h"

namespace genera::data {
namespace {

/// A leaf of `shape` that `fill(T*)` writes, without a second copy.
template <class T, class Fill>
Tensor filled_leaf(const Shape& shape, const Fill& fill) {
  StorageRef storage(Storage::allocate(static_cast<std::size_t>(shape.elements()) * sizeof(T)));
  fill(static_cast<T*>(storage->data()));
  return leaf_node(std::move(storage), dtype_of<T>, shape);
}

void check_index(std::int64_t index, std::int64_t count) {
  if (index < 0 || index >= count)
    throw ArgumentError(fmt::format("[images] index {} is outside [0,{})", index, count));
}

class Digest {
 public:
  Digest() : state_(XXH3_createState(), &XXH3_freeState) {
    if (!state_) throw MemoryError("[images] no memory for a digest");
    XXH3_128bits_reset(state_.get());
  }
  void add(const void* data, std::size_t bytes) { XXH3_128bits_update(state_.get(), data, bytes); }
  void add(std::int64_t number) {
    std::uint8_t bytes[8];
    for (int i = 0; i < 8; ++i) bytes[i] = static_cast<std::uint8_t>(number >> (8 * i));
    add(bytes, sizeof bytes);
  }
  std::string text() const {
    const XXH128_hash_t hash = XXH3_128bits_digest(state_.get());
    return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
  }

 private:
  std::unique_ptr<XXH3_state_t, decltype(&XXH3_freeState)> state_;
};

}  // namespace

std::string_view name(Split split) {
  switch (split) {
    case Split::train:
      return "train";
    case Split::validation:
      return "validation";
    case Split::test:
      break;
  }
  return "test";
}

Images::Images(std::shared_ptr<const ImageSource> source)
    : source_(std::move(source)), count_(source_->shape()[0]) {}

Images Images::from(std::vector<std::uint8_t> pixels, const Shape& shape,
                    std::vector<std::int32_t> labels) {
  return Images(make_memory_source(std::move(pixels), shape, std::move(labels)));
}

std::int64_t Images::channels() const { return source_->shape()[1]; }
std::int64_t Images::height() const { return source_->shape()[2]; }
std::int64_t Images::width() const { return source_->shape()[3]; }
bool Images::has_labels() const { return source_->has_labels(); }
std::int32_t Images::classes() const { return source_->classes(); }
std::vector<std::string> Images::class_names() const { return source_->class_names(); }

void Images::read(std::span<const std::int64_t> indices, std::span<std::uint8_t> pixels) const {
  const std::size_t each = source_->image_bytes();
  if (pixels.size() != indices.size() * each)
    throw ArgumentError(fmt::format("[images] {} images take {} bytes, got room for {}",
                                    indices.size(), indices.size() * each, pixels.size()));
  for (std::size_t i = 0; i < indices.size(); ++i) {
    check_index(indices[i], count_);
    source_->read(first_ + indices[i], pixels.subspan(i * each, each));
  }
}

std::int32_t Images::label(std::int64_t index) const {
  if (!has_labels()) throw ArgumentError("[images] this data set has no labels");
  check_index(index, count_);
  return source_->label(first_ + index);
}

Batch Images::batch(std::span<const std::int64_t> indices, Pixels pixels) const {
  const auto count = static_cast<std::int64_t>(indices.size());
  const Shape shape = source_->shape().with(0, count);
  const std::size_t each = source_->image_bytes();
  Batch batch;
  batch.count = count;
  batch.indices.assign(indices.begin(), indices.end());
  if (pixels == Pixels::u8) {
    batch.images = filled_leaf<std::uint8_t>(shape, [&](std::uint8_t* out) {
      read(indices, {out, indices.size() * each});
    });
  } else {
    batch.images = filled_leaf<float>(shape, [&](float* out) {
      std::vector<std::uint8_t> image(each);
      for (const std::int64_t index : indices) {
        read({&index, 1}, image);
        for (const std::uint8_t pixel : image) *out++ = static_cast<float>(pixel) / 255.0f;
      }
    });
  }
  if (has_labels())
    batch.labels = filled_leaf<std::int32_t>(Shape{count}, [&](std::int32_t* out) {
      for (const std::int64_t index : indices) *out++ = source_->label(first_ + index);
    });
  batch.weights =
      filled_leaf<float>(Shape{count}, [&](float* out) { std::fill_n(out, count, 1.0f); });
  return batch;
}

Batches Images::batches(std::int64_t batch, const Key& epoch_key, Pixels pixels) const {
  if (batch < 1 || batch > count_)
    throw ArgumentError(
        fmt::format("[batches] {} images do not fill a batch of {}", count_, batch));
  return {*this, batch, pixels, permutation(epoch_key, count_)};
}

Batches Images::batches(std::int64_t batch, Pixels pixels) const {
  if (batch < 1)
    throw ArgumentError(fmt::format("[batches] needs a batch of at least 1, got {}", batch));
  return {*this, batch, pixels, {}};
}

Stream Images::stream(std::int64_t batch, const Key& key, Pixels pixels) const {
  return {*this, batch, key, pixels};
}

Images Images::subset(std::int64_t first, std::int64_t count) const {
  if (first < 0 || count < 0 || first > count_ - count)
    throw ArgumentError(
        fmt::format("[images] there are {} images, not {} from {} on", count_, count, first));
  Images part = *this;
  part.first_ += first;
  part.count_ = count;
  return part;
}

std::string Images::digest() const {
  Digest digest;
  for (const std::int64_t extent : source_->shape().with(0, count_)) digest.add(extent);
  if (const std::string recipe = source_->recipe(); !recipe.empty()) {
    digest.add(recipe.data(), recipe.size());
    digest.add(first_);
    return digest.text();
  }
  std::vector<std::uint8_t> image(source_->image_bytes());
  for (std::int64_t i = 0; i < count_; ++i) {
    source_->read(first_ + i, image);
    digest.add(image.data(), image.size());
  }
  if (has_labels())
    for (std::int64_t i = 0; i < count_; ++i) digest.add(source_->label(first_ + i));
  return digest.text();
}

}  // namespace genera::data
