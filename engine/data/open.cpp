#include <genera/data.h>
#include <genera/error.h>

#include <fmt/format.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <string_view>
#include <utility>

#include "engine/data/source.h"

namespace genera::data {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view debian_folder = "/usr/share/datasets";

constexpr std::string_view folder_contents =
    "train-images-idx3-ubyte[.gz] with t10k-… or test-…, or PNG files, or folders of those";

bool is_folder(const fs::path& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored);
}

bool is_path(const std::string& text) {
  return text.find('/') != std::string::npos || text == "." || text == "..";
}

std::unique_ptr<const DatasetSource> open_folder(const fs::path& folder,
                                                 const OpenOptions& options) {
  if (auto idx = open_idx_folder(folder)) return idx;
  if (auto png = open_png_folder(folder, options.max_bytes)) return png;
  throw DataError(fmt::format("[data] {}: holds no data set that is known; put there {}",
                              folder.string(), folder_contents));
}

std::unique_ptr<const DatasetSource> open_path(const std::string& path,
                                               const OpenOptions& options) {
  std::error_code ignored;
  if (is_folder(path)) return open_folder(path, options);
  throw DataError(
      fs::exists(path, ignored)
          ? fmt::format("[data] {}: is not a folder; a data set is a folder of IDX files or PNGs", path)
          : fmt::format("[data] {}: no such folder; check the path", path));
}

[[noreturn]] void fail_unknown(const std::string& name, const char* collection) {
  const std::string first = collection ? (fs::path(collection) / name).string()
                                       : std::string("$GENERA_DATA (which is not set)");
  const std::string_view advice =
      name == "fashion-mnist"
          ? "run: apt-get install dataset-fashion-mnist; or use 'sprites', which needs no files"
          : "known are 'fashion-mnist' (apt-get install dataset-fashion-mnist) and 'sprites', "
            "which "
            "needs no files; or name a folder with '/'";
  throw DataError(fmt::format("[data] no data set '{}': looked for {} and {}/{}; {}", name, first,
                              debian_folder, name, advice));
}

std::unique_ptr<const DatasetSource> open_name(const std::string& name,
                                               const OpenOptions& options) {
  const char* collection = std::getenv("GENERA_DATA");
  if (collection && *collection == '\0') collection = nullptr;
  if (collection && is_folder(fs::path(collection) / name))
    return open_folder(fs::path(collection) / name, options);
  if (is_folder(fs::path(debian_folder) / name))
    return open_folder(fs::path(debian_folder) / name, options);
  if (name == "sprites") return make_sprites(options.sprites);
  if (is_folder(name)) return open_folder(name, options);
  fail_unknown(name, collection);
}

/// The last tenth, which stands in for a split that is not there, and what is left.
std::int64_t tenth(const Images& images) { return images.size() / 10; }
Images last_tenth(const Images& images) {
  return images.subset(images.size() - tenth(images), tenth(images));
}
Images without_last_tenth(const Images& images) {
  return images.subset(0, images.size() - tenth(images));
}

}  // namespace

struct Dataset::State {
  std::string name;
  std::unique_ptr<const DatasetSource> source;
  std::mutex mutex;
  std::array<std::optional<Images>, 3> parts;  // as the source has them

  /// The source's own part, which it must have.
  const Images& part(Split split) {
    std::optional<Images>& images = parts[static_cast<std::size_t>(split)];
    if (!images) images = source->load(split);
    return *images;
  }
};

Dataset::Dataset(std::string name, std::unique_ptr<const DatasetSource> source)
    : state_(std::make_shared<State>()) {
  state_->name = std::move(name);
  state_->source = std::move(source);
}

const std::string& Dataset::name() const { return state_->name; }

Images Dataset::images(Split split) const {
  const std::lock_guard lock(state_->mutex);
  const DatasetSource& source = *state_->source;
  Images found = [&] {
    if (split != Split::train && source.has(split)) return state_->part(split);
    const Images& all = state_->part(Split::train);
    if (split == Split::test) return last_tenth(all);
    const Images rest = source.has(Split::test) ? all : without_last_tenth(all);
    if (split == Split::validation) return last_tenth(rest);
    return source.has(Split::validation) ? rest : without_last_tenth(rest);
  }();
  if (found.size() == 0)
    throw DataError(fmt::format("[data] {}: its {} images leave none for the {} split; add more",
                                state_->name, state_->part(Split::train).size(),
                                data::name(split)));
  return found;
}

void Dataset::check(Split split) const {
  if (state_->source->has(split)) state_->source->check(split);
}

Dataset open(const std::string& name_or_path, const OpenOptions& options) {
  if (name_or_path.empty())
    throw DataError(
        "[data] the name of the data set is empty; use 'sprites', which needs no files");
  return {name_or_path, is_path(name_or_path) ? open_path(name_or_path, options)
                                              : open_name(name_or_path, options)};
}

std::string absolute_name(const std::string& name_or_path) {
  if (name_or_path.empty()) return name_or_path;
  if (!is_path(name_or_path)) {
    const char* collection = std::getenv("GENERA_DATA");
    const bool known =
        name_or_path == "sprites" || is_folder(fs::path(debian_folder) / name_or_path) ||
        (collection && *collection && is_folder(fs::path(collection) / name_or_path));
    if (std::error_code error; known || !fs::exists(name_or_path, error)) return name_or_path;
  }
  return fs::absolute(name_or_path).lexically_normal().string();
}

}  // namespace genera::data
