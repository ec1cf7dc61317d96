#include "zoo/text/formats/weight_map.h"

#include <fmt/format.h>

namespace genera::zoo::text {

const TensorNames hugging_face_gpt2_names = {.embedding = "wte",
                                             .positions = "wpe",
                                             .norm = "ln_f",
                                             .output = "lm_head",
                                             .block = "h.{}.",
                                             .attention_norm = "ln_1",
                                             .attention = "attn.c_attn",
                                             .projection = "attn.c_proj",
                                             .mlp_norm = "ln_2",
                                             .up = "mlp.c_fc",
                                             .down = "mlp.c_proj"};

const TensorNames hugging_face_llama_names = {.embedding = "embed_tokens",
                                              .norm = "norm",
                                              .output = "lm_head",
                                              .block = "layers.{}.",
                                              .attention_norm = "input_layernorm",
                                              .query = "self_attn.q_proj",
                                              .key = "self_attn.k_proj",
                                              .value = "self_attn.v_proj",
                                              .projection = "self_attn.o_proj",
                                              .mlp_norm = "post_attention_layernorm",
                                              .gate = "mlp.gate_proj",
                                              .up = "mlp.up_proj",
                                              .down = "mlp.down_proj"};

const TensorNames gguf_names = {.embedding = "token_embd",
                                .positions = "position_embd",
                                .norm = "output_norm",
                                .output = "output",
                                .block = "blk.{}.",
                                .attention_norm = "attn_norm",
                                .query = "attn_q",
                                .key = "attn_k",
                                .value = "attn_v",
                                .attention = "attn_qkv",
                                .projection = "attn_output",
                                .mlp_norm = "ffn_norm",
                                .gate = "ffn_gate",
                                .up = "ffn_up",
                                .down = "ffn_down"};

namespace {

std::string in_block(const TensorNames& names, std::int64_t block, const std::string& name) {
  return fmt::format(fmt::runtime(names.block), block) + name;
}

std::string state_in_block(std::int64_t block, const std::string& name) {
  return fmt::format("blocks.{}.{}", block, name);
}

// A weight and its bias, each from one tensor.
void add_with_bias(WeightMap& map, const std::string& state, const std::string& tensor,
                   Layout layout) {
  map.push_back({state + ".weight", {{tensor + ".weight", 0, layout}}});
  map.push_back({state + ".bias", {{tensor + ".bias"}}});
}

void add_output(WeightMap& map, const TransformerShape& shape, const TensorNames& names) {
  if (!shape.tied) map.push_back({"output.weight", {{names.output + ".weight"}}});
}

}  // namespace

WeightMap gpt2_weight_map(const TransformerShape& shape, const TensorNames& names, Layout layout) {
  WeightMap map = {{"embedding.weight", {{names.embedding + ".weight"}}},
                   {"positions.weight", {{names.positions + ".weight"}}}};
  for (std::int64_t i = 0; i < shape.layers; ++i) {
    const auto add = [&](const char* state, const std::string& tensor, Layout its) {
      add_with_bias(map, state_in_block(i, state), in_block(names, i, tensor), its);
    };
    add("attention_norm", names.attention_norm, Layout::same);
    add("attention", names.attention, layout);
    add("projection", names.projection, layout);
    add("mlp_norm", names.mlp_norm, Layout::same);
    add("up", names.up, layout);
    add("down", names.down, layout);
  }
  add_with_bias(map, "norm", names.norm, Layout::same);
  add_output(map, shape, names);
  return map;
}

WeightMap llama_weight_map(const TransformerShape& shape, const TensorNames& names, Layout layout) {
  WeightMap map = {{"embedding.weight", {{names.embedding + ".weight"}}}};
  const std::int64_t queries = shape.heads * shape.head_width;
  const std::int64_t keys = shape.kv_heads * shape.head_width;
  for (std::int64_t i = 0; i < shape.layers; ++i) {
    const auto part = [&](const std::string& tensor, std::int64_t rows = 0,
                          Layout its = Layout::same) {
      return WeightPart{in_block(names, i, tensor) + ".weight", rows, its};
    };
    const auto add = [&](const char* state, std::vector<WeightPart> parts) {
      map.push_back({state_in_block(i, state) + ".weight", std::move(parts)});
    };
    add("attention_norm", {part(names.attention_norm)});
    add("attention", {part(names.query, queries, layout), part(names.key, keys, layout),
                      part(names.value, keys)});
    add("projection", {part(names.projection)});
    add("mlp_norm", {part(names.mlp_norm)});
    add("up", {part(names.gate, shape.hidden), part(names.up, shape.hidden)});
    add("down", {part(names.down)});
  }
  map.push_back({"norm.weight", {{names.norm + ".weight"}}});
  add_output(map, shape, names);
  return map;
}

}  // namespace genera::zoo::text
