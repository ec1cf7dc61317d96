#include <fmt/format.h>
#include <genera/error.h>

#include <cmath>
#include <numbers>

#include "zoo/text/formats/model_formats.h"

namespace genera::zoo::text {
namespace {

// A feature that changes the model's function and that the Transformer does not have.
void require(const JsonFile& file, bool holds, std::string_view what) {
  if (!holds) file.fail(fmt::format("{} is not supported; use another model", what));
}

std::int64_t size_in(const JsonFile& file, std::string_view name,
                     std::optional<std::int64_t> otherwise = {}) {
  return file.integer(file.root(), name, 1, most_width, otherwise);
}

TransformerShape gpt2_shape(const JsonFile& file) {
  const JsonValue& root = file.root();
  TransformerShape shape;
  shape.vocabulary = size_in(file, "vocab_size");
  shape.context = file.integer(root, "n_positions", 1, most_context);
  shape.layers = file.integer(root, "n_layer", 1, most_layers);
  shape.width = size_in(file, "n_embd");
  shape.heads = size_in(file, "n_head");
  shape.hidden = size_in(file, "n_inner", 4 * shape.width);
  shape.norm_epsilon = file.real(root, "layer_norm_epsilon", 1e-5);
  shape.tied = file.boolean(root, "tie_word_embeddings", true);
  const std::string activation = file.text(root, "activation_function", "gelu_new");
  const bool is_tanh = activation == "gelu_new" || activation == "gelu_pytorch_tanh";
  require(file, is_tanh || activation == "gelu",
          fmt::format("activation_function '{}'", activation));
  shape.mlp = is_tanh ? Mlp::gelu_tanh : Mlp::gelu;
  require(file, file.boolean(root, "scale_attn_weights", true), "scale_attn_weights false");
  require(file, !file.boolean(root, "scale_attn_by_inverse_layer_idx", false),
          "scale_attn_by_inverse_layer_idx");
  require(file, !file.boolean(root, "add_cross_attention", false), "add_cross_attention");
  return shape;
}

double positive(const JsonFile& file, const JsonValue& object, std::string_view name,
                std::optional<double> otherwise = {}) {
  const double value = file.real(object, name, otherwise);
  if (!(value > 0) || value > 1e12) file.fail(fmt::format("'{}' is {}", name, value));
  return value;
}

// Llama 3.1's scaling (Grattafiori et al., 2407.21783; transformers, modeling_rope_utils.py): waves
// much longer than the first training's context are stretched by `factor`, much shorter ones are
// not, and between them the frequency is interpolated.
double llama3_divisor(double frequency, double factor, double low, double high, double context) {
  const double turns = context * frequency / (2 * std::numbers::pi);  // within that context
  if (turns < low) return factor;
  if (turns > high) return 1;
  const double share = (turns - low) / (high - low);
  return 1 / ((1 - share) / factor + share);
}

void read_rope_scaling(const JsonFile& file, const JsonValue& parameters, TransformerShape& shape) {
  shape.rope_base = positive(file, parameters, "rope_theta", shape.rope_base);
  const std::string type =
      file.text(parameters, "rope_type", file.text(parameters, "type", "default"));
  require(file, type == "default" || type == "linear" || type == "llama3",
          fmt::format("the scaling '{}' of rotary positions", type));
  require(file, file.real(parameters, "partial_rotary_factor", 1) == 1, "partial_rotary_factor");
  if (type == "default") return;
  const double factor = positive(file, parameters, "factor");
  const auto pairs = static_cast<std::size_t>(shape.head_width / 2);
  shape.rope_divisors.assign(pairs, factor);
  if (type == "linear") return;
  const double low = positive(file, parameters, "low_freq_factor");
  const double high = positive(file, parameters, "high_freq_factor");
  const double context = positive(file, parameters, "original_max_position_embeddings");
  if (high <= low) file.fail("'high_freq_factor' must be above 'low_freq_factor'");
  for (std::size_t i = 0; i < pairs; ++i) {
    const double exponent = -2.0 * static_cast<double>(i) / static_cast<double>(shape.head_width);
    shape.rope_divisors[i] =
        llama3_divisor(std::pow(shape.rope_base, exponent), factor, low, high, context);
  }
}

// Rotary positions stand in "rope_parameters" or, of old, in "rope_theta" and "rope_scaling".
void read_rope(const JsonFile& file, TransformerShape& shape) {
  shape.rope_base = positive(file, file.root(), "rope_theta", 10000);
  for (const char* name : {"rope_parameters", "rope_scaling"})
    if (const JsonValue* parameters = file.root().find(name))
      read_rope_scaling(file, *parameters, shape);
}

TransformerShape llama_shape(const JsonFile& file) {
  const JsonValue& root = file.root();
  TransformerShape shape;
  shape.positions = Positions::rotary;
  shape.norm = Norm::rms;
  shape.mlp = Mlp::swiglu;
  shape.bias = false;
  shape.vocabulary = size_in(file, "vocab_size");
  shape.context = file.integer(root, "max_position_embeddings", 1, most_context);
  shape.layers = file.integer(root, "num_hidden_layers", 1, most_layers);
  shape.width = size_in(file, "hidden_size");
  shape.heads = size_in(file, "num_attention_heads");
  shape.kv_heads = size_in(file, "num_key_value_heads", shape.heads);
  shape.head_width = file.integer(root, "head_dim", 0, most_width, 0);
  shape.hidden = size_in(file, "intermediate_size");
  shape.window = file.integer(root, "sliding_window", 0, std::int64_t{1} << 40, 0);
  shape.norm_epsilon = file.real(root, "rms_norm_eps", 1e-6);
  shape.tied = file.boolean(root, "tie_word_embeddings", false);
  const std::string activation = file.text(root, "hidden_act", "silu");
  require(file, activation == "silu", fmt::format("hidden_act '{}'", activation));
  require(file, !file.boolean(root, "attention_bias", false), "attention_bias");
  require(file, !file.boolean(root, "mlp_bias", false), "mlp_bias");
  shape = resolved_or(shape, [&](std::string_view problem) { file.fail(problem); });
  read_rope(file, shape);  // needs the width of a head
  return shape;
}

// A model saved without its head has names without the prefix.
TensorNames with_prefix(TensorNames names, const std::string& prefix, const Weights& weights) {
  if (!weights.find(prefix + names.embedding + ".weight")) return names;
  for (std::string* name : {&names.embedding, &names.positions, &names.norm, &names.block})
    name->insert(0, prefix);
  return names;
}

// One token or, where several end a text, a list of which the first is taken.
std::optional<Token> end_token(const JsonFile& config) {
  const JsonValue* end = config.root().find("eos_token_id");
  if (end != nullptr && end->as<JsonValue::Array>() != nullptr) {
    const auto& list = *end->as<JsonValue::Array>();
    end = list.empty() ? nullptr : &list[0];
  }
  const auto* token = end == nullptr ? nullptr : end->as<std::int64_t>();
  if (token == nullptr || *token < 0 || *token >= most_width) return std::nullopt;
  return static_cast<Token>(*token);
}

}  // namespace

TransformerShape resolved_or(const TransformerShape& shape,
                             const std::function<void(std::string_view)>& fail) {
  try {
    TransformerShape resolved = shape.resolved();
    if (resolved.heads * resolved.head_width > most_width)
      fail(fmt::format("{} heads of width {} are too many", resolved.heads, resolved.head_width));
    return resolved;
  } catch (const ArgumentError& error) {
    fail(error.what());
    throw;
  }
}

TransformerShape hugging_face_shape(const JsonFile& config) {
  const std::string type = config.text(config.root(), "model_type");
  TransformerShape shape;
  if (type == "gpt2")
    shape = gpt2_shape(config);
  else if (type == "llama" || type == "mistral")
    shape = llama_shape(config);
  else
    config.fail(
        fmt::format("the model type '{}' is not supported (gpt2, llama and mistral are)", type));
  if (!(shape.norm_epsilon >= 0 && shape.norm_epsilon < 1))
    config.fail(fmt::format("the norms' epsilon is {}", shape.norm_epsilon));
  return resolved_or(shape, [&](std::string_view problem) { config.fail(problem); });
}

ImportedModel import_hugging_face(const std::filesystem::path& path) {
  const bool is_folder = std::filesystem::is_directory(path);
  const auto folder = is_folder ? path : std::filesystem::absolute(path).parent_path();
  const JsonFile config(folder / "config.json");
  const TransformerShape shape = hugging_face_shape(config);
  const auto weights = safetensors_weights(path);
  const bool is_gpt2 = shape.positions == Positions::learned;
  const WeightMap map =
      is_gpt2
          ? gpt2_weight_map(shape, with_prefix(hugging_face_gpt2_names, "transformer.", *weights),
                            Layout::transposed)
          : llama_weight_map(shape, with_prefix(hugging_face_llama_names, "model.", *weights),
                             Layout::same);
  return {import_transformer(shape, *weights, map), end_token(config)};
}

}  // namespace genera::zoo::text
