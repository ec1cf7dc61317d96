// The keys tokenizer.ggml.* (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md).

#include <fmt/format.h>
#include <genera/error.h>

#include <unordered_map>

#include "zoo/text/byte_level_bpe.h"
#include "zoo/text/formats/gguf_values.h"
#include "zoo/text/formats/tokenizer_file.h"
#include "zoo/text/sentence_piece.h"

namespace genera::zoo::text {
namespace {

constexpr std::int64_t most_tokens = std::int64_t{1} << 31;

class GgufTokenizerReader {
 public:
  explicit GgufTokenizerReader(const io::GgufFile& file)
      : values_(file), tokens_(values_.list<std::string>("tokenizer.ggml.tokens")) {
    if (const auto* types = values_.find<std::vector<std::int64_t>>("tokenizer.ggml.token_type")) {
      kinds_ = *types;
      check_size("token_type", kinds_.size());
    }
  }

  std::unique_ptr<Tokenizer> make() const {
    const std::string model = values_.text("tokenizer.ggml.model");
    if (model == "gpt2") return byte_level();
    if (model == "llama") return sentence_piece();
    values_.fail(
        fmt::format("its tokenizer '{}' is not supported ('gpt2' and 'llama' are); name "
                    "another by --tokenizer",
                    model));
  }

 private:
  void check_size(std::string_view name, std::size_t size) const {
    if (size != tokens_.size())
      values_.fail(fmt::format("tokenizer.ggml.{} has {} values for {} tokens; the file is corrupt",
                               name, size, tokens_.size()));
  }

  std::optional<Token> token(std::string_view name) const {
    const std::string key = fmt::format("tokenizer.ggml.{}_token_id", name);
    if (!values_.has(key)) return std::nullopt;
    const std::int64_t value = values_.integer(key, 0, most_tokens);
    // Some converters write what stands for "none".
    if (value >= std::ssize(tokens_)) return std::nullopt;
    return static_cast<Token>(value);
  }

  std::int64_t kind(std::size_t index) const { return kinds_.empty() ? 1 : kinds_[index]; }

  std::vector<AddedToken> added() const {
    std::vector<AddedToken> result;
    for (std::size_t i = 0; i < tokens_.size(); ++i) {
      const auto kind = static_cast<PieceKind>(this->kind(i));
      const bool is_control = kind == PieceKind::control;
      if ((is_control || kind == PieceKind::user_defined) && !tokens_[i].empty())
        result.push_back(
            {.token = static_cast<Token>(i), .text = tokens_[i], .is_special = is_control});
    }
    return result;
  }

  std::string pattern() const {
    const std::string name = values_.text("tokenizer.ggml.pre", "gpt-2");
    if (name == "gpt-2") return gpt2_pattern;
    if (name == "llama-bpe" || name == "llama3" || name == "llama-v3") return llama3_pattern;
    values_.fail(
        fmt::format("its way '{}' to split a text is not supported ('gpt-2' and "
                    "'llama-bpe' are); name the model's tokenizer.json by --tokenizer",
                    name));
  }

  std::unique_ptr<Tokenizer> byte_level() const {
    ByteLevelVocabulary vocabulary;
    std::unordered_map<std::string_view, Token> ids;
    for (std::size_t i = 0; i < tokens_.size(); ++i) ids.emplace(tokens_[i], static_cast<Token>(i));
    for (const std::string& merge : values_.list<std::string>("tokenizer.ggml.merges")) {
      const std::size_t middle = merge.find(' ', 1);
      const auto left = ids.find(std::string_view(merge).substr(0, middle));
      const auto right = middle == std::string::npos
                             ? ids.end()
                             : ids.find(std::string_view(merge).substr(middle + 1));
      if (left == ids.end() || right == ids.end())
        values_.fail(
            fmt::format("the merge '{}' is not of two tokens; the file is corrupt", merge));
      vocabulary.merges.emplace_back(left->second, right->second);
    }
    vocabulary.added = added();
    for (const std::string& name : tokens_) vocabulary.tokens.push_back(bytes_of_name(name));
    for (const AddedToken& token : vocabulary.added)
      vocabulary.tokens[static_cast<std::size_t>(token.token)] = token.text;
    vocabulary.patterns = {pattern()};
    vocabulary.whole_words_first = vocabulary.patterns[0] == llama3_pattern;
    vocabulary.prefix_blank = values_.boolean("tokenizer.ggml.add_space_prefix", false);
    if (values_.boolean("tokenizer.ggml.add_bos_token", false)) vocabulary.begin = token("bos");
    vocabulary.end = token("eos");
    return std::make_unique<ByteLevelBpe>(std::move(vocabulary), values_.name());
  }

  std::unique_ptr<Tokenizer> sentence_piece() const {
    if (values_.has("tokenizer.ggml.precompiled_charsmap"))
      values_.fail(
          "its tokenizer changes characters before it splits, which is not supported; "
          "name another by --tokenizer");
    const auto& scores = values_.list<double>("tokenizer.ggml.scores");
    check_size("scores", scores.size());
    SentencePieceVocabulary vocabulary;
    for (std::size_t i = 0; i < tokens_.size(); ++i) {
      if (kind(i) < 1 || kind(i) > 6)
        values_.fail(
            fmt::format("token {} is of the unknown type {}; the file is corrupt", i, kind(i)));
      vocabulary.pieces.push_back(
          {tokens_[i], static_cast<float>(scores[i]), static_cast<PieceKind>(kind(i))});
    }
    vocabulary.blank_before = values_.boolean("tokenizer.ggml.add_space_prefix", true)
                                  ? BlankBefore::text
                                  : BlankBefore::never;
    vocabulary.collapse_blanks = values_.boolean("tokenizer.ggml.remove_extra_whitespaces", false);
    vocabulary.unknown = token("unknown");
    if (values_.boolean("tokenizer.ggml.add_bos_token", true)) vocabulary.begin = token("bos");
    vocabulary.end = token("eos");
    return std::make_unique<SentencePiece>(std::move(vocabulary), values_.name());
  }

  GgufValues values_;
  const std::vector<std::string>& tokens_;
  std::vector<std::int64_t> kinds_;
};

}  // namespace

std::unique_ptr<Tokenizer> read_gguf_tokenizer(const io::GgufFile& file) {
  return GgufTokenizerReader(file).make();
}

}  // namespace genera::zoo::text
