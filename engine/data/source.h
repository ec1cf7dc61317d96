/// Where images come from: what every kind of data set implements.
#pragma once

#include <genera/data.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace genera::data {

/// Images of one size, addressed by index. Reading from several threads at once is safe. Indices
/// are in range.
class ImageSource {
 public:
  virtual ~ImageSource() = default;
  /// (N,C,H,W).
  virtual const Shape& shape() const = 0;
  /// Bytes of one image.
  std::size_t image_bytes() const {
    return static_cast<std::size_t>(shape()[1] * shape()[2] * shape()[3]);
  }
  virtual void read(std::int64_t index, std::span<std::uint8_t> pixels) const = 0;
  virtual bool has_labels() const = 0;
  virtual std::int32_t label(std::int64_t index) const = 0;
  virtual std::int32_t classes() const = 0;
  virtual std::vector<std::string> class_names() const { return {}; }
  /// What names the content instead of the pixels' digest; empty where only the pixels do.
  virtual std::string recipe() const { return {}; }
};

/// Images in memory. ArgumentError when sizes disagree or a label is negative.
std::shared_ptr<const ImageSource> make_memory_source(std::vector<std::uint8_t> pixels,
                                                      const Shape& shape,
                                                      std::vector<std::int32_t> labels,
                                                      std::vector<std::string> class_names = {});
/// The same around pixels that a reader made, without a copy.
std::shared_ptr<const ImageSource> make_memory_source(std::vector<std::byte> pixels,
                                                      const Shape& shape,
                                                      std::vector<std::int32_t> labels,
                                                      std::vector<std::string> class_names = {});

/// A data set's files or generator: gives the part that holds a split, or nothing where it has no
/// such part of its own.
class DatasetSource {
 public:
  virtual ~DatasetSource() = default;
  virtual std::optional<Images> load(Split split) const = 0;
  virtual bool has(Split split) const = 0;
  /// DataError when the files of a split, which it has, cannot be right; must be cheap.
  virtual void check(Split) const {}
};

/// Null when the folder has no IDX images of a known name.
std::unique_ptr<const DatasetSource> open_idx_folder(const std::filesystem::path& folder);
/// Null when neither the folder nor its subfolders have PNGs.
std::unique_ptr<const DatasetSource> open_png_folder(const std::filesystem::path& folder,
                                                     std::int64_t max_bytes);
std::unique_ptr<const DatasetSource> make_sprites(const SpriteOptions& options);

}  // namespace genera::data
