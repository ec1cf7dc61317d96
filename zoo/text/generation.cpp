#include "zoo/text/generation.h"

#include <genera/ops.h>
#include <genera/random.h>

#include <algorithm>
#include <memory>
#include <span>

#include "zoo/common/utf8.h"

namespace genera::zoo::text {
namespace {

// One text in the making.
class Continuation {
 public:
  Continuation(const std::vector<Token>& prompt, const GenerationOptions& options, std::int64_t i)
      : options_(options),
        tokens_(prompt),
        prompt_(prompt.size()),
        key_(Key(options.seed).fold_in(static_cast<std::uint64_t>(i))),
        stop_(options.stops) {}

  bool done() const { return done_; }
  const std::vector<Token>& tokens() const { return tokens_; }

  // Draws a token; a text that has ended repeats its last one, so that the batch stays whole.
  void advance(std::span<const float> logits, const Tokenizer& tokenizer,
               const std::function<void(std::string_view)>& on_text) {
    if (done_) return tokens_.push_back(tokens_.back());
    const auto p = next_distribution(logits, tokens_, options_.sampling);
    const Tensor uniform = random_uniform(key_.fold_in(tokens_.size() - prompt_), {1});
    const Token token = draw(p, uniform.item<double>());
    tokens_.push_back(token);
    ++result_.tokens;
    if (tokenizer.end() == token) return finish(on_text);
    show(stop_.add(characters_.add(new_bytes(tokenizer, token))), on_text);
    if (stop_.stopped()) done_ = true;
  }

  void finish(const std::function<void(std::string_view)>& on_text) {
    if (done_) return;
    done_ = true;
    show(stop_.add(characters_.finish()), on_text);
    show(stop_.finish(), on_text);
  }

  Generated result() const { return result_; }

 private:
  // The text's very first token has no blank that only stands between words.
  std::string new_bytes(const Tokenizer& tokenizer, Token token) {
    if (result_.tokens == 1) began_ = !tokenizer.decode(std::span(tokens_).first(prompt_)).empty();
    std::string bytes = tokenizer.bytes(token);
    if (!began_ && !bytes.empty()) {
      began_ = true;
      bytes = tokenizer.decode({&token, 1});
    }
    return bytes;
  }

  void show(const std::string& text, const std::function<void(std::string_view)>& on_text) {
    if (text.empty()) return;
    result_.text += text;
    on_text(text);
  }

  const GenerationOptions& options_;
  std::vector<Token> tokens_;
  std::size_t prompt_;
  Key key_;
  Utf8Stream characters_;
  StopFilter stop_;
  Generated result_;
  bool began_ = false;  // there is text before the next token
  bool done_ = false;
};

// The last `count` tokens of every text, (B,count).
Tensor last_tokens(const std::vector<Continuation>& texts, std::size_t count) {
  std::vector<Token> all;
  for (const Continuation& text : texts)
    all.insert(all.end(), text.tokens().end() - static_cast<std::ptrdiff_t>(count),
               text.tokens().end());
  return Tensor::from(all, {std::ssize(texts), static_cast<std::int64_t>(count)});
}

// The decoder of one generation, started anew when its context is full.
class Reader {
 public:
  explicit Reader(const LanguageModel& model) : model_(model) {}

  // Logits (B,V) of what follows the texts; they have `fresh` tokens that were not read yet.
  Tensor read(const std::vector<Continuation>& texts, std::size_t fresh) {
    const std::int64_t limit = model_.context_limit();
    const auto count = static_cast<std::int64_t>(fresh);
    if (!decoder_ || (limit > 0 && decoder_->length() + count > limit)) {
      const std::size_t all = texts.front().tokens().size();
      const auto half = static_cast<std::size_t>(std::max<std::int64_t>(limit / 2, 1));
      const bool fits = limit == 0 || all <= static_cast<std::size_t>(limit);
      fresh = decoder_ || !fits ? std::min(all, half) : all;
      decoder_ = model_.decoder(std::ssize(texts));
    }
    return decoder_->extend(last_tokens(texts, fresh));
  }

 private:
  const LanguageModel& model_;
  std::unique_ptr<Decoder> decoder_;
};

}  // namespace

std::string StopFilter::add(std::string_view text) {
  if (stopped_) return {};
  held_ += text;
  std::size_t end = held_.size(), safe = held_.size();
  for (const std::string& stop : stops_) {
    if (stop.empty()) continue;
    if (const std::size_t found = held_.find(stop); found != std::string::npos) {
      end = std::min(end, found);
      stopped_ = true;
    }
    for (std::size_t length = std::min(stop.size() - 1, held_.size()); length > 0; --length)
      if (held_.ends_with(std::string_view(stop).substr(0, length))) {
        safe = std::min(safe, held_.size() - length);
        break;
      }
  }
  const std::size_t shown = stopped_ ? end : safe;
  std::string result = held_.substr(0, shown);
  held_.erase(0, stopped_ ? held_.size() : shown);
  return result;
}

std::string StopFilter::finish() { return std::exchange(held_, {}); }

std::vector<Generated> generate(
    const LanguageModel& model, const Tokenizer& tokenizer, const std::vector<Token>& prompt,
    const GenerationOptions& options,
    const std::function<void(std::int64_t text, std::string_view characters)>& on_text) {
  std::vector<Continuation> texts;
  for (std::int64_t i = 0; i < options.count; ++i) texts.emplace_back(prompt, options, i);
  const auto shown = [&](std::int64_t i) {
    return [&on_text, i](std::string_view characters) {
      if (on_text) on_text(i, characters);
    };
  };
  Reader reader(model);
  const auto vocabulary = static_cast<std::size_t>(model.vocabulary());
  std::size_t fresh = prompt.size();
  for (std::int64_t step = 0; step < options.tokens; ++step) {
    const auto logits = reader.read(texts, fresh).to_vector<float>();
    fresh = 1;
    bool all_done = true;
    for (std::size_t i = 0; i < texts.size(); ++i) {
      texts[i].advance(std::span(logits).subspan(i * vocabulary, vocabulary), tokenizer,
                       shown(static_cast<std::int64_t>(i)));
      all_done = all_done && texts[i].done();
    }
    if (all_done) break;
  }
  std::vector<Generated> results;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    texts[i].finish(shown(static_cast<std::int64_t>(i)));
    results.push_back(texts[i].result());
  }
  return results;
}

}  // namespace genera::zoo::text
