/// Language models in other programs' files.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "zoo/text/tokenizer.h"
#include "zoo/text/transformer.h"

namespace genera::zoo::text {

/// A model as it lay in a file, with the tokenizer that belongs to it.
struct ModelFile {
  std::shared_ptr<const Transformer> model;
  std::shared_ptr<const Tokenizer> tokenizer;
  std::string format;  ///< "gguf", "safetensors", "llama2.c"
};

/// Reads a .gguf file, a Hugging Face folder (config.json, model.safetensors or its shards,
/// tokenizer.json) or one of its .safetensors files, or llama2.c's .bin. `tokenizer` names a file
/// that replaces what is found in or beside the model; llama2.c's models need it. DataError for a
/// damaged or unknown file; MemoryError, with the numbers, for one that does not fit into memory.
ModelFile open_model_file(const std::filesystem::path& path,
                          const std::filesystem::path& tokenizer = {});

/// Whether a path is another program's model rather than one of our runs or checkpoints: a folder
/// with config.json or a .safetensors file in one, or a file of another kind.
bool is_model_file(const std::filesystem::path& path);

}  // namespace genera::zoo::text
