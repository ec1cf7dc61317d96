#include "zoo/common/dataset.h"

#include <fmt/core.h>
#include <genera/error.h>

#include <cstdlib>
#include <filesystem>
#include <vector>

#include "zoo/common/spelling.h"

namespace genera::zoo {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> known_names() {
  std::vector<std::string> names = {"fashion-mnist", "sprites"};
  const char* collection = std::getenv("GENERA_DATA");
  if (collection == nullptr || *collection == '\0') return names;
  std::error_code error;
  for (fs::directory_iterator entry(collection, error), end; !error && entry != end;
       entry.increment(error))
    names.push_back(entry->path().filename().string());
  return names;
}

}  // namespace

data::Dataset open_dataset(const std::string& name, const data::OpenOptions& options) {
  try {
    return data::open(name, options);
  } catch (const DataError& error) {
    const std::vector<std::string> known = known_names();
    const std::string nearest = nearest_name(name, known);
    if (nearest.empty() || nearest == name) throw;
    throw DataError(fmt::format("{}; did you mean {}?", error.what(), nearest));
  }
}

std::string plain_name(const std::string& data) {
  const fs::path path = fs::path(data).lexically_normal();
  return path.has_filename() ? path.filename().string() : path.parent_path().filename().string();
}

}  // namespace genera::zoo
