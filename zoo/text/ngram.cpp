#include "zoo/text/ngram.h"

#include <genera/ops.h>

#include <cmath>
#include <vector>

namespace genera::zoo::text {
namespace {

class NgramDecoder : public Decoder {
 public:
  NgramDecoder(const KneserNey& counts, std::int64_t batch)
      : counts_(counts), texts_(static_cast<std::size_t>(batch)) {}

  Tensor extend(const Tensor& tokens) override {
    return reshape(read_from(tokens.size(1) - 1, tokens), {tokens.size(0), counts_.vocabulary()});
  }

  Tensor read(const Tensor& tokens) override { return read_from(0, tokens); }
  std::int64_t length() const override { return length_; }

 private:
  // Reads tokens (B,T); logits (B,T-first,V) of those from number `first` on.
  Tensor read_from(std::int64_t first, const Tensor& tokens) {
    const auto values = tokens.to_vector<Token>();
    const auto length = static_cast<std::size_t>(tokens.size(1));
    const std::int64_t told = tokens.size(1) - first;
    std::vector<float> logits;
    logits.reserve(texts_.size() * static_cast<std::size_t>(told * counts_.vocabulary()));
    for (std::size_t b = 0; b < texts_.size(); ++b)
      for (std::size_t t = 0; t < length; ++t) {
        texts_[b].push_back(values[b * length + t]);
        if (t < static_cast<std::size_t>(first)) continue;
        for (const double p : counts_.distribution(texts_[b]))
          logits.push_back(static_cast<float>(std::log(p)));
      }
    length_ += tokens.size(1);
    return Tensor::from(logits, {tokens.size(0), told, counts_.vocabulary()});
  }

  const KneserNey& counts_;
  std::vector<std::vector<Token>> texts_;
  std::int64_t length_ = 0;
};

}  // namespace

Ngram::Ngram(std::span<const Token> text, std::int64_t order, std::int64_t vocabulary,
             Discounts discounts)
    : order_(order),
      vocabulary_(vocabulary),
      discounts_(discounts),
      text_("text", Tensor::from(text, {std::ssize(text)}), false) {
  restored();
}

Ngram::Ngram(std::int64_t length, std::int64_t order, std::int64_t vocabulary, Discounts discounts)
    : order_(order),
      vocabulary_(vocabulary),
      discounts_(discounts),
      text_("text", zeros({length}, DType::i32), false) {}

void Ngram::restored() {
  counts_ = std::make_unique<KneserNey>(text_.value().to_vector<Token>(), order_, vocabulary_,
                                        discounts_);
}

Tensor Ngram::logits(const Tensor& tokens, Context&) const {
  return NgramDecoder(*counts_, tokens.size(0)).read(tokens);
}

std::unique_ptr<Decoder> Ngram::decoder(std::int64_t batch) const {
  return std::make_unique<NgramDecoder>(*counts_, batch);
}

}  // namespace genera::zoo::text
