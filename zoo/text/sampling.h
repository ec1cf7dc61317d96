/// From logits to the next token.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "zoo/text/tokenizer.h"

namespace genera::zoo::text {

struct SamplingOptions {
  double temperature = 1;            ///< 0: always the most probable token
  std::int64_t top_k = 0;            ///< only the k most probable; 0: all
  double top_p = 1;                  ///< only the fewest that have this much together
  double min_p = 0;                  ///< only those with this share of the largest probability
  double repetition_penalty = 1;     ///< above 1: less of what was there
  std::int64_t penalty_window = 64;  ///< tokens before that the penalty looks at; 0: all
};

/// The distribution that the next token is drawn from, (V), zeros where a filter took it away. In
/// this order: the repetition penalty (positive logits of the tokens in `before` divided by it,
/// others multiplied: Keskar et al., 1909.05858, section 4.1, as Hugging Face mended it),
/// temperature, softmax, top-k, top-p (Holtzman et al., 1904.09751; the token that crosses the
/// threshold stays), min-p (Nguyen et al., 2407.01082). After each filter the rest has sum 1. Equal
/// probabilities: the smaller token first. NumericError for logits that are NaN or positive infinity.
std::vector<double> next_distribution(std::span<const float> logits, std::span<const Token> before,
                                      const SamplingOptions& options);

/// The token whose part of [0,1) `uniform` lies in.
Token draw(std::span<const double> distribution, double uniform);

}  // namespace genera::zoo::text
