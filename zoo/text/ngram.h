/// The n-gram model as a language model: the floor that a network has to beat.
#pragma once

#include <genera/state.h>

#include <memory>
#include <span>

#include "zoo/text/kneser_ney.h"
#include "zoo/text/language_model.h"

namespace genera::zoo::text {

/// Kneser-Ney over a text, on the host. What a checkpoint keeps is the text (state "text", i32): the
/// counts follow from it.
class Ngram : public LanguageModel {
 public:
  Ngram(std::span<const Token> text, std::int64_t order, std::int64_t vocabulary,
        Discounts discounts);
  /// One of `length` tokens that restored() has to fill in.
  Ngram(std::int64_t length, std::int64_t order, std::int64_t vocabulary, Discounts discounts);

  /// Counts again, after the states were set.
  void restored();
  const KneserNey& counts() const { return *counts_; }

  Tensor logits(const Tensor& tokens, Context& context) const override;
  std::unique_ptr<Decoder> decoder(std::int64_t batch) const override;
  std::int64_t vocabulary() const override { return vocabulary_; }
  void visit(nn::Visitor& visitor) const override { visitor(text_); }

 private:
  std::int64_t order_, vocabulary_;
  Discounts discounts_;
  State text_;
  std::unique_ptr<const KneserNey> counts_;
};

}  // namespace genera::zoo::text
