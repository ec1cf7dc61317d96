#include <genera/error.h>
#include <genera/io.h>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <string_view>
#include <system_error>
#include <utility>

#include "engine/data/permutation.h"
#include "engine/data/source.h"

namespace genera::data {
namespace {

namespace fs = std::filesystem;

struct Entry {
  fs::path path;
  std::int32_t label = 0;
};

struct Listing {
  std::vector<Entry> entries;
  std::vector<std::string> class_names;  // empty: no classes
};

bool is_png(const fs::path& path) {
  std::string extension = path.extension().string();
  for (char& c : extension) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return extension == ".png";
}

/// The names in a folder, sorted, hidden ones left out.
std::vector<fs::path> sorted_names(const fs::path& folder) {
  std::vector<fs::path> names;
  std::error_code error;
  fs::directory_iterator item(folder, error);
  for (; !error && item != fs::directory_iterator(); item.increment(error))
    if (const std::string file = item->path().filename().string(); file.front() != '.')
      names.push_back(item->path());
  if (error)
    throw DataError(fmt::format("[data] {}: cannot be listed: {}; check its permissions",
                                folder.string(), error.message()));
  std::sort(names.begin(), names.end());
  return names;
}

bool is_folder(const fs::path& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored);
}

std::vector<fs::path> pngs_in(const fs::path& folder) {
  std::vector<fs::path> paths = sorted_names(folder);
  std::erase_if(paths, [](const fs::path& path) { return !is_png(path) || is_folder(path); });
  return paths;
}

/// PNGs of the folder itself, or else of its subfolders, which then are the classes.
Listing list_images(const fs::path& folder) {
  Listing listing;
  for (fs::path& path : pngs_in(folder)) listing.entries.push_back({std::move(path), 0});
  if (!listing.entries.empty()) return listing;
  for (const fs::path& sub : sorted_names(folder)) {
    if (!is_folder(sub)) continue;
    std::vector<fs::path> paths = pngs_in(sub);
    if (paths.empty()) continue;
    const auto label = static_cast<std::int32_t>(listing.class_names.size());
    listing.class_names.push_back(sub.filename().string());
    for (fs::path& path : paths) listing.entries.push_back({std::move(path), label});
  }
  return listing;
}

/// Copies the colour of (H,W,C) pixels into (C',H,W), leaving alpha out.
void copy_planes(const io::HostArray& image, std::int64_t channels, std::uint8_t* out) {
  const auto pixels = image.as<std::uint8_t>();
  const auto stride = static_cast<std::size_t>(image.shape[2]);
  for (std::size_t c = 0; c < static_cast<std::size_t>(channels); ++c)
    for (std::size_t i = c; i < pixels.size(); i += stride) *out++ = pixels[i];
}

std::int64_t colours(const io::HostArray& image) { return image.shape[2] >= 3 ? 3 : 1; }

/// Decodes all entries into one source. They are put into a fixed random order, so that the last
/// tenth has all classes.
Images load_images(const fs::path& folder, const Listing& listing, std::int64_t max_bytes) {
  const auto count = static_cast<std::int64_t>(listing.entries.size());
  const io::HostArray first = io::read_png(listing.entries.front().path);
  const Shape shape = {count, colours(first), first.shape[0], first.shape[1]};
  if (shape.elements() > max_bytes)
    throw DataError(fmt::format(
        "[data] {}: {} images {}x{}x{} take more than {} bytes; use fewer or smaller ones",
        folder.string(), count, shape[1], shape[2], shape[3], max_bytes));
  const std::int64_t each = shape.elements() / count;
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(shape.elements()));
  std::vector<std::int32_t> labels;
  std::uint8_t* out = pixels.data();
  for (const std::int64_t i : permutation(Key(0), count)) {
    const Entry& entry = listing.entries[static_cast<std::size_t>(i)];
    const io::HostArray image = io::read_png(entry.path);
    if (image.shape[0] != shape[2] || image.shape[1] != shape[3] || colours(image) != shape[1])
      throw DataError(
          fmt::format("[data] {}: is {}x{} with {} colour channel(s), but {} is {}x{} with {}; "
                      "make all images alike",
                      entry.path.string(), image.shape[0], image.shape[1], colours(image),
                      listing.entries.front().path.string(), shape[2], shape[3], shape[1]));
    copy_planes(image, shape[1], out);
    out += each;
    if (!listing.class_names.empty()) labels.push_back(entry.label);
  }
  return Images(
      make_memory_source(std::move(pixels), shape, std::move(labels), listing.class_names));
}

class PngFolder final : public DatasetSource {
 public:
  PngFolder(const fs::path& folder, std::int64_t max_bytes) : max_bytes_(max_bytes) {
    for (const std::string_view sub : {"train"}) adopt(Split::train, folder / sub);
    for (const std::string_view sub : {"validation", "valid", "val"})
      adopt(Split::validation, folder / sub);
    for (const std::string_view sub : {"test"}) adopt(Split::test, folder / sub);
    if (!has(Split::train)) {
      for (Part& part : parts_) part = {};
      adopt(Split::train, folder);
    }
  }
  bool has(Split split) const override {
    return !parts_[static_cast<std::size_t>(split)].listing.entries.empty();
  }
  std::optional<Images> load(Split split) const override {
    if (!has(split)) return std::nullopt;
    const Part& part = parts_[static_cast<std::size_t>(split)];
    return load_images(part.folder, part.listing, max_bytes_);
  }

 private:
  struct Part {
    fs::path folder;
    Listing listing;
  };

  void adopt(Split split, const fs::path& folder) {
    Part& part = parts_[static_cast<std::size_t>(split)];
    if (!part.listing.entries.empty() || !is_folder(folder)) return;
    part = {folder, list_images(folder)};
  }

  std::array<Part, 3> parts_;
  std::int64_t max_bytes_;
};

}  // namespace

std::unique_ptr<const DatasetSource> open_png_folder(const fs::path& folder,
                                                     std::int64_t max_bytes) {
  auto source = std::make_unique<PngFolder>(folder, max_bytes);
  if (!source->has(Split::train)) return nullptr;
  return source;
}

}  // namespace genera::data
