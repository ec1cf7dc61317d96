#include "zoo/text/formats/tokenizer_file.h"

#include <fmt/format.h>
#include <genera/error.h>

#include <array>

namespace genera::zoo::text {
namespace {

namespace fs = std::filesystem;

// What a folder may hold, the best first.
constexpr std::array<const char*, 3> known_names = {"tokenizer.json", "tokenizer.model",
                                                    "vocab.json"};

std::optional<fs::path> found_in(const fs::path& folder) {
  for (const char* name : known_names) {
    const fs::path path = folder / name;
    const bool is_pair = path.filename() == "vocab.json";
    if (fs::exists(path) && (!is_pair || fs::exists(folder / "merges.txt"))) return path;
  }
  return std::nullopt;
}

std::unique_ptr<Tokenizer> open_json(const fs::path& path, const TokenizerHints& hints) {
  const JsonFile file(path);
  if (file.root().find("model") != nullptr)
    return read_hugging_face_tokenizer(file, hints, fs::absolute(path).parent_path());
  const fs::path merges = path.parent_path() / "merges.txt";
  if (!fs::exists(merges))
    file.fail("this is no tokenizer.json, and there is no merges.txt beside it; name another file");
  return read_vocabulary_and_merges(path, merges, hints);
}

}  // namespace

bool holds_tokenizer(const fs::path& folder) { return found_in(folder).has_value(); }

std::unique_ptr<Tokenizer> open_tokenizer(const fs::path& path, const TokenizerHints& hints) {
  if (fs::is_directory(path)) {
    const auto inside = found_in(path);
    if (!inside)
      throw DataError(
          fmt::format("[open_tokenizer] {}: the folder has no tokenizer.json, no "
                      "tokenizer.model, and no vocab.json with merges.txt; name a file",
                      path.native()));
    return open_tokenizer(*inside, hints);
  }
  const std::string extension = path.extension();
  if (extension == ".json") return open_json(path, hints);
  if (extension == ".txt")
    return read_vocabulary_and_merges(path.parent_path() / "vocab.json", path, hints);
  if (extension == ".model") return read_sentence_piece_model(path);
  if (extension == ".gguf") return read_gguf_tokenizer(io::GgufFile(path));
  if (extension == ".bin") return read_llama2c_tokenizer(path, hints);
  throw DataError(
      fmt::format("[open_tokenizer] {}: a tokenizer's name ends in .json, .txt "
                  "(merges), .model, .gguf or .bin; rename or name another file",
                  path.native()));
}

}  // namespace genera::zoo::text
