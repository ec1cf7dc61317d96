#include "zoo/text/formats/weights.h"

#include <fmt/format.h>
#include <genera/error.h>

#include <algorithm>
#include <map>

#include "zoo/common/json_file.h"

namespace genera::zoo::text {
namespace {

namespace fs = std::filesystem;

template <class T>
std::vector<float> converted(const io::HostArray& array) {
  const auto values = array.as<T>();
  std::vector<float> result(values.size());
  std::transform(values.begin(), values.end(), result.begin(),
                 [](T value) { return static_cast<float>(value); });
  return result;
}

class GgufWeights : public Weights {
 public:
  explicit GgufWeights(const io::GgufFile& file) : file_(file) {}

  std::optional<Shape> find(const std::string& name) const override {
    const io::GgufEntry* entry = file_.find(name);
    return entry == nullptr ? std::nullopt : std::optional(entry->shape);
  }
  std::vector<float> load(const std::string& name) const override {
    return as_floats(file_.load(*file_.find(name)), fmt::format("{}: '{}'", file_name(), name));
  }
  const std::string& file_name() const override { return file_.file_name(); }

 private:
  const io::GgufFile& file_;
};

class SafetensorsWeights : public Weights {
 public:
  SafetensorsWeights(std::string name, const std::vector<fs::path>& paths)
      : name_(std::move(name)) {
    for (const fs::path& path : paths) {
      files_.emplace_back(path);
      for (const io::SafetensorsEntry& entry : files_.back().entries())
        if (!places_.emplace(entry.name, files_.size() - 1).second)
          fail(fmt::format("two of its files have the tensor '{}'", entry.name));
    }
  }

  std::optional<Shape> find(const std::string& name) const override {
    const auto place = places_.find(name);
    if (place == places_.end()) return std::nullopt;
    return files_[place->second].find(name)->shape;
  }
  std::vector<float> load(const std::string& name) const override {
    const io::SafetensorsFile& file = files_[places_.at(name)];
    return as_floats(file.load(name), fmt::format("{}: '{}'", file.file_name(), name));
  }
  const std::string& file_name() const override { return name_; }

 private:
  std::string name_;
  std::vector<io::SafetensorsFile> files_;
  std::map<std::string, std::size_t> places_;
};

// The files that an index names, each once.
std::vector<fs::path> shards(const fs::path& index) {
  const JsonFile file(index);
  std::vector<fs::path> paths;
  for (const JsonValue::Member& member : file.members(file.root(), "weight_map")) {
    const auto* name = member.value.as<std::string>();
    // A path would lead out of the folder.
    if (name == nullptr || name->empty() || name->find('/') != std::string::npos)
      file.fail(fmt::format("'{}' is not in a file of this folder", member.name));
    const fs::path path = index.parent_path() / *name;
    if (std::find(paths.begin(), paths.end(), path) == paths.end()) paths.push_back(path);
  }
  return paths;
}

}  // namespace

void Weights::fail(std::string_view problem) const {
  io::BinaryFile("open_model_file", std::span<const std::byte>(), file_name()).fail(problem);
}

std::unique_ptr<Weights> gguf_weights(const io::GgufFile& file) {
  return std::make_unique<GgufWeights>(file);
}

std::unique_ptr<Weights> safetensors_weights(const fs::path& path) {
  const bool is_folder = fs::is_directory(path);
  const fs::path folder = is_folder ? path : fs::absolute(path).parent_path();
  const fs::path index = folder / "model.safetensors.index.json";
  const fs::path single = is_folder ? folder / "model.safetensors" : path;
  if (fs::exists(index) && (!is_folder || !fs::exists(single))) {
    std::vector<fs::path> paths = shards(index);
    const bool is_listed =
        is_folder || std::any_of(paths.begin(), paths.end(), [&](const fs::path& shard) {
          return shard.filename() == path.filename();
        });
    if (is_listed) return std::make_unique<SafetensorsWeights>(path.native(), paths);
  }
  if (is_folder && !fs::exists(single))
    throw DataError(
        fmt::format("[open_model_file] {}: the folder has no model.safetensors{}; "
                    "name the model's file, or save it as safetensors",
                    path.native(),
                    fs::exists(folder / "pytorch_model.bin")
                        ? " (pytorch_model.bin is a pickle, which can run code, and "
                          "is not read)"
                        : ""));
  return std::make_unique<SafetensorsWeights>(path.native(), std::vector<fs::path>{single});
}

std::vector<float> as_floats(const io::HostArray& array, const std::string& what) {
  switch (array.dtype) {
    case DType::f32:
      return converted<float>(array);
    case DType::f64:
      return converted<double>(array);
    case DType::f16:
      return converted<float16>(array);
    case DType::bf16:
      return converted<bfloat16>(array);
    default:
      throw DataError(
          fmt::format("[open_model_file] {}: weights of {} are not supported; save the "
                      "model as F32, F16 or BF16",
                      what, name(array.dtype)));
  }
}

}  // namespace genera::zoo::text
