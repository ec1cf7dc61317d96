/// The decoder-only Transformer (Vaswani et al., "Attention is all you need", 1706.03762) with the
/// choices that make it GPT-2 (Radford et al., "Language models are unsupervised multitask
/// learners", 2019), Llama (Touvron et al., 2302.13971) or Mistral (Jiang et al., 2310.06825).
///
/// Letters: B sequences, T tokens, V vocabulary, C width, H heads, K key-value heads, D width of a
/// head, F hidden units of the MLP, S slots of the cache.
#pragma once

#include <genera/nn.h>
#include <genera/random.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "zoo/text/language_model.h"

namespace genera::zoo::text {

enum class Positions {
  learned,  ///< a vector per position is added to the embedding: at most `context` tokens
  rotary,   ///< queries and keys are rotated by their position (Su et al., 2104.09864)
};
enum class Norm {
  layer,  ///< mean and deviation, gain and bias (Ba et al., 1607.06450)
  rms,    ///< root mean square, gain (Zhang and Sennrich, 1910.07467)
};
enum class Mlp {
  gelu,       ///< down(gelu(up(x)))
  gelu_tanh,  ///< the same by GELU's tanh approximation, as GPT-2
  swiglu,     ///< down(silu(gate(x)) * up(x)) (Shazeer, 2002.05202)
};

/// Sizes and choices.
struct TransformerShape {
  std::int64_t vocabulary = 256;  ///< V
  std::int64_t context = 64;      ///< the most tokens of a sequence
  std::int64_t layers = 4;
  std::int64_t width = 128;     ///< C
  std::int64_t heads = 4;       ///< H
  std::int64_t kv_heads = 0;    ///< K, a divisor of H (Ainslie et al., 2305.13245); 0: H
  std::int64_t head_width = 0;  ///< D; 0: C / H
  std::int64_t hidden = 0;      ///< F; 0: 4 C, of swiglu 8/3 C rounded up to a multiple of 32
  std::int64_t window = 0;      ///< a query sees itself and the window - 1 keys before it; 0: all
  Positions positions = Positions::learned;
  Norm norm = Norm::layer;
  Mlp mlp = Mlp::gelu;
  bool bias = true;  ///< of all linear layers but the last
  bool tied = true;  ///< the embedding's table is the last layer's weight too
  double norm_epsilon = 1e-5;
  double rope_base = 10000;  ///< theta of 2104.09864, section 3.2.2
  /// What the frequency of each of the D/2 pairs is divided by, for contexts longer than those of
  /// the first training; none: 1.
  std::vector<double> rope_divisors = {};
  double dropout = 0;  ///< after the embedding and at the end of each residual branch

  /// The same with every 0 replaced by what it stands for. ArgumentError for sizes that do not fit.
  TransformerShape resolved() const;
};

class Normalisation;
class Table;
class TransformerBlock;
struct RotaryTable;

/// The model. Its states, in this order (biases only with shape.bias, norms' biases only with
/// Norm::layer):
///
///     embedding.weight                (V,C)
///     positions.weight                (context,C)      Positions::learned
///     blocks.<i>.attention_norm.weight, .bias  (C)
///     blocks.<i>.attention.weight, .bias       ((H + 2K) D, C): the rows of all queries' heads,
///                                              then those of the keys, then those of the values
///     blocks.<i>.projection.weight, .bias      (C, H D)
///     blocks.<i>.mlp_norm.weight, .bias        (C)
///     blocks.<i>.up.weight, .bias              (F,C); swiglu: (2F,C), the gate's rows first
///     blocks.<i>.down.weight, .bias            (C,F)
///     norm.weight, .bias              (C)
///     output.weight                   (V,C)            unless tied
///
/// Rotary positions rotate the pairs (i, i + D/2) of a head, as Hugging Face's files have them;
/// files with the pairs (2i, 2i + 1) (llama2.c, GGUF) need their query and key rows permuted. A new
/// model's weights are normal with deviation 0.02, those that end a residual branch with
/// 0.02 / sqrt(2 layers) (GPT-2, section 2.3). They are computed when they are first needed: a
/// model whose states are all set() from a file costs nothing more.
class Transformer : public LanguageModel {
 public:
  Transformer(const TransformerShape& shape, const Key& key);
  ~Transformer() override;

  const TransformerShape& shape() const { return shape_; }  ///< resolved
  Tensor logits(const Tensor& tokens, Context& context) const override;
  std::unique_ptr<Decoder> decoder(std::int64_t batch) const override;
  std::int64_t vocabulary() const override { return shape_.vocabulary; }
  std::int64_t context_limit() const override { return shape_.context; }
  void visit(nn::Visitor& visitor) const override;

 private:
  friend class TransformerDecoder;
  Tensor embed(const Tensor& tokens, const Tensor& positions) const;
  Tensor output(const Tensor& x) const;

  TransformerShape shape_;
  std::unique_ptr<const Table> embedding_, positions_, output_;
  std::vector<std::unique_ptr<const TransformerBlock>> blocks_;
  std::unique_ptr<const Normalisation> norm_;
  std::unique_ptr<const RotaryTable> rotary_;
};

}  // namespace genera::zoo::text
