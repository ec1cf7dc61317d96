#include <genera/error.h>
#include <genera/io.h>

#include <fmt/format.h>

#include <array>
#include <span>
#include <string_view>
#include <utility>

#include "engine/data/source.h"

namespace genera::data {
namespace {

namespace fs = std::filesystem;

std::span<const std::string_view> stems(Split split) {
  static constexpr std::string_view train[] = {"train"};
  static constexpr std::string_view validation[] = {"valid", "validation", "val"};
  static constexpr std::string_view test[] = {"t10k", "test"};
  switch (split) {
    case Split::train:
      return train;
    case Split::validation:
      return validation;
    case Split::test:
      break;
  }
  return test;
}

struct Files {
  fs::path images, labels;  // empty: not there
};

fs::path first_existing(const fs::path& folder, std::string_view stem,
                        std::span<const std::string_view> kinds) {
  for (const std::string_view kind : kinds) {
    for (const std::string_view packing : {"", ".gz"}) {
      fs::path path = folder / fmt::format("{}{}{}", stem, kind, packing);
      std::error_code ignored;
      if (fs::exists(path, ignored)) return path;
    }
  }
  return {};
}

Files find_files(const fs::path& folder, Split split) {
  static constexpr std::string_view images[] = {"-images-idx3-ubyte", "-images.idx3-ubyte",
                                                "-images-idx4-ubyte", "-images.idx4-ubyte"};
  static constexpr std::string_view labels[] = {"-labels-idx1-ubyte", "-labels.idx1-ubyte"};
  for (const std::string_view stem : stems(split)) {
    fs::path found = first_existing(folder, stem, images);
    if (!found.empty()) return {std::move(found), first_existing(folder, stem, labels)};
  }
  return {};
}

/// (N,C,H,W) of an image file.
Shape image_shape(const fs::path& path, const io::HostArray& array) {
  const Shape& shape = array.shape;
  if (array.dtype != DType::u8 || (shape.rank() != 3 && shape.rank() != 4))
    throw DataError(fmt::format(
        "[data] {}: images must be u8 (N,H,W) or (N,C,H,W), got {} {}; name a file of images",
        path.string(), genera::name(array.dtype), to_string(shape)));
  if (shape.elements() == 0)
    throw DataError(fmt::format("[data] {}: holds no pixels, shape {}; fetch it again",
                                path.string(), to_string(shape)));
  if (shape.rank() == 3) return {shape[0], 1, shape[1], shape[2]};
  if (shape[1] != 1 && shape[1] != 3)
    throw DataError(fmt::format("[data] {}: images (N,C,H,W) need 1 or 3 channels, got {}",
                                path.string(), to_string(shape)));
  return shape;
}

std::vector<std::int32_t> read_labels(const fs::path& path, std::int64_t count) {
  if (path.empty()) return {};
  const io::HostArray array = io::read_idx(path);
  if (array.dtype != DType::u8 || array.shape != Shape{count})
    throw DataError(fmt::format(
        "[data] {}: {} images need labels u8 ({}), got {} {}; fetch both files again",
        path.string(), count, count, genera::name(array.dtype), to_string(array.shape)));
  const auto bytes = array.as<std::uint8_t>();
  return {bytes.begin(), bytes.end()};
}

class IdxFolder final : public DatasetSource {
 public:
  explicit IdxFolder(const fs::path& folder) {
    for (const Split split : {Split::train, Split::validation, Split::test})
      files_[static_cast<std::size_t>(split)] = find_files(folder, split);
    if (!any()) return;
    if (!has(Split::train))
      throw DataError(fmt::format(
          "[data] {}: has no training images; add train-images-idx3-ubyte[.gz]", folder.string()));
  }
  bool any() const { return has(Split::train) || has(Split::validation) || has(Split::test); }
  bool has(Split split) const override {
    return !files_[static_cast<std::size_t>(split)].images.empty();
  }
  void check(Split split) const override {
    const Files& files = files_[static_cast<std::size_t>(split)];
    const Shape shape = io::check_idx(files.images);
    if (!files.labels.empty()) io::check_idx(files.labels);
    const fs::path& training = files_[static_cast<std::size_t>(Split::train)].images;
    const Shape trained = split == Split::train ? shape : io::check_idx(training);
    if (shape.rank() != trained.rank() || !(shape.with(0, 1) == trained.with(0, 1)))
      throw DataError(fmt::format(
          "[data] {}: holds {}, but {} holds {}: images must be of one size", files.images.string(),
          to_string(shape), training.string(), to_string(trained)));
  }
  std::optional<Images> load(Split split) const override {
    if (!has(split)) return std::nullopt;
    const Files& files = files_[static_cast<std::size_t>(split)];
    io::HostArray array = io::read_idx(files.images);
    const Shape shape = image_shape(files.images, array);
    std::vector<std::int32_t> labels = read_labels(files.labels, shape[0]);
    return Images(make_memory_source(std::move(array.bytes), shape, std::move(labels)));
  }

 private:
  std::array<Files, 3> files_;
};

}  // namespace

std::unique_ptr<const DatasetSource> open_idx_folder(const fs::path& folder) {
  auto source = std::make_unique<IdxFolder>(folder);
  if (!source->any()) return nullptr;
  return source;
}

}  // namespace genera::data
