/// Byte-pair encoding of bytes (Radford et al., "Language models are unsupervised multitask
/// learners", 2019, section 2.2): any text has tokens, and decoding gives back its bytes.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "zoo/text/added_tokens.h"
#include "zoo/text/pair_merging.h"
#include "zoo/text/pre_split.h"
#include "zoo/text/tokenizer.h"

namespace genera::zoo::text {

struct ByteLevelVocabulary {
  std::vector<std::string> tokens;              ///< the bytes of each
  std::vector<std::pair<Token, Token>> merges;  ///< the first found goes first
  std::vector<AddedToken> added;
  std::vector<std::string> patterns;  ///< each splits what those before it left whole
  bool prefix_blank = false;          ///< a blank goes before a text that begins without
  bool whole_words_first = false;     ///< a word that is a token is not merged from its bytes
  std::optional<Token> begin, end;
};

class ByteLevelBpe : public Tokenizer {
 public:
  /// DataError, which begins with `source`, for tokens out of range, merges into what is no token,
  /// and patterns that are not valid.
  ByteLevelBpe(ByteLevelVocabulary vocabulary, const std::string& source);

  std::int64_t vocabulary_size() const override {
    return static_cast<std::int64_t>(vocabulary_.tokens.size());
  }
  std::vector<Token> encode(std::string_view text) const override;
  std::string bytes(Token token) const override;
  std::string decode(std::span<const Token> tokens) const override;
  std::optional<Token> begin() const override { return vocabulary_.begin; }
  std::optional<Token> end() const override { return vocabulary_.end; }
  std::string kind() const override { return "bpe"; }
  /// The format of tokenizer.json, which PyPI's `tokenizers` reads too.
  std::string to_json() const override;

  const ByteLevelVocabulary& vocabulary() const { return vocabulary_; }

 private:
  using Words = std::unordered_map<std::string_view, std::vector<Token>>;
  void encode_stretch(std::string_view text, Words& words, std::vector<Token>& out) const;
  std::vector<Token> encode_word(std::string_view word) const;

  ByteLevelVocabulary vocabulary_;
  std::string source_;
  AddedTokens added_;
  std::vector<PreSplit> splits_;
  std::unordered_map<std::string_view, Token> tokens_;  // views of vocabulary_.tokens
  std::unordered_map<std::uint64_t, Merge> merges_;
  std::array<Token, 256> byte_tokens_{};
};

/// The bytes that a token's name in vocab.json stands for: there each byte is a printable character
/// (GPT-2's encoder.py, bytes_to_unicode). The name itself where it is not written so.
std::string bytes_of_name(std::string_view name);
/// The other way round.
std::string name_of_bytes(std::string_view bytes);

/// Learns merges from `text`, split by GPT-2's pattern, until there are `size` tokens (at least
/// 256) or no pair occurs twice. Of pairs that occur equally often the one of the older tokens goes
/// first, so that `tokenizers` learns the same.
ByteLevelVocabulary train_byte_level_bpe(std::string_view text, std::int64_t size);

}  // namespace genera::zoo::text
