// The JSON that tokenizers become in our own checkpoints. Of bytes it is Hugging Face's format; of
// SentencePiece, whose scores that format has no place for, one of our own.

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "zoo/common/json_text.h"
#include "zoo/text/byte_level_bpe.h"
#include "zoo/text/formats/tokenizer_file.h"
#include "zoo/text/sentence_piece.h"

namespace genera::zoo::text {
namespace {

using Writer = nlohmann::ordered_json;

Writer added_json(const std::vector<AddedToken>& added) {
  Writer list = Writer::array();
  for (const AddedToken& token : added)
    list.push_back({{"id", token.token},
                    {"content", token.text},
                    {"single_word", token.is_whole_word},
                    {"lstrip", token.takes_left},
                    {"rstrip", token.takes_right},
                    {"normalized", false},
                    {"special", token.is_special}});
  return list;
}

void put_token(Writer& json, const char* name, const std::optional<Token>& token) {
  if (token) json[name] = *token;
}

std::optional<Token> token_of(const JsonFile& file, const char* name) {
  constexpr std::int64_t none = -1;
  const std::int64_t value = file.integer(file.root(), name, 0, std::int64_t{1} << 30, none);
  return value == none ? std::nullopt : std::optional(static_cast<Token>(value));
}

}  // namespace

std::string ByteLevelBpe::to_json() const {
  Writer vocab = Writer::object();
  for (std::size_t i = 0; i < vocabulary_.tokens.size(); ++i)
    if (const AddedToken* added = added_.find(static_cast<Token>(i)))
      vocab[added->text] = i;
    else
      vocab[name_of_bytes(vocabulary_.tokens[i])] = i;
  Writer merges = Writer::array();
  const auto name = [&](Token token) {
    return name_of_bytes(vocabulary_.tokens[static_cast<std::size_t>(token)]);
  };
  for (const auto& [left, right] : vocabulary_.merges)
    merges.push_back(Writer::array({name(left), name(right)}));
  Writer parts = Writer::array();
  for (const std::string& pattern : vocabulary_.patterns)
    parts.push_back({{"type", "Split"},
                     {"pattern", {{"Regex", pattern}}},
                     {"behavior", "Isolated"},
                     {"invert", false}});
  const Writer of_bytes = {{"type", "ByteLevel"},
                           {"add_prefix_space", vocabulary_.prefix_blank},
                           {"trim_offsets", false},
                           {"use_regex", false}};
  parts.insert(vocabulary_.prefix_blank ? parts.begin() : parts.end(), of_bytes);
  Writer json = {{"kind", kind()},
                 {"version", "1.0"},
                 {"truncation", nullptr},
                 {"padding", nullptr},
                 {"added_tokens", added_json(vocabulary_.added)},
                 {"normalizer", nullptr},
                 {"pre_tokenizer", {{"type", "Sequence"}, {"pretokenizers", std::move(parts)}}},
                 {"post_processor", nullptr},
                 {"decoder", of_bytes},
                 {"model",
                  {{"type", "BPE"},
                   {"dropout", nullptr},
                   {"unk_token", nullptr},
                   {"continuing_subword_prefix", nullptr},
                   {"end_of_word_suffix", nullptr},
                   {"fuse_unk", false},
                   {"byte_fallback", false},
                   {"ignore_merges", vocabulary_.whole_words_first},
                   {"vocab", std::move(vocab)},
                   {"merges", std::move(merges)}}}};
  put_token(json, "begin", vocabulary_.begin);
  put_token(json, "end", vocabulary_.end);
  return json_text(json);
}

std::string SentencePiece::to_json() const {
  Writer pieces = Writer::array();
  for (const Piece& piece : vocabulary_.pieces)
    pieces.push_back(Writer::array({piece.text, piece.score, static_cast<int>(piece.kind)}));
  Writer merges = Writer::array();
  for (const auto& [left, right] : vocabulary_.merges)
    merges.push_back(Writer::array({left, right}));
  Writer json = {{"kind", kind()},
                 {"pieces", std::move(pieces)},
                 {"merges", std::move(merges)},
                 {"added_tokens", added_json(vocabulary_.added)},
                 {"blank_before", static_cast<int>(vocabulary_.blank_before)},
                 {"collapse_blanks", vocabulary_.collapse_blanks},
                 {"split_before_blanks", vocabulary_.split_before_blanks},
                 {"fuse_unknown", vocabulary_.fuse_unknown}};
  put_token(json, "unknown", vocabulary_.unknown);
  put_token(json, "begin", vocabulary_.begin);
  put_token(json, "end", vocabulary_.end);
  return json_text(json);
}

std::unique_ptr<Tokenizer> read_sentence_piece_json(const JsonFile& file) {
  SentencePieceVocabulary vocabulary;
  const JsonValue& root = file.root();
  for (const JsonValue& each : file.array(root, "pieces")) {
    const auto* parts = each.as<JsonValue::Array>();
    const bool is_piece = parts != nullptr && parts->size() == 3 &&
                          (*parts)[0].as<std::string>() != nullptr &&
                          (*parts)[2].as<std::int64_t>() != nullptr;
    const std::int64_t kind = is_piece ? *(*parts)[2].as<std::int64_t>() : 0;
    if (kind < 1 || kind > 6) file.fail("a piece is damaged");
    const auto* real = (*parts)[1].as<double>();
    const auto* whole = (*parts)[1].as<std::int64_t>();
    const double score = real != nullptr    ? *real
                         : whole != nullptr ? static_cast<double>(*whole)
                                            : 0;
    vocabulary.pieces.push_back(
        {*(*parts)[0].as<std::string>(), static_cast<float>(score), static_cast<PieceKind>(kind)});
  }
  for (const JsonValue& each : file.array(root, "merges")) {
    const auto* pair = each.as<JsonValue::Array>();
    if (pair == nullptr || pair->size() != 2 || (*pair)[0].as<std::int64_t>() == nullptr ||
        (*pair)[1].as<std::int64_t>() == nullptr)
      file.fail("a merge is damaged");
    vocabulary.merges.emplace_back(static_cast<Token>(*(*pair)[0].as<std::int64_t>()),
                                   static_cast<Token>(*(*pair)[1].as<std::int64_t>()));
  }
  for (const JsonValue& each : file.array(root, "added_tokens"))
    vocabulary.added.push_back(
        {.token = static_cast<Token>(file.integer(each, "id", 0, std::int64_t{1} << 30)),
         .text = file.text(each, "content"),
         .is_special = file.boolean(each, "special", false),
         .takes_left = file.boolean(each, "lstrip", false),
         .takes_right = file.boolean(each, "rstrip", false),
         .is_whole_word = file.boolean(each, "single_word", false)});
  constexpr auto last = static_cast<std::int64_t>(BlankBefore::stretch_if_missing);
  vocabulary.blank_before = static_cast<BlankBefore>(file.integer(root, "blank_before", 0, last));
  vocabulary.collapse_blanks = file.boolean(root, "collapse_blanks", false);
  vocabulary.split_before_blanks = file.boolean(root, "split_before_blanks", false);
  vocabulary.fuse_unknown = file.boolean(root, "fuse_unknown", true);
  vocabulary.unknown = token_of(file, "unknown");
  vocabulary.begin = token_of(file, "begin");
  vocabulary.end = token_of(file, "end");
  return std::make_unique<SentencePiece>(std::move(vocabulary), file.name());
}

}  // namespace genera::zoo::text
