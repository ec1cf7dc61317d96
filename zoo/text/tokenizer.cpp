#include "zoo/text/tokenizer.h"

#include <fmt/core.h>
#include <genera/error.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "zoo/common/json_text.h"
#include "zoo/common/utf8.h"
#include "zoo/text/formats/tokenizer_file.h"

namespace genera::zoo::text {
namespace {

using Json = nlohmann::ordered_json;

class ByteTokenizer : public Tokenizer {
 public:
  std::int64_t vocabulary_size() const override { return 256; }
  std::vector<Token> encode(std::string_view text) const override {
    std::vector<Token> tokens;
    tokens.reserve(text.size());
    for (const char c : text) tokens.push_back(static_cast<unsigned char>(c));
    return tokens;
  }
  std::string bytes(Token token) const override {
    return {static_cast<char>(static_cast<unsigned char>(token))};
  }
  std::string kind() const override { return "byte"; }
  std::string to_json() const override { return json_text({{"kind", "byte"}}); }
};

class CharTokenizer : public Tokenizer {
 public:
  explicit CharTokenizer(std::vector<std::string> characters) : characters_(std::move(characters)) {
    for (std::size_t i = 0; i < characters_.size(); ++i)
      tokens_.emplace(characters_[i], static_cast<Token>(i));
  }
  std::int64_t vocabulary_size() const override { return std::ssize(characters_); }
  std::vector<Token> encode(std::string_view text) const override {
    std::vector<Token> tokens;
    tokens.reserve(text.size());
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t length = utf8_length(text.substr(at));
      const std::string character(text.substr(at, std::max<std::size_t>(length, 1)));
      const auto found = tokens_.find(character);
      if (length == 0 || found == tokens_.end())
        throw DataError(fmt::format(
            "the character {} at byte {} is not among the {} that the model knows; train with "
            "--tokenizer byte to know every text",
            json_text(character), at, characters_.size()));
      tokens.push_back(found->second);
      at += length;
    }
    return tokens;
  }
  std::string bytes(Token token) const override {
    return characters_.at(static_cast<std::size_t>(token));
  }
  std::string kind() const override { return "char"; }
  std::string to_json() const override {
    return json_text({{"kind", "char"}, {"characters", characters_}});
  }

 private:
  std::vector<std::string> characters_;
  std::unordered_map<std::string, Token> tokens_;
};

std::unique_ptr<Tokenizer> char_tokenizer_from(const Json& json, const std::string& source) {
  std::vector<std::string> characters;
  for (const Json& character : json.value("characters", Json::array())) {
    const bool text = character.is_string();
    const std::string bytes = text ? character.get<std::string>() : std::string();
    if (bytes.empty() || utf8_length(bytes) != bytes.size())
      throw DataError(fmt::format("{}: the tokenizer's characters are damaged", source));
    characters.push_back(bytes);
  }
  if (characters.empty()) throw DataError(fmt::format("{}: the tokenizer knows nothing", source));
  return std::make_unique<CharTokenizer>(std::move(characters));
}

}  // namespace

std::string Tokenizer::decode(std::span<const Token> tokens) const {
  std::string text;
  for (const Token token : tokens) text += bytes(token);
  return text;
}

std::vector<Token> text_beginning(const Tokenizer& tokenizer) {
  if (tokenizer.begin()) return {*tokenizer.begin()};
  if (tokenizer.end()) return {*tokenizer.end()};
  try {
    return tokenizer.encode("\n");
  } catch (const DataError&) {
    return {0};
  }
}

std::unique_ptr<Tokenizer> make_byte_tokenizer() { return std::make_unique<ByteTokenizer>(); }

std::unique_ptr<Tokenizer> make_char_tokenizer(std::string_view text) {
  std::vector<std::string> characters;
  std::unordered_map<std::string, bool> seen;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = utf8_length(text.substr(at));
    if (length == 0)
      throw DataError(
          fmt::format("the text is not UTF-8 at byte {}: --tokenizer byte takes any bytes", at));
    std::string character(text.substr(at, length));
    if (seen.emplace(character, true).second) characters.push_back(std::move(character));
    at += length;
  }
  std::sort(characters.begin(), characters.end());  // UTF-8 sorts like the characters' numbers
  return std::make_unique<CharTokenizer>(std::move(characters));
}

std::unique_ptr<Tokenizer> tokenizer_from_json(const std::string& text, const std::string& source) {
  const Json json = Json::parse(text, nullptr, false);
  const std::string kind =
      json.is_object()
          ? json.value("kind", Json()).is_string() ? json["kind"].get<std::string>() : std::string()
          : std::string();
  if (kind == "byte") return make_byte_tokenizer();
  if (kind == "char") return char_tokenizer_from(json, source);
  if (kind == "bpe") return read_hugging_face_tokenizer(JsonFile(text, source));
  if (kind == "sentencepiece") return read_sentence_piece_json(JsonFile(text, source));
  throw DataError(fmt::format("{}: has no tokenizer that is known here", source));
}

}  // namespace genera::zoo::text
