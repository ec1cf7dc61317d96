/// Many images as one picture.
#pragma once

#include <genera/io.h>

#include <cstdint>
#include <filesystem>
#include <string>

namespace genera::zoo {

struct GridOptions {
  std::int64_t columns = 0;  ///< 0: the smallest number of columns that is at least that of rows
  std::int64_t padding = 2;  ///< pixels around each image, after scaling
  std::int64_t scale = 2;    ///< each pixel becomes scale x scale
  std::uint8_t background = 64;
};

/// Images (N,C,H,W) f32 in [0,1] (values outside are clamped, NaN is 0), C = 1 or 3, as one u8
/// picture (H',W',C), row by row. ArgumentError for other shapes and for an empty batch.
io::HostArray sample_grid(const io::ArrayView& images, const GridOptions& options = {});

/// Writes sample_grid(images) as PNG whose text says which command remakes it. DiskError.
void write_grid(const std::filesystem::path& path, const io::ArrayView& images,
                const std::string& recipe, const GridOptions& options = {});

}  // namespace genera::zoo
