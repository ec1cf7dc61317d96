/// Decoding with a cache of keys and values: each token is computed once. Letters as in
/// transformer.h.
#pragma once

#include <genera/state.h>

#include <cstdint>
#include <functional>
#include <vector>

#include "zoo/text/transformer.h"

namespace genera::zoo::text {

class TransformerDecoder : public Decoder {
 public:
  /// The model must outlive the decoder.
  TransformerDecoder(const Transformer& model, std::int64_t batch);

  /// Works in parts whose sizes are powers of two, so that prompts of all lengths share a few
  /// plans. ArgumentError when the context has no room for the tokens.
  Tensor extend(const Tensor& tokens) override;
  Tensor read(const Tensor& tokens) override;
  std::int64_t length() const override { return length_; }

 private:
  // Keys or values of one layer, (B,S,K,D); slots from length_ on are free.
  struct Layer {
    State keys, values;
  };
  void make_room(std::int64_t tokens);
  // Calls `logits` for each part and computes what it returns, with the new keys and values.
  void in_parts(const Tensor& tokens, const std::function<Tensor(const Tensor&)>& logits);
  // The last block's result (B,T,C) for the next tokens, whose keys and values go into updates_.
  Tensor append(const Tensor& tokens);

  const Transformer& model_;
  std::int64_t batch_;
  std::int64_t capacity_ = 0;
  std::int64_t length_ = 0;
  std::vector<Layer> layers_;
  std::vector<Update> updates_;
};

}  // namespace genera::zoo::text
