/// Byte-pair encoding of characters with blanks written as U+2581 and bytes for what the vocabulary
/// lacks (Kudo and Richardson, "SentencePiece", 1808.06226), as Llama and Mistral have it.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "zoo/text/added_tokens.h"
#include "zoo/text/pair_merging.h"
#include "zoo/text/tokenizer.h"

namespace genera::zoo::text {

/// U+2581, which stands for a blank.
inline constexpr std::string_view blank_sign = "\xe2\x96\x81";

/// What a piece is, numbered as in SentencePiece's and GGUF's files.
enum class PieceKind {
  normal = 1,
  unknown = 2,
  control = 3,
  user_defined = 4,
  unused = 5,
  byte = 6
};

struct Piece {
  std::string text;
  float score = 0;  ///< merging makes the piece with the highest first
  PieceKind kind = PieceKind::normal;
};

/// Where a blank is put before a text.
enum class BlankBefore {
  never,
  text,             ///< always
  stretch,          ///< and after each added token
  text_if_missing,  ///< unless it begins with one
  stretch_if_missing,
};

struct SentencePieceVocabulary {
  std::vector<Piece> pieces;
  /// Pairs of pieces, the first found goes first; if there are any, scores play no role.
  std::vector<std::pair<Token, Token>> merges;
  std::vector<AddedToken> added;
  BlankBefore blank_before = BlankBefore::text;
  bool collapse_blanks = false;      ///< runs of blanks become one, those at both ends go
  bool split_before_blanks = false;  ///< no merge goes over the beginning of a word
  bool fuse_unknown = true;          ///< one unknown token stands for a run of them
  std::optional<Token> unknown, begin, end;
};

class SentencePiece final : public Tokenizer {
 public:
  /// DataError, which begins with `source`, for tokens out of range and merges into what is no
  /// piece.
  SentencePiece(SentencePieceVocabulary vocabulary, const std::string& source);

  std::int64_t vocabulary_size() const override {
    return static_cast<std::int64_t>(vocabulary_.pieces.size());
  }
  std::vector<Token> encode(std::string_view text) const override;
  std::string bytes(Token token) const override;
  std::string decode(std::span<const Token> tokens) const override;
  std::optional<Token> begin() const override { return vocabulary_.begin; }
  std::optional<Token> end() const override { return vocabulary_.end; }
  std::string kind() const override { return "sentencepiece"; }
  std::string to_json() const override;

  const SentencePieceVocabulary& vocabulary() const { return vocabulary_; }

 private:
  void add_pieces(const std::string& source);
  void add_merges(const std::string& source);
  std::string normalised(std::string_view text, bool is_first) const;
  void encode_stretch(std::string_view text, std::vector<Token>& out) const;
  std::vector<Symbol> symbols_of(std::string_view text) const;
  std::optional<Merge> find_merge(const Symbol& left, const Symbol& right) const;
  void append(const Symbol& symbol, std::vector<Token>& out) const;

  SentencePieceVocabulary vocabulary_;
  std::string source_;
  AddedTokens added_;
  AddedTokens user_defined_;
  std::unordered_map<std::string_view, Token> pieces_;  // views of those that text may become
  std::unordered_map<std::uint64_t, Merge> merges_;
  std::array<Token, 256> byte_tokens_{};
};

}  // namespace genera::zoo::text
