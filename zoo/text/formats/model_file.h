/// Language models in other programs' files.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "zoo/text/tokenizer.h"
#include "zoo/text/transformer.h"

namespace genera::zoo {

/// A model as it lay in a file, with the tokenizer that belongs to it.
struct ModelFile {
  std::shared_ptr<const Transformer> model;
  std::shared_ptr<const Tokenizer> tokenizer;
  std::string format;  ///< "gguf", "safetensors", "llama2.c"
};

/// Reads a .gguf file, a Hugging Face folder (config.json, model.safetensors or its shards,
/// tokenizer.json) or one of its .safetensors files, or llama2.c's .bin. `tokenizer` names a file
/// that replaces what is found in or beside the model; llama2.c's models need it. DataError for a
/// damaged or unknown file, and for one that does not fit into memory, with the numbers.
ModelFile open_model_file(const std::filesystem::path& path,
                          const std::filesystem::path& tokenizer = {});

}  // namespace genera::zoo
