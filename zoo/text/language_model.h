/// What all models of this program are: distributions over the next token given those before.
///
/// Letters: B sequences of a batch, T tokens of a sequence, V tokens of the vocabulary.
#pragma once

#include <genera/nn.h>
#include <genera/tensor.h>

#include <cstdint>
#include <memory>

namespace genera::zoo::text {

/// Sequences that are being continued: what the model remembers of their tokens so far (keys and
/// values, or a recurrent state).
class Decoder {
 public:
  virtual ~Decoder() = default;
  /// Appends tokens (i32, (B,T)) to the sequences and returns the logits (B,V) of what follows each.
  /// The same numbers within rounding whether tokens come one by one, all at once, or in a larger
  /// batch.
  virtual Tensor extend(const Tensor& tokens) = 0;
  /// The same, but returns the logits (B,T,V) of what follows each of the tokens.
  virtual Tensor read(const Tensor& tokens) = 0;
  /// Tokens that each sequence has so far.
  virtual std::int64_t length() const = 0;
};

class LanguageModel : public nn::Module {
 public:
  /// tokens (i32, (B,T)) -> logits (B,T,V) of the token after each, given it and those before it.
  virtual Tensor logits(const Tensor& tokens, Context& context) const = 0;
  /// An empty state for `batch` sequences.
  virtual std::unique_ptr<Decoder> decoder(std::int64_t batch) const = 0;
  virtual std::int64_t vocabulary() const = 0;
  /// The most tokens that a sequence may have; 0: any number.
  virtual std::int64_t context_limit() const { return 0; }
};

}  // namespace genera::zoo::text
