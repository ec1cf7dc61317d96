#include <fmt/format.h>

#include "zoo/text/formats/model_formats.h"

namespace genera::zoo::text {
namespace {

// Reads the keys "architecture.name".
class ArchitectureReader {
 public:
  ArchitectureReader(const GgufValues& values, std::string architecture)
      : values_(values), prefix_(std::move(architecture) + ".") {}

  std::int64_t integer(std::string_view name, std::int64_t low, std::int64_t high,
                       std::optional<std::int64_t> otherwise = {}) const {
    return values_.integer(key(name), low, high, otherwise);
  }
  std::int64_t size(std::string_view name, std::optional<std::int64_t> otherwise = {}) const {
    return integer(name, 1, most_width, otherwise);
  }
  double real(std::string_view name, std::optional<double> otherwise = {}) const {
    return values_.real(key(name), otherwise);
  }
  /// Refuses a feature that changes the model's function and that the Transformer does not have.
  void refuse(bool has, std::string_view name) const {
    if (has)
      values_.fail(
          fmt::format("'{}' asks for what is not supported; use another model", key(name)));
  }
  std::string text(std::string_view name, std::optional<std::string> otherwise) const {
    return values_.text(key(name), std::move(otherwise));
  }

 private:
  std::string key(std::string_view name) const { return prefix_ + std::string(name); }

  const GgufValues& values_;
  std::string prefix_;
};

TransformerShape common_shape(const ArchitectureReader& reader) {
  TransformerShape shape;
  shape.context = reader.integer("context_length", 1, most_context);
  shape.layers = reader.integer("block_count", 1, most_layers);
  shape.width = reader.size("embedding_length");
  shape.heads = reader.size("attention.head_count");
  shape.hidden = reader.size("feed_forward_length");
  return shape;
}

TransformerShape gpt2_shape(const ArchitectureReader& reader) {
  TransformerShape shape = common_shape(reader);
  shape.mlp = Mlp::gelu_tanh;
  shape.norm_epsilon = reader.real("attention.layer_norm_epsilon");
  return shape;
}

TransformerShape llama_shape(const ArchitectureReader& reader) {
  TransformerShape shape = common_shape(reader);
  shape.positions = Positions::rotary;
  shape.norm = Norm::rms;
  shape.mlp = Mlp::swiglu;
  shape.bias = false;
  shape.kv_heads = reader.size("attention.head_count_kv", shape.heads);
  shape.head_width = reader.integer("attention.key_length", 0, most_width, 0);
  shape.window = reader.integer("attention.sliding_window", 0, std::int64_t{1} << 40, 0);
  shape.norm_epsilon = reader.real("attention.layer_norm_rms_epsilon");
  shape.rope_base = reader.real("rope.freq_base", 10000);
  const std::int64_t head = shape.head_width > 0 ? shape.head_width : shape.width / shape.heads;
  reader.refuse(reader.integer("rope.dimension_count", 0, most_width, head) != head,
                "rope.dimension_count");
  reader.refuse(reader.integer("attention.value_length", 0, most_width, head) != head,
                "attention.value_length");
  const std::string scaling = reader.text("rope.scaling.type", "none");
  reader.refuse(scaling != "none" && scaling != "linear", "rope.scaling.type");
  if (scaling == "linear")
    shape.rope_divisors.assign(static_cast<std::size_t>(head / 2),
                               reader.real("rope.scaling.factor"));
  reader.refuse(reader.integer("expert_count", 0, most_width, 0) > 0, "expert_count");
  return shape;
}

// Llama 3.1 and later: converters write what divides the frequencies as a tensor.
void read_rope_divisors(const Weights& weights, TransformerShape& shape) {
  const std::string name = "rope_freqs.weight";
  const auto found = weights.find(name);
  if (!found) return;
  if (found->elements() > most_width) weights.fail("'rope_freqs.weight' is too large");
  const std::vector<float> divisors = weights.load(name);
  shape.rope_divisors.assign(divisors.begin(), divisors.end());
}

}  // namespace

ImportedModel import_gguf(const io::GgufFile& file) {
  const GgufValues values(file);
  const auto weights = gguf_weights(file);
  const std::string architecture = values.text("general.architecture");
  const bool is_gpt2 = architecture == "gpt2";
  if (!is_gpt2 && architecture != "llama")
    values.fail(
        fmt::format("the architecture '{}' is not supported (gpt2 and llama are)", architecture));
  const ArchitectureReader reader(values, architecture);
  TransformerShape shape = is_gpt2 ? gpt2_shape(reader) : llama_shape(reader);
  const auto table = weights->find(gguf_names.embedding + ".weight");
  if (!table || table->rank() != 2 || (*table)[0] < 1 || (*table)[0] > most_width)
    values.fail("there is no table 'token_embd.weight'; the file is of another kind of model");
  shape.vocabulary = (*table)[0];
  shape.tied = !weights->find(gguf_names.output + ".weight");
  if (!is_gpt2) read_rope_divisors(*weights, shape);
  for (const double divisor : shape.rope_divisors)
    if (!(divisor > 0 && divisor < 1e12))
      values.fail("the scaling of rotary positions is damaged; convert the model again");
  if (!(shape.norm_epsilon >= 0 && shape.norm_epsilon < 1) || !(shape.rope_base > 0))
    values.fail("an epsilon or base is out of range; the file is corrupt, convert it again");
  shape = resolved_or(shape, [&](std::string_view problem) { values.fail(problem); });
  const WeightMap map = is_gpt2 ? gpt2_weight_map(shape, gguf_names, Layout::same)
                                : llama_weight_map(shape, gguf_names, Layout::pairs);
  return {import_transformer(shape, *weights, map), std::nullopt};
}

}  // namespace genera::zoo::text
