#include <genera/data.h>
#include <genera/error.h>

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "engine/data/permutation.h"

namespace genera::data {

Batches::Batches(Images images, std::int64_t batch, Pixels pixels, std::vector<std::int64_t> order)
    : images_(std::move(images)),
      batch_(batch),
      pixels_(pixels),
      in_order_(order.empty()),
      order_(std::move(order)) {
  const std::vector<float> ones(static_cast<std::size_t>(batch_), 1.0f);
  ones_ = Tensor::from(ones, Shape{batch_});
}

std::int64_t Batches::size() const {
  return in_order_ ? (images_.size() + batch_ - 1) / batch_ : images_.size() / batch_;
}

Batch Batches::operator[](std::int64_t index) const {
  if (index < 0 || index >= size())
    throw ArgumentError(fmt::format("[batches] batch {} is outside [0,{})", index, size()));
  const std::int64_t first = index * batch_;
  if (!in_order_) {
    Batch batch = images_.batch({order_.data() + first, static_cast<std::size_t>(batch_)}, pixels_);
    batch.weights = ones_;
    return batch;
  }
  const std::int64_t count = std::min(batch_, images_.size() - first);
  std::vector<std::int64_t> indices(static_cast<std::size_t>(batch_), first);
  std::iota(indices.begin(), indices.begin() + count, first);
  Batch batch = images_.batch(indices, pixels_);
  batch.count = count;
  batch.indices.resize(static_cast<std::size_t>(count));
  if (count == batch_) {
    batch.weights = ones_;
  } else {
    std::vector<float> weights(static_cast<std::size_t>(batch_), 0.0f);
    std::fill_n(weights.begin(), count, 1.0f);
    batch.weights = Tensor::from(weights, Shape{batch_});
  }
  return batch;
}

Batches::Iterator::Iterator(const Batches* owner, std::int64_t index)
    : owner_(owner), index_(index) {
  load();
}

Batches::Iterator& Batches::Iterator::operator++() {
  ++index_;
  load();
  return *this;
}

void Batches::Iterator::load() {
  batch_ = {};  // first, so that its memory serves the next one
  if (index_ < owner_->size()) batch_ = (*owner_)[index_];
}

Stream::Stream(const Images& images, std::int64_t batch, const Key& key, Pixels pixels)
    : key_(key), epoch_(images.batches(batch, key.fold_in(0), pixels)) {}

Batch Stream::next() {
  if (position_.batch == batches_per_epoch()) position_ = {position_.epoch + 1, 0};
  if (position_.epoch != shuffled_) {
    epoch_.order_ = permutation(key_.fold_in(static_cast<std::uint64_t>(position_.epoch)),
                                epoch_.images_.size());
    shuffled_ = position_.epoch;
  }
  Batch batch = epoch_[position_.batch];
  ++position_.batch;
  return batch;
}

void Stream::seek(Position position) {
  if (position.epoch < 0 || position.batch < 0 || position.batch > batches_per_epoch())
    throw ArgumentError(fmt::format("[stream] epoch {}, batch {} does not exist: an epoch has {}",
                                    position.epoch, position.batch, batches_per_epoch()));
  position_ = position;
}

}  // namespace genera::data
