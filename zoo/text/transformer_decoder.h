/// Decoding with a cache of keys and values: each token is computed once. Letters as in
/// transformer.h.
#pragma once

#include <genera/state.h>

#include <cstdint>
#include <vector>

#include "zoo/text/transformer.h"

namespace genera::zoo {

class TransformerDecoder : public Decoder {
 public:
  /// The model must outlive the decoder.
  TransformerDecoder(const Transformer& model, std::int64_t batch);

  /// Works in parts whose sizes are powers of two, so that prompts of all lengths share a few
  /// plans. ArgumentError when the context has no room for the tokens.
  Tensor extend(const Tensor& tokens) override;
  std::int64_t length() const override { return length_; }

 private:
  // Keys or values of one layer, (B,S,K,D); slots from length_ on are free.
  struct Layer {
    State keys, values;
  };
  void make_room(std::int64_t tokens);
  Tensor extend_by_part(const Tensor& tokens);

  const Transformer& model_;
  std::int64_t batch_;
  std::int64_t capacity_ = 0;
  std::int64_t length_ = 0;
  std::vector<Layer> layers_;
};

}  // namespace genera::zoo
