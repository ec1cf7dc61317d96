/// The step that byte-pair encodings share: merging neighbours, the best pair first (Sennrich et
/// al., "Neural machine translation of rare words with subword units", 1508.07909).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "zoo/text/tokenizer.h"

namespace genera::zoo::text {

inline constexpr Token no_token = -1;

/// Two tokens as one number, for tables of pairs.
constexpr std::uint64_t pair_key(Token left, Token right) {
  return static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32 |
         static_cast<std::uint32_t>(right);
}

/// A piece of text on its way to become a token.
struct Symbol {
  std::string_view text;
  Token token = no_token;  ///< no_token: no token is this text
};

/// What two neighbours become. The pair with the lowest rank goes first, of equals the leftmost.
struct Merge {
  double rank = 0;
  Token token = no_token;
};

/// Merges neighbours of `symbols`, whose texts follow each other in memory, until none can be.
/// O(n log n).
void merge_pairs(
    std::vector<Symbol>& symbols,
    const std::function<std::optional<Merge>(const Symbol& left, const Symbol& right)>& find);

}  // namespace genera::zoo::text
