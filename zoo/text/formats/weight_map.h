/// Which tensors of a file become which states of a Transformer.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "zoo/text/formats/weights.h"
#include "zoo/text/transformer.h"

namespace genera::zoo::text {

/// How a tensor lies in a file, if not as in the state.
enum class Layout {
  same,
  transposed,  ///< (inputs, outputs)
  pairs,       ///< the rows of each head are rotated in pairs (2i, 2i + 1), not (i, i + D/2)
};

/// A tensor that is some rows of a state.
struct WeightPart {
  std::string name;
  std::int64_t rows = 0;  ///< 0: all of the state
  Layout layout = Layout::same;
};

struct WeightSource {
  std::string state;
  std::vector<WeightPart> parts;  ///< from the first row on
};

using WeightMap = std::vector<WeightSource>;

/// What a family of files calls its tensors. Of blocks: `block` with the block's number for {},
/// then one of these, then ".weight" or ".bias".
struct TensorNames {
  std::string embedding = {}, positions = {}, norm = {}, output = {};  // without ".weight"
  std::string block = {};
  std::string attention_norm = {}, query = {}, key = {}, value = {}, attention = {};
  std::string projection = {}, mlp_norm = {}, gate = {}, up = {}, down = {};
};

extern const TensorNames hugging_face_gpt2_names;
extern const TensorNames hugging_face_llama_names;
extern const TensorNames gguf_names;

/// The map of a model of GPT-2's kind. `layout`: of matrices.
WeightMap gpt2_weight_map(const TransformerShape& shape, const TensorNames& names, Layout layout);
/// The map of a model of Llama's kind. `layout`: of queries and keys.
WeightMap llama_weight_map(const TransformerShape& shape, const TensorNames& names, Layout layout);

/// The model with a file's weights; `shape` is resolved. DataError for a tensor that is missing or
/// of another shape, and for NaN; MemoryError, before anything is loaded, for a model that does not
/// fit, with the numbers.
std::shared_ptr<const Transformer> import_transformer(const TransformerShape& shape,
                                                      const Weights& weights, const WeightMap& map);

}  // namespace genera::zoo::text
