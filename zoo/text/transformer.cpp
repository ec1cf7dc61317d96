#include "zoo/text/transformer.h"

#include <fmt/core.h>
#include <genera/error.h>
#include <genera/functions.h>

#include "zoo/text/transformer_block.h"
#include "zoo/text/transformer_decoder.h"

namespace genera::zoo::text {
namespace {

void check(bool holds, const TransformerShape& s, const char* wants) {
  if (!holds)
    throw ArgumentError(fmt::format(
        "[transformer] {}; got vocabulary {}, context {}, layers {}, width {}, heads {}, key-value "
        "heads {}, head width {}, hidden {}, window {}",
        wants, s.vocabulary, s.context, s.layers, s.width, s.heads, s.kv_heads, s.head_width,
        s.hidden, s.window));
}

}  // namespace

TransformerShape TransformerShape::resolved() const {
  TransformerShape s = *this;
  check(s.vocabulary > 0 && s.context > 0 && s.layers > 0 && s.width > 0 && s.heads > 0, s,
        "vocabulary, context, layers, width and heads must be positive");
  if (s.head_width == 0) {
    check(s.width % s.heads == 0, s, "the heads must divide the width");
    s.head_width = s.width / s.heads;
  }
  if (s.kv_heads == 0) s.kv_heads = s.heads;
  if (s.hidden == 0)
    s.hidden = s.mlp == Mlp::swiglu ? (8 * s.width / 3 + 31) / 32 * 32 : 4 * s.width;
  check(s.kv_heads > 0 && s.heads % s.kv_heads == 0, s,
        "the key-value heads must divide the heads");
  check(s.head_width > 0 && s.hidden > 0 && s.window >= 0, s,
        "head width and hidden units must be positive");
  check(s.positions != Positions::rotary || s.head_width % 2 == 0, s,
        "rotary positions need an even head width");
  check(s.rope_divisors.empty() || std::ssize(s.rope_divisors) == s.head_width / 2, s,
        "each pair of a head needs one divisor of its rotary frequency");
  return s;
}

Transformer::Transformer(const TransformerShape& shape, const Key& key)
    : shape_(shape.resolved()), norm_(std::make_unique<Normalisation>(shape_)) {
  const auto table = [&](std::int64_t rows, std::uint64_t number) {
    return std::make_unique<Table>(rows, shape_.width, key.fold_in(number));
  };
  embedding_ = table(shape_.vocabulary, 0);
  if (shape_.positions == Positions::learned)
    positions_ = table(shape_.context, 1);
  else
    rotary_ = std::make_unique<RotaryTable>(shape_.context, shape_.head_width, shape_.rope_base,
                                            shape_.rope_divisors);
  if (!shape_.tied) output_ = table(shape_.vocabulary, 2);
  const Key layers = key.fold_in(3);
  for (std::int64_t i = 0; i < shape_.layers; ++i)
    blocks_.push_back(
        std::make_unique<TransformerBlock>(shape_, layers.fold_in(static_cast<std::uint64_t>(i))));
}

Transformer::~Transformer() = default;

void Transformer::visit(nn::Visitor& visitor) const {
  visitor.member(*embedding_, "embedding");
  if (positions_) visitor.member(*positions_, "positions");
  for (std::size_t i = 0; i < blocks_.size(); ++i)
    visitor.member(*blocks_[i], fmt::format("blocks.{}", i));
  visitor.member(*norm_, "norm");
  if (output_) visitor.member(*output_, "output");
}

Tensor Transformer::embed(const Tensor& tokens, const Tensor& positions) const {
  const Tensor x = gather(embedding_->weight(), tokens);
  return positions_ ? x + positions : x;
}

Tensor Transformer::output(const Tensor& x) const {
  return linear((*norm_)(x), (output_ ? output_ : embedding_)->weight());
}

Tensor Transformer::logits(const Tensor& tokens, Context& context) const {
  const std::int64_t length = tokens.size(1);
  check(length <= shape_.context, shape_, "the context must hold all tokens");
  const auto first = [&](const Tensor& table) { return slice(table, 0, 0, length); };
  Tensor x = embed(tokens, positions_ ? first(positions_->weight()) : Tensor());
  const Tensor cosine = rotary_ ? first(rotary_->cosine) : Tensor();
  const Tensor sine = rotary_ ? first(rotary_->sine) : Tensor();
  const bool windowed = shape_.window > 0 && shape_.window < length;
  const Tensor mask =
      windowed ? window_mask(length, length, scalar(0, DType::i32), shape_.window) : Tensor();
  x = nn::Dropout(shape_.dropout)(x, context);
  for (const auto& block : blocks_) {
    const auto now = block->query_key_value(x, cosine, sine);
    x = block->finish(x, grouped_attention(now.query, now.key, now.value, mask), context);
  }
  return output(x);
}

std::unique_ptr<Decoder> Transformer::decoder(std::int64_t batch) const {
  return std::make_unique<TransformerDecoder>(*this, batch);
}

}  // namespace genera::zoo::text
