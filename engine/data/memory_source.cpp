#include <genera/error.h>

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "engine/data/source.h"

namespace genera::data {
namespace {

template <class Byte>
class MemorySource final : public ImageSource {
 public:
  MemorySource(std::vector<Byte> pixels, const Shape& shape, std::vector<std::int32_t> labels,
               std::vector<std::string> class_names)
      : pixels_(std::move(pixels)),
        shape_(shape),
        labels_(std::move(labels)),
        class_names_(std::move(class_names)) {
    if (shape_.rank() != 4 || static_cast<std::size_t>(shape_.elements()) != pixels_.size())
      throw ArgumentError(fmt::format("[images] {} bytes of pixels do not make (N,C,H,W) = {}",
                                      pixels_.size(), to_string(shape_)));
    if (!labels_.empty() && labels_.size() != static_cast<std::size_t>(shape_[0]))
      throw ArgumentError(
          fmt::format("[images] {} images need as many labels, got {}", shape_[0], labels_.size()));
    for (const std::int32_t label : labels_) {
      if (label < 0) throw ArgumentError(fmt::format("[images] label {} is negative", label));
      classes_ = std::max(classes_, label + 1);
    }
  }

  const Shape& shape() const override { return shape_; }
  void read(std::int64_t index, std::span<std::uint8_t> pixels) const override {
    std::memcpy(pixels.data(), pixels_.data() + static_cast<std::size_t>(index) * image_bytes(),
                pixels.size());
  }
  bool has_labels() const override { return !labels_.empty(); }
  std::int32_t label(std::int64_t index) const override {
    return labels_[static_cast<std::size_t>(index)];
  }
  std::int32_t classes() const override { return classes_; }
  std::vector<std::string> class_names() const override { return class_names_; }

 private:
  std::vector<Byte> pixels_;
  Shape shape_;
  std::vector<std::int32_t> labels_;
  std::vector<std::string> class_names_;
  std::int32_t classes_ = 0;
};

}  // namespace

std::shared_ptr<const ImageSource> make_memory_source(std::vector<std::uint8_t> pixels,
                                                      const Shape& shape,
                                                      std::vector<std::int32_t> labels,
                                                      std::vector<std::string> class_names) {
  return std::make_shared<MemorySource<std::uint8_t>>(std::move(pixels), shape, std::move(labels),
                                                      std::move(class_names));
}

std::shared_ptr<const ImageSource> make_memory_source(std::vector<std::byte> pixels,
                                                      const Shape& shape,
                                                      std::vector<std::int32_t> labels,
                                                      std::vector<std::string> class_names) {
  return std::make_shared<MemorySource<std::byte>>(std::move(pixels), shape, std::move(labels),
                                                   std::move(class_names));
}

}  // namespace genera::data
