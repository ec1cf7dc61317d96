#include "zoo/text/formats/model_file.h"

#include <fmt/format.h>
#include <genera/error.h>

#include "zoo/text/formats/model_formats.h"
#include "zoo/text/formats/tokenizer_file.h"

namespace genera::zoo::text {
namespace {

namespace fs = std::filesystem;

enum class Format { gguf, safetensors, llama2c };

// Told by the first bytes: names lie.
Format format_of(const fs::path& path) {
  if (fs::is_directory(path)) return Format::safetensors;
  const io::BinaryFile file("open_model_file", path);
  constexpr std::int64_t longest = 9;
  const std::vector<std::byte> begin = file.read(0, std::min(longest, file.size()));
  const std::string_view text(reinterpret_cast<const char*>(begin.data()), begin.size());
  if (text.starts_with("GGUF")) return Format::gguf;
  if (text.size() == longest && text.back() == '{') return Format::safetensors;
  return Format::llama2c;
}

// The tokenizer must know no token that the model does not; models often know more.
std::shared_ptr<const Tokenizer> fitting(std::unique_ptr<Tokenizer> tokenizer,
                                         const Transformer& model, const fs::path& path) {
  if (tokenizer->vocabulary_size() > model.vocabulary())
    throw DataError(
        fmt::format("[open_model_file] {}: the tokenizer has {} tokens and the model {}; "
                    "name the model's own tokenizer by --tokenizer",
                    path.native(), tokenizer->vocabulary_size(), model.vocabulary()));
  return tokenizer;
}

[[noreturn]] void no_tokenizer(const fs::path& path, const char* names) {
  throw DataError(fmt::format(
      "[open_model_file] {}: there is no tokenizer beside the model ({}); name its file "
      "by --tokenizer FILE",
      path.native(), names));
}

ModelFile open_gguf(const fs::path& path, const fs::path& tokenizer) {
  const io::GgufFile file(path);
  // A tokenizer that is not supported costs no time this way.
  auto own = tokenizer.empty() ? read_gguf_tokenizer(file) : open_tokenizer(tokenizer);
  const ImportedModel imported = import_gguf(file);
  return {imported.model, fitting(std::move(own), *imported.model, path), "gguf"};
}

ModelFile open_safetensors(const fs::path& path, const fs::path& tokenizer) {
  const fs::path folder = fs::is_directory(path) ? path : fs::absolute(path).parent_path();
  if (tokenizer.empty() && !holds_tokenizer(folder))
    no_tokenizer(path, "tokenizer.json, tokenizer.model, or vocab.json with merges.txt");
  const ImportedModel imported = import_hugging_face(path);
  auto found = open_tokenizer(tokenizer.empty() ? folder : tokenizer, {.end = imported.end});
  return {imported.model, fitting(std::move(found), *imported.model, path), "safetensors"};
}

ModelFile open_llama2c(const fs::path& path, const fs::path& tokenizer) {
  const fs::path beside = fs::absolute(path).parent_path() / "tokenizer.bin";
  const ImportedModel imported = import_llama2c(path);
  if (tokenizer.empty() && !fs::exists(beside)) no_tokenizer(path, "tokenizer.bin");
  auto found = open_tokenizer(tokenizer.empty() ? beside : tokenizer,
                              {.vocabulary = imported.model->vocabulary()});
  return {imported.model, fitting(std::move(found), *imported.model, path), "llama2.c"};
}

}  // namespace

ModelFile open_model_file(const fs::path& path, const fs::path& tokenizer) {
  switch (format_of(path)) {
    case Format::gguf:
      return open_gguf(path, tokenizer);
    case Format::safetensors:
      return open_safetensors(path, tokenizer);
    case Format::llama2c:
      break;
  }
  return open_llama2c(path, tokenizer);
}

bool is_model_file(const fs::path& path) {
  std::error_code ignored;
  const bool is_folder = fs::is_directory(path, ignored);
  if (!is_folder && path.extension() != ".safetensors") return fs::exists(path, ignored);
  const fs::path folder = is_folder ? path : fs::absolute(path).parent_path();
  return fs::exists(folder / "config.json", ignored) &&
         !fs::exists(folder / "config.toml", ignored);
}

}  // namespace genera::zoo::text
