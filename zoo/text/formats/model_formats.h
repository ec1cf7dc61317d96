/// The formats behind open_model_file().
#pragma once

#include <genera/io.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>

#include "zoo/common/json_file.h"
#include "zoo/text/formats/gguf_values.h"
#include "zoo/text/formats/weight_map.h"
#include "zoo/text/tokenizer.h"

namespace genera::zoo::text {

/// The largest extents that a file may claim: more are a damaged file, and products of these do
/// not overflow.
inline constexpr std::int64_t most_width = std::int64_t{1} << 22;
inline constexpr std::int64_t most_layers = 4096;
inline constexpr std::int64_t most_context = std::int64_t{1} << 20;

/// A model without its tokenizer.
struct ImportedModel {
  std::shared_ptr<const Transformer> model;
  std::optional<Token> end;  ///< the token that ends a text, where the model's file tells
};

/// config.json and safetensors of Hugging Face's transformers: GPT-2, Llama, Mistral. `path`: the
/// folder, or a .safetensors file in it.
ImportedModel import_hugging_face(const std::filesystem::path& path);
/// The sizes and choices in a config.json. DataError for what the Transformer cannot do.
TransformerShape hugging_face_shape(const JsonFile& config);

/// The architectures "gpt2" and "llama" (which is Mistral's too).
ImportedModel import_gguf(const io::GgufFile& file);

/// llama2.c's .bin of version 0 (https://github.com/karpathy/llama2.c, export.py, legacy_export).
ImportedModel import_llama2c(const std::filesystem::path& path);

/// shape.resolved(), with `fail` told of sizes that do not fit.
TransformerShape resolved_or(const TransformerShape& shape,
                             const std::function<void(std::string_view)>& fail);

}  // namespace genera::zoo::text
