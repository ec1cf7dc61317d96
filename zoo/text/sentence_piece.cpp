#include "zoo/text/sentence_piece.h"

#include <fmt/format.h>
#include <genera/error.h>

#include <algorithm>
#include <charconv>

#include "zoo/common/utf8.h"

namespace genera::zoo::text {
namespace {

std::string replaced(std::string_view text, std::string_view from, std::string_view to) {
  std::string result;
  for (std::size_t at = 0; at < text.size();) {
    const bool is_here = text.substr(at, from.size()) == from;
    result += is_here ? to : text.substr(at, 1);
    at += is_here ? from.size() : 1;
  }
  return result;
}

// Runs of blanks as one, none at the ends.
std::string collapsed(std::string_view text) {
  std::string result;
  for (const char c : text)
    if (c != ' ' || (!result.empty() && result.back() != ' ')) result += c;
  if (result.ends_with(' ')) result.pop_back();
  return result;
}

// "<0x0A>" -> 10.
std::optional<unsigned> byte_of(std::string_view text) {
  if (text.size() != 6 || !text.starts_with("<0x") || text.back() != '>') return std::nullopt;
  unsigned value = 0;
  const auto parsed = std::from_chars(text.data() + 3, text.data() + 5, value, 16);
  if (parsed.ec != std::errc() || parsed.ptr != text.data() + 5) return std::nullopt;
  return value;
}

[[noreturn]] void refuse(const std::string& source, std::string_view problem) {
  throw DataError(fmt::format("{}: {}; the file is corrupt, fetch it again", source, problem));
}

}  // namespace

SentencePiece::SentencePiece(SentencePieceVocabulary vocabulary, const std::string& source)
    : vocabulary_(std::move(vocabulary)), source_(source), added_(vocabulary_.added) {
  add_pieces(source);
  add_merges(source);
  const auto check = [&](Token token, std::string_view what) {
    if (token < 0 || token >= vocabulary_size())
      refuse(source, fmt::format("there is no {} token {}", what, token));
  };
  for (const AddedToken& token : vocabulary_.added) {
    check(token.token, "added");
    if (token.text.empty()) refuse(source, fmt::format("added token {} is empty", token.token));
  }
  if (vocabulary_.unknown) check(*vocabulary_.unknown, "unknown");
  if (vocabulary_.begin) check(*vocabulary_.begin, "begin");
  if (vocabulary_.end) check(*vocabulary_.end, "end");
}

void SentencePiece::add_pieces(const std::string& source) {
  byte_tokens_.fill(no_token);
  std::vector<AddedToken> user_defined;
  pieces_.reserve(vocabulary_.pieces.size());
  for (std::size_t i = 0; i < vocabulary_.pieces.size(); ++i) {
    const Piece& piece = vocabulary_.pieces[i];
    const auto token = static_cast<Token>(i);
    if (piece.kind == PieceKind::byte) {
      const auto byte = byte_of(piece.text);
      if (!byte) refuse(source, fmt::format("token {} should be a byte and is no <0x..>", token));
      byte_tokens_[*byte] = token;
    } else if (piece.kind == PieceKind::user_defined) {
      if (!piece.text.empty()) user_defined.push_back({.token = token, .text = piece.text});
    } else if (piece.kind == PieceKind::normal) {
      if (!piece.text.empty()) pieces_.emplace(piece.text, token);
    }
  }
  user_defined_ = AddedTokens(std::move(user_defined));
}

void SentencePiece::add_merges(const std::string& source) {
  merges_.reserve(vocabulary_.merges.size());
  for (std::size_t i = 0; i < vocabulary_.merges.size(); ++i) {
    const auto [left, right] = vocabulary_.merges[i];
    const auto is_known = [&](Token token) { return token >= 0 && token < vocabulary_size(); };
    if (!is_known(left) || !is_known(right))
      refuse(source, fmt::format("merge {} is of tokens that do not exist", i));
    const auto found = pieces_.find(vocabulary_.pieces[static_cast<std::size_t>(left)].text +
                                    vocabulary_.pieces[static_cast<std::size_t>(right)].text);
    if (found == pieces_.end()) refuse(source, fmt::format("merge {} makes what is no token", i));
    merges_.emplace(pair_key(left, right), Merge{static_cast<double>(i), found->second});
  }
}

std::vector<Token> SentencePiece::encode(std::string_view text) const {
  std::vector<Token> result;
  const std::string short_text = vocabulary_.collapse_blanks ? collapsed(text) : std::string(text);
  bool is_first = true;
  added_.split(
      short_text,
      [&](std::string_view stretch) {
        encode_stretch(normalised(stretch, is_first), result);
        is_first = false;
      },
      [&](Token token) {
        result.push_back(token);
        is_first = false;
      });
  return result;
}

std::string SentencePiece::normalised(std::string_view text, bool is_first) const {
  const BlankBefore rule = vocabulary_.blank_before;
  const bool in_place =
      rule == BlankBefore::stretch || rule == BlankBefore::stretch_if_missing ||
      (is_first && (rule == BlankBefore::text || rule == BlankBefore::text_if_missing));
  const bool only_missing =
      rule == BlankBefore::text_if_missing || rule == BlankBefore::stretch_if_missing;
  std::string result = replaced(text, " ", blank_sign);
  if (in_place && !(only_missing && result.starts_with(blank_sign))) result.insert(0, blank_sign);
  return result;
}

void SentencePiece::encode_stretch(std::string_view text, std::vector<Token>& out) const {
  while (!text.empty()) {
    std::size_t length = text.size();
    if (vocabulary_.split_before_blanks)
      length = std::min(
          length, text.find(blank_sign, text.starts_with(blank_sign) ? blank_sign.size() : 0));
    user_defined_.split(
        text.substr(0, length),
        [&](std::string_view stretch) {
          std::vector<Symbol> symbols = symbols_of(stretch);
          merge_pairs(symbols, [this](const Symbol& left, const Symbol& right) {
            return find_merge(left, right);
          });
          for (const Symbol& symbol : symbols) append(symbol, out);
        },
        [&](Token token) { out.push_back(token); });
    text.remove_prefix(length);
  }
}

std::vector<Symbol> SentencePiece::symbols_of(std::string_view text) const {
  std::vector<Symbol> symbols;
  while (!text.empty()) {
    // Bytes that are not UTF-8 are taken one by one.
    const std::string_view character = text.substr(0, std::max<std::size_t>(utf8_length(text), 1));
    const auto found = pieces_.find(character);
    symbols.push_back({character, found == pieces_.end() ? no_token : found->second});
    text.remove_prefix(character.size());
  }
  return symbols;
}

std::optional<Merge> SentencePiece::find_merge(const Symbol& left, const Symbol& right) const {
  if (!vocabulary_.merges.empty()) {
    const auto found = merges_.find(pair_key(left.token, right.token));
    return found == merges_.end() ? std::nullopt : std::optional(found->second);
  }
  // The two texts follow each other in memory.
  const auto found = pieces_.find({left.text.data(), left.text.size() + right.text.size()});
  if (found == pieces_.end()) return std::nullopt;
  const float score = vocabulary_.pieces[static_cast<std::size_t>(found->second)].score;
  return Merge{-static_cast<double>(score), found->second};
}

void SentencePiece::append(const Symbol& symbol, std::vector<Token>& out) const {
  if (symbol.token != no_token) {
    out.push_back(symbol.token);
    return;
  }
  std::vector<Token> bytes;
  for (const char c : symbol.text) bytes.push_back(byte_tokens_[static_cast<unsigned char>(c)]);
  if (std::find(bytes.begin(), bytes.end(), no_token) == bytes.end()) {
    out.insert(out.end(), bytes.begin(), bytes.end());
    return;
  }
  if (!vocabulary_.unknown)
    throw DataError(
        fmt::format("{}: the vocabulary has no token for a character of {} bytes that "
                    "begins with 0x{:02x}; use another text or tokenizer",
                    source_, symbol.text.size(), static_cast<unsigned char>(symbol.text[0])));
  const bool is_run =
      vocabulary_.fuse_unknown && !out.empty() && out.back() == *vocabulary_.unknown;
  if (!is_run) out.push_back(*vocabulary_.unknown);
}

std::string SentencePiece::bytes(Token token) const {
  if (token < 0 || token >= vocabulary_size()) return {};
  const Piece& piece = vocabulary_.pieces[static_cast<std::size_t>(token)];
  if (const AddedToken* added = added_.find(token))
    return added->is_special ? std::string() : added->text;
  switch (piece.kind) {
    case PieceKind::byte:
      return std::string(1, static_cast<char>(*byte_of(piece.text)));
    case PieceKind::control:
      return {};
    case PieceKind::unknown:
      return " \xe2\x81\x87 ";  // U+2047, as SentencePiece shows it
    default:
      return replaced(piece.text, blank_sign, " ");
  }
}

std::string SentencePiece::decode(std::span<const Token> tokens) const {
  std::string text = Tokenizer::decode(tokens);
  if (vocabulary_.blank_before != BlankBefore::never && text.starts_with(' ')) text.erase(0, 1);
  return text;
}

}  // namespace genera::zoo::text
