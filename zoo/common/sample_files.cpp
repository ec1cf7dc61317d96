#include "zoo/common/sample_files.h"

#include <fmt/core.h>
#include <genera/data.h>

#include <algorithm>
#include <numeric>

namespace genera::zoo {
namespace {

namespace fs = std::filesystem;

// All of the images, whatever split they were put into.
io::HostArray all_images(const data::Dataset& dataset) {
  std::vector<float> pixels;
  std::int64_t count = 0;
  Shape shape;
  for (const auto split : {data::Split::train, data::Split::validation, data::Split::test}) {
    const data::Images images = dataset.images(split);
    if (images.size() == 0) continue;
    std::vector<std::int64_t> indices(static_cast<std::size_t>(images.size()));
    std::iota(indices.begin(), indices.end(), 0);
    const auto some = images.batch(indices).images.to_vector<float>();
    pixels.insert(pixels.end(), some.begin(), some.end());
    count += images.size();
    shape = Shape{count, images.channels(), images.height(), images.width()};
  }
  return io::HostArray::of<float>(shape, pixels);
}

}  // namespace

io::HostArray import_images(const fs::path& source) {
  if (source.extension() != ".npy")
    // With a '/' it is a path, whatever data sets there are of that name.
    return all_images(data::open((source / "").string()));
  const io::HostArray array = io::read_npy(source);
  const Shape& shape = array.shape;
  if ((shape.rank() != 3 && shape.rank() != 4) || shape.elements() == 0 ||
      (array.dtype != DType::f32 && array.dtype != DType::u8))
    throw DataError(fmt::format("{}: {} {} is no array of images: f32 or u8 (N,C,H,W) or (N,H,W)",
                                source.string(), name(array.dtype), to_string(shape)));
  const Shape images = shape.rank() == 4 ? shape : Shape{shape[0], 1, shape[1], shape[2]};
  if (array.dtype == DType::f32) {
    const auto values = array.as<float>();
    const bool fits = std::all_of(values.begin(), values.end(),
                                  [](float value) { return value >= 0 && value <= 1; });
    if (!fits)
      throw DataError(fmt::format("{}: has values outside [0,1]: scale them", source.string()));
    return io::HostArray::of<float>(images, values);
  }
  std::vector<float> values;
  for (std::uint8_t value : array.as<std::uint8_t>()) values.push_back(value / 255.0f);
  return io::HostArray::of<float>(images, values);
}

}  // namespace genera::zoo
