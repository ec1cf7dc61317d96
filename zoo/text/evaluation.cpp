#include "zoo/text/evaluation.h"

#include <fmt/core.h>
#include <genera/error.h>
#include <genera/functions.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

#include "zoo/common/utf8.h"

namespace genera::zoo::text {
namespace {

constexpr std::int64_t warm_up = 256;  // tokens that a model without a limit reads before it counts
constexpr std::int64_t chunk = 64;     // tokens that it reads at once
constexpr std::int64_t line_chunk = 1024;  // the same where there is one line only

// A stretch of the text: tokens begin … end are read, those from `scored` to `end` are predicted.
struct Window {
  std::size_t begin, scored, end;
};

// Windows that read `length` tokens each; the first and the last are moved to lie inside.
std::vector<Window> windows(std::size_t size, std::size_t first, std::size_t length) {
  const std::size_t half = std::max<std::size_t>(length / 2, 1);
  std::vector<Window> result;
  for (std::size_t next = first; next < size; next = result.back().end) {
    const std::size_t before = std::min(next - 1, length - half);
    const std::size_t begin = std::min(next - 1 - before, size - 1 - length);
    result.push_back({begin, next, begin + length + 1});
  }
  return result;
}

// At most `most` of them, unless that is 0, evenly spread.
std::vector<Window> spread(const std::vector<Window>& all, std::size_t most) {
  if (most == 0 || all.size() <= most) return all;
  std::vector<Window> some;
  for (std::size_t i = 0; i < most; ++i) some.push_back(all[i * all.size() / most]);
  return some;
}

// Tokens begin … begin+length of each window's text, (B,length).
Tensor stretch(const std::vector<Token>& tokens, const std::vector<Window>& group,
               std::size_t offset, std::int64_t length) {
  std::vector<Token> all;
  for (const Window& window : group) {
    const auto begin = tokens.begin() + static_cast<std::ptrdiff_t>(window.begin + offset);
    all.insert(all.end(), begin, begin + static_cast<std::ptrdiff_t>(length));
  }
  return Tensor::from(all, {std::ssize(group), length});
}

// -log p of targets (B,T), row by row.
std::vector<float> losses_of(const Tensor& logits, const Tensor& targets) {
  return cross_entropy(logits, targets, {.reduction = Reduction::none}).to_vector<float>();
}

// Losses of each window's tokens but the first, (B,length): of a model with a context that holds it.
std::vector<float> window_losses(const LanguageModel& model, const Tensor& tokens) {
  const std::int64_t length = tokens.size(1) - 1;
  Context inference;
  return losses_of(model.logits(slice(tokens, 1, 0, length), inference),
                   slice(tokens, 1, 1, length + 1));
}

std::vector<double> limited_losses(const LanguageModel& model, const std::vector<Token>& tokens,
                                   std::size_t first, const EvaluationOptions& options) {
  const std::size_t length =
      std::min(static_cast<std::size_t>(model.context_limit()), tokens.size() - 1);
  const std::size_t most = static_cast<std::size_t>(options.most) / (length / 2 + 1);
  const auto all = spread(windows(tokens.size(), first, length), most);
  const auto batch = std::min(static_cast<std::size_t>(options.sequences), all.size());
  std::vector<double> losses;
  for (std::size_t at = 0; at < all.size(); at += batch) {
    const std::size_t real = std::min(batch, all.size() - at);
    std::vector<Window> group(all.begin() + static_cast<std::ptrdiff_t>(at),
                              all.begin() + static_cast<std::ptrdiff_t>(at + real));
    group.resize(batch, group.front());  // full batches: one plan
    const auto values =
        window_losses(model, stretch(tokens, group, 0, static_cast<std::int64_t>(length) + 1));
    for (std::size_t i = 0; i < real; ++i)
      for (std::size_t t = group[i].scored; t < group[i].end; ++t)
        losses.push_back(values[i * length + t - group[i].begin - 1]);
  }
  return losses;
}

// The text from `first` on in equal parts, one below the other; the last ones may overlap or be
// shorter than they are read.
std::vector<Window> parts(std::size_t size, std::size_t first, const EvaluationOptions& options) {
  const auto count = static_cast<std::size_t>(options.sequences);
  const std::size_t each = (size - first + count - 1) / count;
  std::vector<Window> result;
  for (std::size_t begin = first; begin < size; begin += each) {
    const std::size_t end = std::min(begin + each, size);
    result.push_back({begin - 1 - std::min<std::size_t>(begin - 1, warm_up), begin, end});
    if (options.most > 0)
      result.back().end = std::min(end, begin + static_cast<std::size_t>(options.most) / count + 1);
  }
  return result;
}

std::vector<double> unlimited_losses(const LanguageModel& model, const std::vector<Token>& tokens,
                                     std::size_t first, const EvaluationOptions& options) {
  const auto all = parts(tokens.size(), first, options);
  std::size_t longest = 0;
  for (const Window& part : all) longest = std::max(longest, part.end - 1 - part.begin);
  std::vector<Token> padded = tokens;  // every part can be read as far as the longest
  padded.resize(tokens.size() + longest + static_cast<std::size_t>(chunk) + 1, tokens.back());
  const auto decoder = model.decoder(std::ssize(all));
  std::vector<std::vector<double>> by_part(all.size());
  for (std::size_t at = 0; at < longest; at += static_cast<std::size_t>(chunk)) {
    const auto values = losses_of(decoder->read(stretch(padded, all, at, chunk)),
                                  stretch(padded, all, at + 1, chunk));
    for (std::size_t i = 0; i < all.size(); ++i)
      for (std::size_t t = 0; t < static_cast<std::size_t>(chunk); ++t) {
        const std::size_t predicted = all[i].begin + at + t + 1;
        if (predicted >= all[i].scored && predicted < all[i].end)
          by_part[i].push_back(values[i * static_cast<std::size_t>(chunk) + t]);
      }
  }
  std::vector<double> losses;
  for (const auto& part : by_part) losses.insert(losses.end(), part.begin(), part.end());
  return losses;
}

// A line after the begin token, or after a newline where the tokenizer has none; where it knows no
// newline either, after what begins a text.
std::vector<Token> line_tokens(const Tokenizer& tokenizer, const std::string& line) {
  if (!tokenizer.begin()) try {
      return tokenizer.encode("\n" + line);
    } catch (const DataError&) {
    }
  std::vector<Token> tokens = text_beginning(tokenizer);
  const std::vector<Token> rest = tokenizer.encode(line);
  tokens.insert(tokens.end(), rest.begin(), rest.end());
  return tokens;
}

std::vector<Token> numbered_line_tokens(const Tokenizer& tokenizer, const std::string& line,
                                        std::int64_t number) {
  try {
    return line_tokens(tokenizer, line);
  } catch (const DataError& error) {
    throw DataError(fmt::format("line {}: {}", number, error.what()));
  }
}

}  // namespace

std::int64_t least_context(const LanguageModel& model) {
  return model.context_limit() > 0 ? (model.context_limit() + 1) / 2 : warm_up;
}

std::vector<double> token_losses(const LanguageModel& model, const std::vector<Token>& tokens,
                                 std::size_t first, const EvaluationOptions& options) {
  if (first < 1 || first >= tokens.size())
    throw DataError(fmt::format("a text of {} tokens has none to predict from number {} on",
                                tokens.size(), first));
  return model.context_limit() > 0 ? limited_losses(model, tokens, first, options)
                                   : unlimited_losses(model, tokens, first, options);
}

std::vector<LineScore> line_scores(const LanguageModel& model, const Tokenizer& tokenizer,
                                   std::string_view text) {
  std::vector<LineScore> scores;
  for (std::int64_t number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string line(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty()) continue;
    const std::vector<Token> tokens = numbered_line_tokens(tokenizer, line, number);
    const std::int64_t limit = model.context_limit(), length = std::ssize(tokens) - 1;
    double nats = 0;
    if (limit > 0 && length > limit) {
      for (const double loss : token_losses(model, tokens, 1)) nats += loss;
    } else {
      const Tensor read = Tensor::from(tokens, {1, length + 1});
      const auto decoder = model.decoder(1);
      for (std::int64_t at = 0; at < length; at += line_chunk) {
        const std::int64_t end = std::min(at + line_chunk, length);
        const Tensor logits = decoder->read(slice(read, 1, at, end));
        for (const float loss : losses_of(logits, slice(read, 1, at + 1, end + 1))) nats += loss;
      }
    }
    const auto characters = static_cast<double>(utf8_count(line));
    scores.push_back({line, -nats, nats / characters * std::numbers::log2e});
  }
  return scores;
}

double mean_loss(const std::vector<double>& losses) {
  return std::accumulate(losses.begin(), losses.end(), 0.0) / static_cast<double>(losses.size());
}

std::vector<Figure> figures(const std::vector<double>& losses, std::string_view text,
                            std::int64_t block, const std::string& protocol) {
  std::vector<double> blocks;  // mean loss of each whole block
  for (std::size_t at = 0; at + static_cast<std::size_t>(block) <= losses.size();
       at += static_cast<std::size_t>(block))
    blocks.push_back(std::accumulate(losses.begin() + static_cast<std::ptrdiff_t>(at),
                                     losses.begin() + static_cast<std::ptrdiff_t>(at) + block,
                                     0.0) /
                     static_cast<double>(block));
  const double mean = mean_loss(losses);
  const double error =
      blocks.size() > 1 ? mean_figure("", blocks, "", "").standard_error : std::abs(mean);
  const auto count = static_cast<double>(losses.size());
  const double per_char = count / static_cast<double>(utf8_count(text));
  const double per_byte = count / static_cast<double>(text.size());
  const auto figure = [&](const char* name, double value, double standard_error, const char* unit) {
    return Figure{name, value, standard_error, unit, protocol};
  };
  const double bits = std::numbers::log2e;
  return {figure("nats_per_char", mean * per_char, error * per_char, "nats"),
          figure("bits_per_char", mean * per_char * bits, error * per_char * bits, "bits"),
          figure("bits_per_byte", mean * per_byte * bits, error * per_byte * bits, "bits"),
          figure("perplexity", std::exp(mean), std::exp(mean) * error, "")};
}

}  // namespace genera::zoo::text
