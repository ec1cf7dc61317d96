#include "zoo/common/read_verbs.h"
#include "zoo/common/console.h"
#include "zoo/common/json_text.h"

#include <fmt/core.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

namespace genera::zoo {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

// Numbers as numbers, lists of them as lists: the text may come from a file that says anything.
Json json_of(const std::string& text) {
  if (Json number = Json::parse(text, nullptr, false); number.is_number()) return number;
  const Json list = Json::parse("[" + text + "]", nullptr, false);
  const bool numbers =
      list.is_array() && list.size() > 1 &&
      std::all_of(list.begin(), list.end(), [](const Json& item) { return item.is_number(); });
  return numbers ? list : Json(text);
}

Json metadata_of(const TrainedRun& run, const std::string& key) {
  const auto found = run.checkpoint.metadata.find(key);
  return found == run.checkpoint.metadata.end() || found->second == "inf" ? Json(nullptr)
                                                                          : json_of(found->second);
}

// What the run was trained on: with --smoke that is not what --data says.
std::string data_name(const TrainedRun& run) {
  std::ifstream file(run.folder.manifest());
  const Json manifest = Json::parse(file, nullptr, false);
  if (!manifest.is_object() || !manifest.contains("data")) return "";
  const Json& data = manifest["data"];
  return data.is_object() && data.contains("name") && data["name"].is_string()
             ? data["name"].get<std::string>()
             : "";
}

fs::path labels_path(fs::path array) {
  return array.replace_filename(array.stem().string() + "-labels.npy");
}

void write_arrays(const fs::path& path, const io::HostArray& images,
                  const std::vector<std::int32_t>& labels) {
  io::write_npy(path, images);
  if (labels.empty()) return;
  const Shape shape{static_cast<std::int64_t>(labels.size())};
  io::write_npy(labels_path(path), io::HostArray::of<std::int32_t>(shape, labels));
}

// A name that ends like a kind of file which nothing here writes is a slip.
void check_kind(const fs::path& path) {
  const std::vector<std::string> others = {".jpg", ".jpeg", ".gif", ".bmp", ".webp",
                                           ".tif", ".tiff", ".svg", ".pdf", ".npz"};
  if (std::find(others.begin(), others.end(), path.extension()) != others.end())
    throw UsageError(fmt::format("--out {}: pictures are written as NAME.png, arrays as NAME.npy",
                                 path.string()));
}

void make_folder(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error)
    throw DiskError(fmt::format("folder {} cannot be made: {}", path.string(), error.message()));
}

void write_png_folder(const fs::path& folder, const io::HostArray& images,
                      const std::vector<std::int32_t>& labels) {
  if (std::error_code error; fs::exists(folder, error))
    throw UsageError(fmt::format("{} is there already: choose another --out", folder.string()));
  const std::int64_t count = images.shape[0];
  const std::size_t bytes =
      images.bytes.size() / static_cast<std::size_t>(std::max<std::int64_t>(count, 1));
  const Shape one{1, images.shape[1], images.shape[2], images.shape[3]};
  for (std::int64_t i = 0; i < count; ++i) {
    const auto index = static_cast<std::size_t>(i);
    const fs::path inside = labels.empty() ? folder : folder / std::to_string(labels.at(index));
    make_folder(inside);
    const io::ArrayView image{images.dtype, one,
                              std::span(images.bytes).subspan(index * bytes, bytes)};
    io::write_png(inside / fmt::format("{:06}.png", i),
                  sample_grid(image, {.columns = 1, .padding = 0, .scale = 1}));
  }
}

}  // namespace

Verb& add_out_flag(Verb& verb, ReadFlags& flags, const std::string& help) {
  return verb.option("out", flags.out, help, Kept::nowhere);
}

Verb& add_seed_flag(Verb& verb, ReadFlags& flags) {
  return verb.option("seed", flags.seed, "Seed of all that is drawn at random", Range{0, 1.8e19});
}

Verb& add_data_flag(Verb& verb, ReadFlags& flags) {
  return verb.option("data", flags.data, "Another data set than the run's")
      .not_in_environment("data");
}

Verb& add_scores_flag(Verb& verb, ReadFlags& flags) {
  return add_out_flag(verb, flags, "NAME.csv or NAME.npy to write; default RUN/scores.csv");
}

Verb& add_record_flag(Verb& verb, ReadFlags& flags) {
  return verb.option("record", flags.record, "JSON file to write with the figures and their origin",
                     Kept::nowhere);
}

Verb& add_sample_flags(Verb& verb, ReadFlags& flags, const std::string& what,
                       const std::string& folder_of) {
  add_out_flag(
      verb, flags,
      "What to write: NAME.png, a picture; NAME.npy, an array; any other name, a folder of " +
          folder_of + "; default RUN/samples.png");
  return add_seed_flag(verb, flags)
      .option("count", flags.count, what, Range{1, 1e6})
      .option("columns", flags.columns, "Images in a row of the picture; 0: as many as rows",
              Range{0, 1e4});
}

fs::path output_path(const TrainedRun& run, const ReadFlags& flags, const std::string& file) {
  return flags.out.empty() ? run.folder.path() / file : fs::path(flags.out);
}

int finish_file(const ReadFlags& flags, const fs::path& path) {
  if (flags.compute.json)
    fmt::print("{}\n", json_text({{"file", path.string()}}));
  else
    fmt::print("{}\n", path.string());
  return exit_done;
}

int finish_picture(const TrainedRun& run, const ReadFlags& flags, const std::string& file,
                   const io::HostArray& images, const GridOptions& options) {
  const fs::path path = output_path(run, flags, file);
  check_kind(path);
  if (path.extension() == ".npy")
    io::write_npy(path, images);
  else
    write_grid(path, images, run.recipe, options);
  return finish_file(flags, path);
}

int finish_samples(const TrainedRun& run, const ReadFlags& flags, const io::HostArray& images,
                   const std::vector<std::int32_t>& labels) {
  const fs::path path = flags.out;
  check_kind(path);
  if (flags.out.empty() || path.extension() == ".png")
    return finish_picture(run, flags, "samples.png", images, {.columns = flags.columns});
  if (path.extension() == ".npy")
    write_arrays(path, images, labels);
  else
    write_png_folder(path, images, labels);
  return finish_file(flags, path);
}

int finish_scores(const TrainedRun& run, const ReadFlags& flags, const std::string& name,
                  const std::vector<double>& scores) {
  const fs::path path = output_path(run, flags, "scores.csv");
  if (path.extension() == ".npy") {
    const Shape shape{static_cast<std::int64_t>(scores.size())};
    io::write_npy(path, io::HostArray::of<double>(shape, scores));
    return finish_file(flags, path);
  }
  std::string text = "index," + name + "\n";
  for (std::size_t i = 0; i < scores.size(); ++i) text += fmt::format("{},{}\n", i, scores[i]);
  write_text(path, text);
  return finish_file(flags, path);
}

int finish_eval(const TrainedRun& run, const ReadFlags& flags, std::vector<Figure> figures,
                std::int64_t parameters) {
  Summary summary = read_summary(run.folder.summary());
  summary.parameters = parameters;
  summary.figures = std::move(figures);
  fmt::print("{}", flags.compute.json ? to_json(summary) : to_text(summary));
  if (!flags.record.empty()) write_record(flags.record, run.folder, summary);
  return exit_done;
}

int finish_info(const TrainedRun& run, const ReadFlags& flags,
                const std::vector<std::pair<std::string, std::string>>& facts,
                std::int64_t parameters) {
  Json shown = {{"program", run.program}, {"model", nullptr}, {"data", nullptr}};
  for (const auto& [name, value] : facts) shown[name] = json_of(value);
  shown["parameters"] = parameters;
  shown["step"] = metadata_of(run, "step");
  shown["validation_loss"] = metadata_of(run, "best_loss");
  shown["checkpoint"] = run.file;
  if (const std::string data = data_name(run); !data.empty()) shown["data"] = data;
  for (const auto& [name, value] : run.settings)
    if (!shown.contains(name) || shown[name].is_null()) shown[name] = json_of(value);
  if (flags.compute.json) {
    fmt::print("{}\n", json_text(shown, 2));
    return exit_done;
  }
  for (const auto& [name, value] : shown.items())
    fmt::print("{:<16} {}\n", name,
               value.is_string() ? printable(value.get<std::string>()) : json_text(value));
  return exit_done;
}

}  // namespace genera::zoo
