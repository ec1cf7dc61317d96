#include "zoo/common/image_grid.h"

#include <fmt/core.h>
#include <genera/error.h>

#include <algorithm>
#include <cmath>

#include "zoo/common/version.h"

namespace genera::zoo {
namespace {

std::uint8_t to_byte(float value) {
  if (!(value > 0)) return 0;
  return static_cast<std::uint8_t>(std::lround(std::min(value, 1.0f) * 255.0f));
}

}  // namespace

io::HostArray sample_grid(const io::ArrayView& images, const GridOptions& options) {
  const Shape& shape = images.shape;
  if (shape.rank() != 4 || shape[0] < 1 || (shape[1] != 1 && shape[1] != 3) || shape[2] < 1 ||
      shape[3] < 1)
    throw ArgumentError(
        fmt::format("[sample_grid] images must be (N,C,H,W) with N >= 1 and C = 1 or 3, got {}",
                    to_string(shape)));
  if (options.columns < 0 || options.padding < 0 || options.scale < 1)
    throw ArgumentError(fmt::format("[sample_grid] columns {}, padding {}, scale {} out of range",
                                    options.columns, options.padding, options.scale));
  const std::int64_t n = shape[0], channels = shape[1], h = shape[2], w = shape[3];
  std::int64_t columns = options.columns;
  if (columns == 0)
    columns = static_cast<std::int64_t>(std::ceil(std::sqrt(static_cast<double>(n))));
  columns = std::min(columns, n);
  const std::int64_t rows = (n + columns - 1) / columns;
  const std::int64_t cell_h = h * options.scale + options.padding;
  const std::int64_t cell_w = w * options.scale + options.padding;
  const std::int64_t height = rows * cell_h + options.padding;
  const std::int64_t width = columns * cell_w + options.padding;
  io::HostArray picture = io::HostArray::zeros(DType::u8, Shape{height, width, channels});
  const auto pixels = picture.as<std::uint8_t>();
  const auto values = images.as<float>();
  std::fill(pixels.begin(), pixels.end(), options.background);
  for (std::int64_t i = 0; i < n; ++i) {
    const std::int64_t y0 = (i / columns) * cell_h + options.padding;
    const std::int64_t x0 = (i % columns) * cell_w + options.padding;
    for (std::int64_t y = 0; y < h * options.scale; ++y)
      for (std::int64_t x = 0; x < w * options.scale; ++x)
        for (std::int64_t c = 0; c < channels; ++c) {
          const std::int64_t from =
              ((i * channels + c) * h + y / options.scale) * w + x / options.scale;
          const std::int64_t to = ((y0 + y) * width + x0 + x) * channels + c;
          pixels[static_cast<std::size_t>(to)] = to_byte(values[static_cast<std::size_t>(from)]);
        }
  }
  return picture;
}

void write_grid(const std::filesystem::path& path, const io::ArrayView& images,
                const std::string& recipe, const GridOptions& options) {
  io::write_png(path, sample_grid(images, options),
                {{"Software", fmt::format("Genera {}", program_version())}, {"Comment", recipe}});
}

}  // namespace genera::zoo
