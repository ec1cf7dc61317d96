/// How well a model predicts a text.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "zoo/common/console.h"
#include "zoo/common/summary.h"
#include "zoo/text/language_model.h"
#include "zoo/text/tokenizer.h"

namespace genera::zoo::text {

/// How a text is evaluated.
struct EvaluationOptions {
  std::int64_t sequences = 32;  ///< that are computed side by side
  std::int64_t most = 0;        ///< only about so many tokens, evenly spread; 0: all
};

/// -log p in nats of each token of `tokens` from `first` (at least 1) on, in order, given those
/// before it. A model with a context of C tokens reads windows of C, each C/2 further, and its last
/// half counts; one without a limit reads `sequences` parts of the text side by side, each from 256
/// tokens before it on. So every token is predicted from at least C/2 or 256, where there are as many.
std::vector<double> token_losses(const LanguageModel& model, const std::vector<Token>& tokens,
                                 std::size_t first, const EvaluationOptions& options = {});

/// The tokens that each is predicted from, at least.
std::int64_t least_context(const LanguageModel& model);

/// How probable a line is.
struct LineScore {
  std::string text;
  double log_likelihood = 0;  ///< log p of the whole line, nats
  double bits_per_char = 0;   ///< -log2 p of it over its characters
};
/// Every line of `text` that is not empty, each as if it stood alone: after the begin token, or where
/// there is none, after a newline.
std::vector<LineScore> line_scores(const LanguageModel& model, const Tokenizer& tokenizer,
                                   std::string_view text);

/// nats_per_char, bits_per_char, bits_per_byte and perplexity (of a token) of a text with these
/// losses. The standard errors are from blocks of `block` tokens, which depend on each other little.
std::vector<Figure> figures(const std::vector<double>& losses, std::string_view text,
                            std::int64_t block, const std::string& protocol);

}  // namespace genera::zoo::text
