// https://github.com/huggingface/tokenizers: a normalizer, a pre-tokenizer, a model, a
// post-processor and a decoder. Of the many combinations, those of GPT-2 and Llama.

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "zoo/text/byte_level_bpe.h"
#include "zoo/text/formats/tokenizer_file.h"
#include "zoo/text/sentence_piece.h"

namespace genera::zoo::text {
namespace {

class HuggingFaceReader {
 public:
  explicit HuggingFaceReader(const JsonFile& file) : file_(file) {
    const JsonValue* model = file.root().find("model");
    if (model == nullptr)
      file_.fail("'model' is missing; is this a tokenizer.json, and of the right folder?");
    model_ = model;
    check_model();
    read_vocabulary();
    read_added();
    read_merges();
    read_ends();
  }

  std::unique_ptr<Tokenizer> make(const TokenizerHints& hints, const JsonValue* config) {
    if (config != nullptr) read_config(*config);
    if (hints.end) end_ = hints.end;
    const auto parts = components("pre_tokenizer", "pretokenizers");
    const bool of_bytes = std::any_of(parts.begin(), parts.end(), [](const JsonValue* part) {
      return is_type(*part, "ByteLevel");
    });
    if (of_bytes) return byte_level(parts);
    return sentence_piece(parts);
  }

 private:
  static bool is_type(const JsonValue& component, std::string_view type) {
    const JsonValue* found = component.find("type");
    const auto* text = found == nullptr ? nullptr : found->as<std::string>();
    return text != nullptr && *text == type;
  }

  [[noreturn]] void refuse(std::string_view part, const JsonValue& component) const {
    file_.fail(
        fmt::format("the {} '{}', or an option of it, is not supported; only tokenizers like "
                    "GPT-2's and Llama's are",
                    part, file_.text(component, "type", "")));
  }

  // The parts of a component, those of a Sequence one by one.
  std::vector<const JsonValue*> components(std::string_view name, std::string_view list) const {
    const JsonValue* component = file_.root().find(name);
    if (component == nullptr) return {};
    if (!is_type(*component, "Sequence")) return {component};
    std::vector<const JsonValue*> parts;
    for (const JsonValue& part : file_.array(*component, list)) parts.push_back(&part);
    return parts;
  }

  void check_model() const {
    if (const std::string type = file_.text(*model_, "type", "BPE"); type != "BPE")
      file_.fail(fmt::format("the model '{}' is not supported (BPE is)", type));
    for (const char* name : {"continuing_subword_prefix", "end_of_word_suffix"})
      if (!file_.text(*model_, name, "").empty())
        file_.fail(fmt::format("'{}' is not supported", name));
    if (file_.real(*model_, "dropout", 0) != 0) file_.fail("'dropout' is not supported");
  }

  void name_token(std::int64_t id, const std::string& name, std::size_t most) {
    if (id < 0 || static_cast<std::size_t>(id) >= most)
      file_.fail(fmt::format("token '{}' has the number {}, of about {}", name, id, most));
    const auto index = static_cast<std::size_t>(id);
    if (names_.size() <= index) names_.resize(index + 1);
    names_[index] = name;
  }

  void read_vocabulary() {
    const JsonValue::Object& entries = file_.members(*model_, "vocab");
    ids_.reserve(entries.size());
    // Some vocabularies have holes, but no more than a hostile file could ask memory for.
    most_ = 2 * entries.size() + 4096;
    for (const JsonValue::Member& entry : entries) {
      const auto* id = entry.value.as<std::int64_t>();
      if (id == nullptr) file_.fail(fmt::format("token '{}' has no number", entry.name));
      name_token(*id, entry.name, most_);
      ids_.emplace(entry.name, static_cast<Token>(*id));
    }
    const auto named = std::count_if(names_.begin(), names_.end(),
                                     [](const std::string& name) { return !name.empty(); });
    if (static_cast<std::size_t>(named) < entries.size() - (ids_.contains("") ? 1 : 0))
      file_.fail("two tokens have the same number");
  }

  void read_added() {
    const JsonValue* list = file_.root().find("added_tokens");
    if (list == nullptr) return;
    for (const JsonValue& each : file_.array(file_.root(), "added_tokens")) {
      const std::int64_t id = file_.integer(each, "id", 0, static_cast<std::int64_t>(most_));
      AddedToken token{.token = static_cast<Token>(id),
                       .text = file_.text(each, "content"),
                       .is_special = file_.boolean(each, "special", false),
                       .takes_left = file_.boolean(each, "lstrip", false),
                       .takes_right = file_.boolean(each, "rstrip", false),
                       .is_whole_word = file_.boolean(each, "single_word", false)};
      if (token.text.empty()) continue;
      name_token(id, token.text, most_ + 1);
      ids_[token.text] = token.token;
      added_.push_back(std::move(token));
    }
  }

  Token id_of(const std::string& name) const {
    const auto found = ids_.find(name);
    if (found == ids_.end()) file_.fail(fmt::format("there is no token '{}'", name));
    return found->second;
  }

  void read_merges() {
    for (const JsonValue& each : file_.array(*model_, "merges")) {
      if (const auto* text = each.as<std::string>()) {
        const std::size_t middle = text->find(' ');
        if (middle == std::string::npos) file_.fail(fmt::format("'{}' is no merge", *text));
        merges_.emplace_back(id_of(text->substr(0, middle)), id_of(text->substr(middle + 1)));
        continue;
      }
      const auto* pair = each.as<JsonValue::Array>();
      if (pair == nullptr || pair->size() != 2 || (*pair)[0].as<std::string>() == nullptr ||
          (*pair)[1].as<std::string>() == nullptr)
        file_.fail("a merge must be two tokens");
      merges_.emplace_back(id_of(*(*pair)[0].as<std::string>()),
                           id_of(*(*pair)[1].as<std::string>()));
    }
  }

  // The post-processor puts a token before a text.
  void read_ends() {
    for (const JsonValue* part : components("post_processor", "processors")) {
      if (!is_type(*part, "TemplateProcessing")) continue;
      const JsonValue::Array& single = file_.array(*part, "single");
      const JsonValue* special = single.empty() ? nullptr : single[0].find("SpecialToken");
      if (special != nullptr) begin_ = id_of(file_.text(*special, "id"));
    }
    // Our own files say it directly.
    const auto own = [&](std::string_view name, std::optional<Token>& token) {
      if (file_.root().find(name) != nullptr)
        token = static_cast<Token>(
            file_.integer(file_.root(), name, 0, static_cast<std::int64_t>(most_)));
    };
    own("begin", begin_);
    own("end", end_);
  }

  std::optional<Token> token_in(const JsonValue& config, std::string_view name) const {
    const JsonValue* found = config.find(name);
    if (found != nullptr && found->as<std::string>() == nullptr) found = found->find("content");
    const auto* text = found == nullptr ? nullptr : found->as<std::string>();
    const auto token = text == nullptr ? ids_.end() : ids_.find(*text);
    return token == ids_.end() ? std::nullopt : std::optional(token->second);
  }

  // tokenizer_config.json
  void read_config(const JsonValue& config) {
    if (const auto end = token_in(config, "eos_token")) end_ = end;
    const JsonValue* add = config.find("add_bos_token");
    if (add != nullptr && add->as<bool>() != nullptr)
      begin_ = *add->as<bool>() ? token_in(config, "bos_token") : std::nullopt;
  }

  std::unique_ptr<Tokenizer> byte_level(const std::vector<const JsonValue*>& parts) {
    ByteLevelVocabulary vocabulary;
    for (const JsonValue* part : components("normalizer", "normalizers"))
      refuse("normalizer", *part);
    for (const JsonValue* part : parts) {
      if (is_type(*part, "ByteLevel")) {
        if (file_.boolean(*part, "use_regex", true)) vocabulary.patterns.emplace_back(gpt2_pattern);
        vocabulary.prefix_blank = file_.boolean(*part, "add_prefix_space", true);
        if (vocabulary.prefix_blank && part != parts[0]) refuse("pre-tokenizer", *part);
      } else if (is_type(*part, "Split")) {
        vocabulary.patterns.push_back(split_pattern(*part));
      } else if (is_type(*part, "Digits")) {
        const bool each = file_.boolean(*part, "individual_digits", false);
        vocabulary.patterns.emplace_back(each ? "\\p{N}" : "\\p{N}+");
      } else {
        refuse("pre-tokenizer", *part);
      }
    }
    for (const std::string& name : names_) vocabulary.tokens.push_back(bytes_of_name(name));
    for (const AddedToken& token : added_)
      vocabulary.tokens[static_cast<std::size_t>(token.token)] = token.text;
    vocabulary.merges = std::move(merges_);
    vocabulary.added = std::move(added_);
    vocabulary.whole_words_first = file_.boolean(*model_, "ignore_merges", false);
    vocabulary.begin = begin_;
    vocabulary.end = end_;
    return std::make_unique<ByteLevelBpe>(std::move(vocabulary), file_.name());
  }

  std::string split_pattern(const JsonValue& part) const {
    const JsonValue* pattern = part.find("pattern");
    const JsonValue* regex = pattern == nullptr ? nullptr : pattern->find("Regex");
    const auto* text = regex == nullptr ? nullptr : regex->as<std::string>();
    if (text == nullptr || file_.text(part, "behavior") != "Isolated" ||
        file_.boolean(part, "invert", false))
      refuse("pre-tokenizer", part);
    return *text;
  }

  std::unique_ptr<Tokenizer> sentence_piece(const std::vector<const JsonValue*>& parts) {
    SentencePieceVocabulary vocabulary;
    const bool has_bytes = file_.boolean(*model_, "byte_fallback", false);
    const std::string unknown = file_.text(*model_, "unk_token", "");
    vocabulary.blank_before = blank_before(parts, vocabulary.split_before_blanks);
    for (const std::string& name : names_) {
      const bool is_byte = has_bytes && name.size() == 6 && name.starts_with("<0x");
      vocabulary.pieces.push_back({name, 0,
                                   is_byte           ? PieceKind::byte
                                   : name == unknown ? PieceKind::unknown
                                                     : PieceKind::normal});
    }
    if (merges_.empty()) file_.fail("'merges' are missing or empty");
    vocabulary.merges = std::move(merges_);
    vocabulary.added = std::move(added_);
    vocabulary.fuse_unknown = file_.boolean(*model_, "fuse_unk", false);
    if (!unknown.empty()) vocabulary.unknown = id_of(unknown);
    vocabulary.begin = begin_;
    vocabulary.end = end_;
    return std::make_unique<SentencePiece>(std::move(vocabulary), file_.name());
  }

  // Blanks become U+2581, either by the normalizer or by the pre-tokenizer.
  BlankBefore blank_before(const std::vector<const JsonValue*>& parts, bool& splits) const {
    BlankBefore result = BlankBefore::never;
    bool replaces = false;
    for (const JsonValue* part : components("normalizer", "normalizers")) {
      const JsonValue* pattern = part->find("pattern");
      if (is_type(*part, "Prepend") && file_.text(*part, "prepend") == blank_sign)
        result = BlankBefore::stretch;
      else if (is_type(*part, "Replace") && pattern != nullptr &&
               file_.text(*pattern, "String", "") == " " &&
               file_.text(*part, "content") == blank_sign)
        replaces = true;
      else
        refuse("normalizer", *part);
    }
    for (const JsonValue* part : parts) {
      if (!is_type(*part, "Metaspace") || replaces ||
          file_.text(*part, "replacement") != blank_sign)
        refuse("pre-tokenizer", *part);
      replaces = true;
      splits = file_.boolean(*part, "split", true);
      const bool add = file_.boolean(*part, "add_prefix_space", true);
      const std::string scheme = file_.text(*part, "prepend_scheme", add ? "always" : "never");
      result = scheme == "always"  ? BlankBefore::stretch_if_missing
               : scheme == "first" ? BlankBefore::text_if_missing
                                   : BlankBefore::never;
    }
    if (!replaces)
      file_.fail(
          "it has neither bytes nor U+2581 for blanks; only tokenizers like GPT-2's and "
          "Llama's are supported");
    return result;
  }

  const JsonFile& file_;
  const JsonValue* model_ = nullptr;
  std::vector<std::string> names_;
  std::unordered_map<std::string, Token> ids_;
  std::size_t most_ = 0;
  std::vector<AddedToken> added_;
  std::vector<std::pair<Token, Token>> merges_;
  std::optional<Token> begin_, end_;
};

}  // namespace

std::unique_ptr<Tokenizer> read_hugging_face_tokenizer(const JsonFile& file,
                                                       const TokenizerHints& hints,
                                                       const std::filesystem::path& beside) {
  HuggingFaceReader reader(file);
  const std::filesystem::path path = beside / "tokenizer_config.json";
  if (beside.empty() || !std::filesystem::exists(path)) return reader.make(hints, nullptr);
  const JsonFile config(path);
  return reader.make(hints, &config.root());
}

}  // namespace genera::zoo::text
