/// What a language model is made and trained with: the flags of genera-text.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "zoo/common/common_flags.h"
#include "zoo/text/kneser_ney.h"
#include "zoo/text/language_model.h"
#include "zoo/text/text_data.h"
#include "zoo/text/tokenizer.h"

namespace genera::zoo {
class Verb;
}

namespace genera::zoo::text {

/// A 0 stands for the model's own default, see resolved().
struct TextSettings {
  TextSettings() { train.data = "bible-kjv", train.batch = 32; }

  TrainFlags train;
  std::string model = "gpt";
  std::string tokenizer = "char";
  std::int64_t vocabulary = 1024;
  double validation_share = 0.1;
  std::int64_t context = 0;
  std::int64_t layers = 0;
  std::int64_t width = 0;
  std::int64_t heads = 4;
  std::int64_t kv_heads = 0;
  std::int64_t window = 0;
  std::int64_t embedding = 128;
  std::int64_t order = 6;
  std::string discounts = "three";
  double dropout = 0;
  double lr = 0;
  std::int64_t lr_warmup = 100;
  std::string schedule = "cosine";
  double weight_decay = 0.1;
  double clip = 1;

  Discounts ngram_discounts() const {
    return discounts == "one" ? Discounts::one : Discounts::three;
  }
  bool recurrent() const { return model == "lstm" || model == "gru"; }
  /// The same with every 0 that has a default replaced by it.
  TextSettings resolved() const;
};

/// Adds all of a training run's flags.
void add_flags(Verb& verb, TextSettings& settings);

/// The text that the settings name; with --smoke a generated one.
TextData open_data(const TextSettings& settings);

/// The tokenizer that the settings ask for, made for (BPE: trained on) the text.
std::unique_ptr<Tokenizer> make_tokenizer(const TextSettings& settings, const TextData& text);

/// The network for tokens below `vocabulary`, initialised from the seed. UsageError for sizes that do
/// not fit, and for ngram, which is no network.
std::unique_ptr<LanguageModel> make_model(const TextSettings& settings, std::int64_t vocabulary);

}  // namespace genera::zoo::text
