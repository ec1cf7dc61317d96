/// One layer of the Transformer: attention and MLP, each normalised before and added to what came
/// in ("pre-norm", as GPT-2 and Llama). Letters as in transformer.h.
#pragma once

#include <genera/nn.h>

#include "zoo/text/transformer.h"

namespace genera::zoo::text {

/// Vectors that are looked up. State: weight (rows,C), at first N(0, 0.02).
class Table : public nn::Module {
 public:
  Table(std::int64_t rows, std::int64_t width, const Key& key)
      : weight_("weight", nn::init::normal(key, {rows, width}, 0, 0.02)) {}
  const State& weight() const { return weight_; }
  void visit(nn::Visitor& visitor) const override { visitor(weight_); }

 private:
  State weight_;
};

/// LayerNorm or RMSNorm over the width. States: weight, bias (C).
class Normalisation : public nn::Module {
 public:
  explicit Normalisation(const TransformerShape& shape);
  Tensor forward(const Tensor& x, Context& context) const override;
  void visit(nn::Visitor& visitor) const override { visitor(weight_, bias_); }

 private:
  double epsilon_;
  State weight_, bias_;
};

/// The angles position * base^(-2i/D) / divisor_i of rotary positions (Su et al., 2104.09864,
/// equation 15) as tables of cosines and sines, each (positions, D/2). No divisors: all 1.
struct RotaryTable {
  RotaryTable(std::int64_t positions, std::int64_t head_width, double base,
              const std::vector<double>& divisors = {});
  Tensor cosine, sine;
};

/// x (B,T,N,D) with each pair (i, i + D/2) rotated by the angles of the tokens' positions: `cosine`
/// and `sine` (T, D/2) are the positions' rows of a table (2104.09864, equation 34).
Tensor rotate(const Tensor& x, const Tensor& cosine, const Tensor& sine);

/// Attention of T queries to S keys, where query t may see what `mask` (bool, (T,S)) says, or
/// without a mask the keys up to itself (then S = T). q (B,T,H,D); k, v (B,S,K,D), each serving
/// H / K neighbouring heads (Ainslie et al., 2305.13245). Returns (B,T,H D).
Tensor grouped_attention(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& mask);

/// bool (queries,keys): key s is at most query t + `offset`, and less than `window` before it
/// unless that is 0. `offset` is i32, 0-d.
Tensor window_mask(std::int64_t queries, std::int64_t keys, const Tensor& offset,
                   std::int64_t window);

class TransformerBlock : public nn::Module {
 public:
  TransformerBlock(const TransformerShape& shape, const Key& key);
  void visit(nn::Visitor& visitor) const override;

  struct QueryKeyValue {
    Tensor query;       ///< (B,T,H,D)
    Tensor key, value;  ///< (B,T,K,D)
  };
  /// Of x (B,T,C). Rotary positions have tables of the tokens' positions, (T, D/2).
  QueryKeyValue query_key_value(const Tensor& x, const Tensor& cosine, const Tensor& sine) const;
  /// What the attention's result (B,T,H D) and the MLP add to x (B,T,C).
  Tensor finish(const Tensor& x, const Tensor& attended, Context& context) const;

 private:
  Tensor mlp(const Tensor& x, Context& context) const;

  TransformerShape shape_;
  Normalisation attention_norm_, mlp_norm_;
  nn::Linear attention_, projection_, up_, down_;
};

}  // namespace genera::zoo::text
