/// Text to tokens and back.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace genera::zoo::text {

using Token = std::int32_t;

/// Text as numbers in [0, vocabulary_size()).
class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  virtual std::int64_t vocabulary_size() const = 0;
  /// The tokens of `text`, without begin and end tokens. DataError for text that no tokens stand
  /// for.
  virtual std::vector<Token> encode(std::string_view text) const = 0;
  /// The bytes that one token adds to the text: perhaps only a part of a UTF-8 character. Empty for
  /// begin, end and other tokens that are no text.
  virtual std::string bytes(Token token) const = 0;
  /// What encode() was given. By default the tokens' bytes one after the other; SentencePiece takes
  /// away the blank that it put before the text.
  virtual std::string decode(std::span<const Token> tokens) const;

  /// The token before a text and the one after it; none where the text is one endless stream.
  virtual std::optional<Token> begin() const { return std::nullopt; }
  virtual std::optional<Token> end() const { return std::nullopt; }

  /// "byte", "char", "bpe", "sentencepiece".
  virtual std::string kind() const = 0;
  /// A JSON object from which tokenizer_from_json() makes the same tokenizer; checkpoints keep it.
  virtual std::string to_json() const = 0;
};

/// What a text begins with that has nothing before it: the begin token; where there is none, the
/// token that ends the text before, a newline, or token 0 in its place.
std::vector<Token> text_beginning(const Tokenizer& tokenizer);

/// The tokens are the 256 bytes.
std::unique_ptr<Tokenizer> make_byte_tokenizer();
/// The tokens are the different Unicode characters of `text` in ascending order. DataError unless
/// `text` is UTF-8.
std::unique_ptr<Tokenizer> make_char_tokenizer(std::string_view text);
/// What to_json() wrote. DataError, which begins with `source`, for anything else.
std::unique_ptr<Tokenizer> tokenizer_from_json(const std::string& json, const std::string& source);

}  // namespace genera::zoo::text
