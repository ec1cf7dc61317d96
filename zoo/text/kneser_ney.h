/// n-gram probabilities by interpolated Kneser-Ney smoothing, modified or not (Chen and Goodman, "An empirical
/// study of smoothing techniques for language modeling", TR-10-98, 1998, section 3.2).
///
/// Letters: N order, V vocabulary, h a context (the tokens before), w the token after it.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "zoo/text/tokenizer.h"

namespace genera::zoo::text {

/// How many discounts an n-gram length has.
enum class Discounts {
  one,    ///< interpolated Kneser-Ney: D(1) = D(2) = D(3 and more)
  three,  ///< modified Kneser-Ney
};

class KneserNey {
 public:
  /// Counts `text`. ArgumentError unless order and vocabulary are positive, the text is not empty and
  /// its tokens are below `vocabulary`.
  KneserNey(std::span<const Token> text, std::int64_t order, std::int64_t vocabulary,
            Discounts discounts = Discounts::three);

  std::int64_t order() const { return order_; }
  std::int64_t vocabulary() const { return vocabulary_; }
  /// Different n-grams of all lengths up to N.
  std::int64_t ngrams() const { return std::ssize(nodes_) - 1; }

  /// p(w | the last N - 1 tokens of `before`) for every w, (V); their sum is 1.
  ///
  ///     p_k(w|h) = max(c(hw) - D_k(c(hw)), 0) / c(h.) + g(h) p_{k-1}(w|h without its first token)
  ///     g(h) = (D_k(1) N_1(h.) + D_k(2) N_2(h.) + D_k(3) N_3+(h.)) / c(h.)
  ///
  /// for k = 1 … N with p_0 = 1/V, where c(hw) is the number of occurrences for k = N, and of different
  /// tokens before hw for k < N; c(h.) is its sum over w, N_i(h.) how many w have c(hw) = i, and
  /// D_k(1), D_k(2), D_k(3 and more) as equation 26, or all three as equation 24. A context that was never seen adds nothing.
  std::vector<double> distribution(std::span<const Token> before) const;

  /// D_k(1), D_k(2), D_k(3 and more).
  const std::array<double, 3>& discounts(std::int64_t k) const {
    return discounts_[static_cast<std::size_t>(k - 1)];
  }

 private:
  // An n-gram: a node of the tree whose paths from the root spell the n-grams.
  struct Node {
    std::uint32_t parent = 0;
    Token token = 0;  // its last one
    std::uint32_t depth = 0;
    std::uint32_t count = 0;                             // c(hw)
    std::uint64_t total = 0;                             // c(h.), as a context
    std::array<std::uint32_t, 3> kinds{};                // N_1(h.), N_2(h.), N_3+(h.)
    std::uint32_t children_begin = 0, children_end = 0;  // in children_
  };
  void grow(std::span<const Token> text);
  void list_children();
  void estimate_discounts(Discounts discounts);
  std::uint32_t child(std::uint32_t node, Token token) const;  // 0: none

  std::int64_t order_, vocabulary_;
  std::vector<Node> nodes_;                       // the root first
  std::vector<std::uint32_t> children_;           // by parent, then by token
  std::vector<std::array<double, 3>> discounts_;  // of n-grams of length k at k - 1
};

}  // namespace genera::zoo::text
