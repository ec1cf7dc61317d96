#include "zoo/text/settings.h"

#include <genera/random.h>

#include "zoo/common/command_line.h"
#include "zoo/common/failure.h"
#include "zoo/text/byte_level_bpe.h"
#include "zoo/text/recurrent.h"
#include "zoo/text/transformer.h"

namespace genera::zoo::text {
namespace {

TransformerShape transformer_shape(const TextSettings& s, std::int64_t vocabulary) {
  TransformerShape shape;
  shape.vocabulary = vocabulary;
  shape.context = s.context;
  shape.layers = s.layers;
  shape.width = s.width;
  shape.heads = s.heads;
  shape.kv_heads = s.kv_heads;
  shape.window = s.window;
  shape.dropout = s.dropout;
  if (s.model == "llama") {
    shape.positions = Positions::rotary;
    shape.norm = Norm::rms;
    shape.mlp = Mlp::swiglu;
    shape.bias = false;
  }
  return shape;
}

}  // namespace

TextSettings TextSettings::resolved() const {
  TextSettings s = *this;
  const auto fill = [](auto& value, auto standard) {
    if (value == 0) value = standard;
  };
  const bool tiny = train.smoke;
  fill(s.context, std::int64_t{tiny ? 16 : 64});
  fill(s.layers, std::int64_t{tiny ? 1 : recurrent() ? 2 : 4});
  fill(s.width, std::int64_t{tiny ? 32 : recurrent() ? 384 : 128});
  fill(s.lr, recurrent() ? 2e-3 : 3e-3);
  return s;
}

void add_flags(Verb& verb, TextSettings& s) {
  add_train_flags(verb, s.train,
                  {.data = "Text: a name (bible-kjv, pseudo, a file in $GENERA_DATA) or a path",
                   .items = "sequences"});
  verb.choice("model", s.model, {"gpt", "llama", "lstm", "gru", "ngram"}, "The kind of model")
      .choice("tokenizer", s.tokenizer, {"char", "byte", "bpe"},
              "Tokens: the text's characters, bytes, or pieces of words by byte-pair encoding")
      .option("vocabulary", s.vocabulary, "bpe: tokens to learn from the training text",
              Range{256, 1e6})
      .option("validation-share", s.validation_share,
              "Share of the training text that is not learned but chooses the best weights; 0: "
              "none, the last weights are the result",
              Range{0, 0.5})
      .option("context", s.context,
              "Tokens of a training sequence, and the most that gpt and llama look at; 0: 64",
              Range{0, 1e6})
      .option("layers", s.layers, "Layers; 0: 4, of lstm and gru 2", Range{0, 1e3})
      .option("width", s.width, "Width of the layers; 0: 128, of lstm and gru 384", Range{0, 1e5})
      .option("heads", s.heads, "gpt, llama: heads of the attention", Range{1, 1e4})
      .option("kv-heads", s.kv_heads,
              "gpt, llama: heads of keys and values, which a group of heads shares; 0: all",
              Range{0, 1e4})
      .option("window", s.window, "gpt, llama: tokens that attention sees; 0: all", Range{0, 1e6})
      .option("embedding", s.embedding, "lstm, gru: width of the embedding", Range{1, 1e5})
      .option("order", s.order, "ngram: tokens of the longest n-grams", Range{1, 16})
      .choice("discounts", s.discounts, {"three", "one"},
              "ngram: modified Kneser-Ney, or with one discount as at first")
      .option("dropout", s.dropout, "Share of the activations that training leaves out",
              Range{0, 0.95})
      .option("lr", s.lr, "Learning rate of AdamW; 0: 3e-3, of lstm and gru 2e-3", Range{0, 1e37})
      .option("lr-warmup", s.lr_warmup,
              "Steps over which the learning rate rises, at most a tenth of all", Range{0, 1e12})
      .choice("schedule", s.schedule, {"cosine", "constant"}, "Learning rate over the steps")
      .option("weight-decay", s.weight_decay, "Decay of the matrices (AdamW)", Range{0, 1e6})
      .option("clip", s.clip, "Largest norm of the gradients; 0: any", Range{0, 1e12});
}

TextData open_data(const TextSettings& settings) {
  constexpr std::size_t smoke_bytes = 20000;
  if (settings.train.smoke)
    return {"pseudo", generated_text(smoke_bytes, 0), settings.validation_share};
  return open_text(settings.train.data, settings.validation_share);
}

std::unique_ptr<Tokenizer> make_tokenizer(const TextSettings& settings, const TextData& text) {
  if (settings.tokenizer == "byte") return make_byte_tokenizer();
  if (settings.tokenizer == "bpe")
    return std::make_unique<ByteLevelBpe>(train_byte_level_bpe(text.train(), settings.vocabulary),
                                          "the training text");
  return make_char_tokenizer(text.text());
}

std::unique_ptr<LanguageModel> make_model(const TextSettings& settings, std::int64_t vocabulary) {
  const TextSettings s = settings.resolved();
  const Key key = Key(s.train.seed).fold_in(0);
  try {
    if (!s.recurrent()) return std::make_unique<Transformer>(transformer_shape(s, vocabulary), key);
    return std::make_unique<Recurrent>(
        RecurrentShape{s.model == "lstm" ? Cell::lstm : Cell::gru, vocabulary, s.embedding, s.width,
                       s.layers, s.dropout},
        key);
  } catch (const ArgumentError& error) {
    throw UsageError(error.what());
  }
}

}  // namespace genera::zoo::text
