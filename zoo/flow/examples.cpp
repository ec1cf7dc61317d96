#include "zoo/flow/examples.h"

#include <fmt/core.h>
#include <genera/functions.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <filesystem>
#include <numeric>

#include "zoo/common/failure.h"
#include "zoo/common/image_data.h"
#include "zoo/flow/table.h"

namespace genera::zoo::flow {
namespace {

using data::Split;

// Held-out points are the same for every run, whatever its seed.
Key held_out_key(Split split) { return Key(0xde5).fold_in(split == Split::test ? 1 : 0); }

// Points of a known density, without end.
class Points : public Examples {
 public:
  Points(const Density2d& density, std::int64_t batch, const Key& key, bool smoke)
      : density_(density),
        batch_(batch),
        key_(key),
        held_out_(smoke ? 500 : 20000),
        epoch_(smoke ? 200 : 1000) {}

  const std::string& name() const override { return density_.name; }
  std::string digest() const override { return "generated:" + density_.name; }
  Shape shape() const override { return {2}; }
  std::int64_t steps_per_epoch() const override { return epoch_; }
  Tensor training_batch(std::int64_t step) override {
    return density_.sample(key_.fold_in(static_cast<std::uint64_t>(step)), batch_);
  }
  std::int64_t size(Split) const override { return held_out_; }
  Tensor at(Split split, std::int64_t first, std::int64_t count) const override {
    return slice(density_.sample(held_out_key(split), held_out_), 0, first, first + count);
  }
  const Density2d* density() const override { return &density_; }
  std::vector<std::string> names() const override { return {"x", "y"}; }
  // Those of the density; the model's own layers can do without.
  Moments moments() const override { return {{0, 0}, {1, 1}}; }

 private:
  const Density2d& density_;
  std::int64_t batch_;
  Key key_;
  std::int64_t held_out_;
  std::int64_t epoch_;  // points have no end: steps between two of the shown epochs
};

// Rows of a CSV file in an order that a fixed key shuffles: files are often sorted.
class Rows final : public Examples {
 public:
  Rows(const std::string& file, std::int64_t batch, const Key& key)
      : name_(file), table_(read_csv(file)), batch_(batch), key_(key) {
    const std::int64_t rows = table_.rows();
    if (table_.columns.size() < 2)
      throw DataError(fmt::format("{}: has one column; a flow needs at least two", file));
    if (rows < 20)
      throw DataError(fmt::format("{}: has {} rows, too few to split; at least 20", file, rows));
    const auto order = random_permutation(Key(0x7ab1e), rows).to_vector<std::int32_t>();
    order_.assign(order.begin(), order.end());
    test_ = validation_ = rows / 10;
    train_ = rows - test_ - validation_;
    if (train_ < batch)
      throw UsageError(fmt::format("--batch {} is more than the {} training rows", batch, train_));
    moments();
  }

  const std::string& name() const override { return name_; }
  std::string digest() const override;
  Shape shape() const override { return {static_cast<std::int64_t>(table_.columns.size())}; }
  std::int64_t steps_per_epoch() const override { return train_ / batch_; }
  Tensor training_batch(std::int64_t step) override;
  std::int64_t size(Split split) const override {
    return split == Split::train ? train_ : split == Split::test ? test_ : validation_;
  }
  Tensor at(Split split, std::int64_t first, std::int64_t count) const override {
    const std::int64_t begin = split == Split::train        ? 0
                               : split == Split::validation ? train_
                                                            : train_ + validation_;
    return rows({order_.begin() + begin + first, order_.begin() + begin + first + count});
  }
  std::vector<std::string> names() const override { return table_.names; }
  Moments moments() const override;

 private:
  Tensor rows(const std::vector<std::int64_t>& indices) const;

  std::string name_;
  Table table_;
  std::int64_t batch_;
  Key key_;
  std::vector<std::int64_t> order_;
  std::int64_t train_ = 0, validation_ = 0, test_ = 0;
  std::int64_t shuffled_ = -1;  // the epoch whose order epoch_ holds
  std::vector<std::int32_t> epoch_;
};

std::string Rows::digest() const {
  std::vector<std::uint8_t> bytes;
  for (const auto& column : table_.columns) {
    const auto raw = std::as_bytes(std::span(column));
    for (const std::byte byte : raw) bytes.push_back(static_cast<std::uint8_t>(byte));
  }
  const auto count = static_cast<std::int64_t>(table_.columns.size());
  return data::Images::from(std::move(bytes), {count, 1, table_.rows(), 4}).digest();
}

Tensor Rows::rows(const std::vector<std::int64_t>& indices) const {
  std::vector<float> values;
  values.reserve(indices.size() * table_.columns.size());
  for (const std::int64_t index : indices)
    for (const auto& column : table_.columns)
      values.push_back(column[static_cast<std::size_t>(index)]);
  return Tensor::from(values, Shape{static_cast<std::int64_t>(indices.size()), shape()[0]});
}

Tensor Rows::training_batch(std::int64_t step) {
  const std::int64_t epoch = step / steps_per_epoch(), place = step % steps_per_epoch();
  if (epoch != shuffled_) {
    epoch_ = random_permutation(key_.fold_in(static_cast<std::uint64_t>(epoch)), train_)
                 .to_vector<std::int32_t>();
    shuffled_ = epoch;
  }
  std::vector<std::int64_t> indices;
  for (std::int64_t i = place * batch_; i < (place + 1) * batch_; ++i)
    indices.push_back(order_[static_cast<std::size_t>(epoch_[static_cast<std::size_t>(i)])]);
  return rows(indices);
}

Examples::Moments Rows::moments() const {
  Moments moments;
  for (std::size_t c = 0; c < table_.columns.size(); ++c) {
    const auto& column = table_.columns[c];
    const auto value = [&](std::int64_t i) {
      return double{column[static_cast<std::size_t>(order_[static_cast<std::size_t>(i)])]};
    };
    double sum = 0, squares = 0;
    for (std::int64_t i = 0; i < train_; ++i) sum += value(i);
    const double mean = sum / static_cast<double>(train_);
    for (std::int64_t i = 0; i < train_; ++i) squares += (value(i) - mean) * (value(i) - mean);
    const double deviation = std::sqrt(squares / static_cast<double>(train_));
    if (!(deviation > 1e-6 * std::abs(mean)) || deviation < 1e-30)
      throw DataError(
          fmt::format("{}: column {} ('{}') hardly changes: its density is not bounded; "
                      "remove it",
                      name_, c + 1, table_.names[c]));
    moments.mean.push_back(mean);
    moments.deviation.push_back(deviation);
  }
  return moments;
}

class Pictures : public Examples {
 public:
  explicit Pictures(const TrainFlags& flags) : data_(flags) {}

  const std::string& name() const override { return data_.name(); }
  std::string digest() const override { return data_.digest(); }
  Shape shape() const override { return data_.shape(); }
  std::int64_t steps_per_epoch() const override { return data_.steps_per_epoch(); }
  Tensor training_batch(std::int64_t step) override { return bytes(data_.batch(step).images); }
  std::int64_t size(Split split) const override { return images(split).size(); }
  Tensor at(Split split, std::int64_t first, std::int64_t count) const override {
    std::vector<std::int64_t> indices(static_cast<std::size_t>(count));
    std::iota(indices.begin(), indices.end(), first);
    return bytes(images(split).batch(indices).images);
  }

 private:
  static Tensor bytes(const Tensor& unit) { return round(unit * 255.0); }
  data::Images images(Split split) const {
    return split == Split::train        ? data_.train()
           : split == Split::validation ? data_.validation()
                                        : data_.test();
  }

  ImageData data_;
};

}  // namespace

bool is_csv(const std::string& data) {
  std::string extension = std::filesystem::path(data).extension();
  for (char& c : extension) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return extension == ".csv";
}

bool names_images(const std::string& data) { return !find_density(data) && !is_csv(data); }

std::unique_ptr<Examples> open_examples(const TrainFlags& flags) {
  const Key key = Key(flags.seed).fold_in(1);
  if (const Density2d* density = find_density(flags.data))
    return std::make_unique<Points>(*density, flags.batch, key, flags.smoke);
  if (is_csv(flags.data)) return std::make_unique<Rows>(flags.data, flags.batch, key);
  return std::make_unique<Pictures>(flags);
}

}  // namespace genera::zoo::flow
