#include "zoo/text/byte_level_bpe.h"

#include <fmt/format.h>
#include <genera/error.h>

namespace genera::zoo::text {
namespace {

void append_utf8(std::string& out, unsigned code) {  // below U+0800
  if (code < 0x80) {
    out += static_cast<char>(code);
    return;
  }
  out += static_cast<char>(0xc0 | code >> 6);
  out += static_cast<char>(0x80 | (code & 63));
}

// The character that stands for each byte: itself where it is printable, else from U+0100 on.
const std::array<unsigned, 256>& byte_characters() {
  static const std::array<unsigned, 256> characters = [] {
    std::array<unsigned, 256> table{};
    unsigned next = 256;
    for (unsigned byte = 0; byte < 256; ++byte) {
      const bool is_printable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte != 0xad);
      table[byte] = is_printable ? byte : next++;
    }
    return table;
  }();
  return characters;
}

}  // namespace

std::string bytes_of_name(std::string_view name) {
  static const std::unordered_map<unsigned, char> bytes = [] {
    std::unordered_map<unsigned, char> table;
    for (unsigned byte = 0; byte < 256; ++byte)
      table[byte_characters()[byte]] = static_cast<char>(byte);
    return table;
  }();
  std::string result;
  for (std::size_t i = 0; i < name.size(); ++i) {
    auto code = static_cast<unsigned>(static_cast<unsigned char>(name[i]));
    if (code >= 0x80) {
      if ((code & 0xe0) != 0xc0 || i + 1 == name.size()) return std::string(name);
      code = (code & 31) << 6 | (static_cast<unsigned char>(name[++i]) & 63U);
    }
    const auto found = bytes.find(code);
    if (found == bytes.end()) return std::string(name);
    result += found->second;
  }
  return result;
}

std::string name_of_bytes(std::string_view bytes) {
  std::string name;
  for (const char byte : bytes)
    append_utf8(name, byte_characters()[static_cast<unsigned char>(byte)]);
  return name;
}

ByteLevelBpe::ByteLevelBpe(ByteLevelVocabulary vocabulary, const std::string& source)
    : vocabulary_(std::move(vocabulary)), source_(source), added_(vocabulary_.added) {
  const std::vector<std::string>& tokens = vocabulary_.tokens;
  const auto refuse = [&](std::string_view problem) {
    throw DataError(fmt::format("{}: {}; the file is corrupt, fetch it again", source, problem));
  };
  const auto is_known = [&](Token token) {
    return token >= 0 && static_cast<std::size_t>(token) < tokens.size();
  };
  tokens_.reserve(tokens.size());
  byte_tokens_.fill(no_token);
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    if (tokens[i].empty() || added_.find(static_cast<Token>(i)) != nullptr) continue;
    tokens_.emplace(tokens[i], static_cast<Token>(i));
    if (tokens[i].size() == 1)
      byte_tokens_[static_cast<unsigned char>(tokens[i][0])] = tokens_.at(tokens[i]);
  }
  merges_.reserve(vocabulary_.merges.size());
  for (std::size_t i = 0; i < vocabulary_.merges.size(); ++i) {
    const auto [left, right] = vocabulary_.merges[i];
    if (!is_known(left) || !is_known(right))
      refuse(fmt::format("merge {} is of tokens that do not exist", i));
    const std::string merged =
        tokens[static_cast<std::size_t>(left)] + tokens[static_cast<std::size_t>(right)];
    const auto found = tokens_.find(merged);
    if (found == tokens_.end()) refuse(fmt::format("merge {} makes what is no token", i));
    merges_.emplace(pair_key(left, right), Merge{static_cast<double>(i), found->second});
  }
  for (const AddedToken& token : vocabulary_.added)
    if (!is_known(token.token) || token.text.empty())
      refuse(fmt::format("added token {} is empty or out of range", token.token));
  for (const std::optional<Token>& token : {vocabulary_.begin, vocabulary_.end})
    if (token && !is_known(*token)) refuse(fmt::format("there is no token {}", *token));
  constexpr std::size_t most_patterns = 16;  // each splits the parts of the one before
  if (vocabulary_.patterns.size() > most_patterns)
    refuse(fmt::format("{} patterns split the text, at most {} are supported",
                       vocabulary_.patterns.size(), most_patterns));
  for (const std::string& pattern : vocabulary_.patterns) splits_.emplace_back(pattern, source);
}

std::vector<Token> ByteLevelBpe::encode(std::string_view text) const {
  std::vector<Token> result;
  Words words;
  std::vector<std::string> with_blank;  // what `words` looks into
  added_.split(
      text,
      [&](std::string_view stretch) {
        if (vocabulary_.prefix_blank && stretch[0] != ' ') {
          words.clear();
          with_blank.assign(1, " " + std::string(stretch));
          stretch = with_blank[0];
        }
        encode_stretch(stretch, words, result);
      },
      [&](Token token) { result.push_back(token); });
  return result;
}

void ByteLevelBpe::encode_stretch(std::string_view text, Words& words,
                                  std::vector<Token>& out) const {
  const auto word = [&](std::string_view piece) {
    auto found = words.find(piece);
    if (found == words.end()) found = words.emplace(piece, encode_word(piece)).first;
    out.insert(out.end(), found->second.begin(), found->second.end());
  };
  const std::function<void(std::string_view, std::size_t)> split = [&](std::string_view piece,
                                                                       std::size_t level) {
    if (level == splits_.size())
      word(piece);
    else
      splits_[level](piece, [&](std::string_view part) { split(part, level + 1); });
  };
  split(text, 0);
}

std::vector<Token> ByteLevelBpe::encode_word(std::string_view word) const {
  if (vocabulary_.whole_words_first)
    if (const auto found = tokens_.find(word); found != tokens_.end()) return {found->second};
  std::vector<Symbol> symbols(word.size());
  for (std::size_t i = 0; i < word.size(); ++i) {
    const auto byte = static_cast<unsigned char>(word[i]);
    symbols[i] = {word.substr(i, 1), byte_tokens_[byte]};
    if (symbols[i].token == no_token)
      throw DataError(
          fmt::format("{}: the vocabulary has no token for the byte 0x{:02x}; use "
                      "another text or tokenizer",
                      source_, byte));
  }
  merge_pairs(symbols, [&](const Symbol& left, const Symbol& right) -> std::optional<Merge> {
    const auto found = merges_.find(pair_key(left.token, right.token));
    return found == merges_.end() ? std::nullopt : std::optional(found->second);
  });
  std::vector<Token> result;
  result.reserve(symbols.size());
  for (const Symbol& symbol : symbols) result.push_back(symbol.token);
  return result;
}

std::string ByteLevelBpe::bytes(Token token) const {
  if (token < 0 || token >= vocabulary_size()) return {};
  const AddedToken* added = added_.find(token);
  if (added != nullptr) return added->is_special ? std::string() : added->text;
  return vocabulary_.tokens[static_cast<std::size_t>(token)];
}

std::string ByteLevelBpe::decode(std::span<const Token> tokens) const {
  std::string text = Tokenizer::decode(tokens);
  if (vocabulary_.prefix_blank && text.starts_with(' ')) text.erase(0, 1);
  return text;
}

}  // namespace genera::zoo::text
