/// Tokens that a text may name, such as <|endoftext|>: they are found before anything is split.
#pragma once

#include <array>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "zoo/text/tokenizer.h"

namespace genera::zoo::text {

struct AddedToken {
  Token token = 0;
  std::string text;            // not empty
  bool is_special = true;      ///< no text: decoding leaves it out
  bool takes_left = false;     ///< with the white space before it
  bool takes_right = false;    ///< with the white space after it
  bool is_whole_word = false;  ///< only where no letter, digit or _ stands beside it
};

class AddedTokens {
 public:
  AddedTokens() = default;
  explicit AddedTokens(std::vector<AddedToken> tokens);

  const std::vector<AddedToken>& tokens() const { return tokens_; }
  /// nullptr if it is none.
  const AddedToken* find(Token token) const;

  /// Hands the stretches of `text` between added tokens to `stretch` (never empty), and those to
  /// `token`, from left to right. Where several begin, the longest is taken.
  void split(std::string_view text, const std::function<void(std::string_view)>& stretch,
             const std::function<void(Token)>& token) const;

 private:
  const AddedToken* at(std::string_view text, std::size_t position) const;

  std::vector<AddedToken> tokens_;
  std::unordered_map<Token, std::size_t> places_;            // in tokens_
  std::array<std::vector<std::size_t>, 256> by_first_byte_;  // likewise, the longest first
  std::string first_bytes_;
};

}  // namespace genera::zoo::text
