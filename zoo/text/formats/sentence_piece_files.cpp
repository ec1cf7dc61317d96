// SentencePiece's .model and llama2.c's tokenizer.bin.

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <protozero/pbf_message.hpp>
#include <protozero/pbf_reader.hpp>

#include "zoo/text/formats/tokenizer_file.h"
#include "zoo/text/sentence_piece.h"

namespace genera::zoo {
namespace {

constexpr std::string_view blank = "\xe2\x96\x81";  // U+2581

// The fields of sentencepiece_model.proto that are read.
enum class ModelField : protozero::pbf_tag_type { pieces = 1, trainer = 2, normalizer = 3 };
enum class PieceField : protozero::pbf_tag_type { text = 1, score = 2, kind = 3 };
enum class TrainerField : protozero::pbf_tag_type {
  model_type = 3,
  blank_after = 24,
  unknown = 40,
  begin = 41,
  end = 42
};
enum class NormalizerField : protozero::pbf_tag_type {
  character_map = 2,
  blank_before = 3,
  collapse_blanks = 4,
  escape_blanks = 5
};

// A field of another type than the schema's is not read: it may be of a newer schema.
template <class Message>
bool is_varint(const Message& message) {
  return message.wire_type() == protozero::pbf_wire_type::varint;
}

template <class Message>
bool is_bytes(const Message& message) {
  return message.wire_type() == protozero::pbf_wire_type::length_delimited;
}

class ModelReader {
 public:
  ModelReader(const io::BinaryFile& file, std::string_view bytes) : file_(file), bytes_(bytes) {}

  SentencePieceVocabulary read() {
    protozero::pbf_message<ModelField> model(bytes_.data(), bytes_.size());
    vocabulary_.collapse_blanks = true;  // the schema's default
    while (next(model)) {
      if (model.tag() == ModelField::pieces && is_bytes(model))
        read_piece(model.get_message());
      else if (model.tag() == ModelField::trainer && is_bytes(model))
        read_trainer(model.get_message());
      else if (model.tag() == ModelField::normalizer && is_bytes(model))
        read_normalizer(model.get_message());
      else
        model.skip();
    }
    if (vocabulary_.pieces.empty()) fail("it has no pieces; name a SentencePiece .model");
    set_token(vocabulary_.unknown, unknown_);
    set_token(vocabulary_.begin, begin_);
    set_token(vocabulary_.end, end_);
    return std::move(vocabulary_);
  }

 private:
  [[noreturn]] void fail(std::string_view problem) const { file_.fail(at_, problem); }

  template <class Message>
  bool next(Message& message) {
    at_ = static_cast<std::int64_t>(message.data().data() - bytes_.data());
    return message.next();
  }

  void set_token(std::optional<Token>& token, std::int64_t value) const {
    if (value >= 0 && value < std::ssize(vocabulary_.pieces)) token = static_cast<Token>(value);
  }

  void read_piece(protozero::pbf_message<PieceField> message) {
    constexpr std::size_t most = std::size_t{1} << 21;
    if (vocabulary_.pieces.size() == most)
      fail(fmt::format("more than {} pieces are not supported", most));
    Piece piece;
    while (next(message)) {
      if (message.tag() == PieceField::text && is_bytes(message)) {
        piece.text = message.get_string();
      } else if (message.tag() == PieceField::score &&
                 message.wire_type() == protozero::pbf_wire_type::fixed32) {
        piece.score = message.get_float();
      } else if (message.tag() == PieceField::kind && is_varint(message)) {
        const std::int32_t kind = message.get_enum();
        if (kind < 1 || kind > 6) fail(fmt::format("a piece is of the unknown type {}", kind));
        piece.kind = static_cast<PieceKind>(kind);
      } else {
        message.skip();
      }
    }
    vocabulary_.pieces.push_back(std::move(piece));
  }

  void read_trainer(protozero::pbf_message<TrainerField> message) {
    constexpr std::int32_t bpe = 2;
    std::int32_t model_type = 1;
    while (next(message)) {
      if (message.tag() == TrainerField::model_type && is_varint(message))
        model_type = message.get_enum();
      else if (message.tag() == TrainerField::unknown && is_varint(message))
        unknown_ = message.get_int32();
      else if (message.tag() == TrainerField::begin && is_varint(message))
        begin_ = message.get_int32();
      else if (message.tag() == TrainerField::end && is_varint(message))
        end_ = message.get_int32();
      else if (message.tag() == TrainerField::blank_after && is_varint(message) &&
               message.get_bool())
        fail("blanks after words are not supported");
      else
        message.skip();
    }
    if (model_type != bpe)
      fail(fmt::format("the model type {} is not supported (2, BPE, is)", model_type));
  }

  void read_normalizer(protozero::pbf_message<NormalizerField> message) {
    while (next(message)) {
      if (message.tag() == NormalizerField::character_map && is_bytes(message)) {
        if (message.get_view().size() > 0)
          fail("it changes characters before it splits (normalization_rule_name), which is not "
               "supported");
      } else if (message.tag() == NormalizerField::blank_before && is_varint(message)) {
        vocabulary_.blank_before = message.get_bool() ? BlankBefore::text : BlankBefore::never;
      } else if (message.tag() == NormalizerField::collapse_blanks && is_varint(message)) {
        vocabulary_.collapse_blanks = message.get_bool();
      } else if (message.tag() == NormalizerField::escape_blanks && is_varint(message)) {
        if (!message.get_bool()) fail("blanks that stay as they are are not supported");
      } else {
        message.skip();
      }
    }
  }

  const io::BinaryFile& file_;
  std::string_view bytes_;
  std::int64_t at_ = 0;
  SentencePieceVocabulary vocabulary_;
  std::int64_t unknown_ = 0, begin_ = 1, end_ = 2;  // the schema's defaults
};

std::string with_blank_signs(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (c == ' ')
      result += blank;
    else
      result += c;
  }
  return result;
}

}  // namespace

std::unique_ptr<Tokenizer> read_sentence_piece_model(const std::filesystem::path& path) {
  const io::BinaryFile file("read_sentence_piece", path);
  const std::vector<std::byte> bytes = file.read(0, file.size());
  try {
    ModelReader reader(file, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    return std::make_unique<SentencePiece>(reader.read(), "[read_sentence_piece] " + file.name());
  } catch (const protozero::exception& error) {
    file.fail(fmt::format("this is no valid SentencePiece .model ({}); fetch it again",
                          error.what()));
  }
}

std::unique_ptr<Tokenizer> read_llama2c_tokenizer(const std::filesystem::path& path,
                                                  const TokenizerHints& hints) {
  const io::BinaryFile file("read_llama2c_tokenizer", path);
  const std::vector<std::byte> bytes = file.read(0, file.size());
  std::size_t at = 0;
  const auto word = [&]() -> std::uint32_t {
    std::uint32_t value = 0;
    if (bytes.size() - at < sizeof value)
      file.fail(static_cast<std::int64_t>(bytes.size()), "the file is truncated, fetch it again");
    std::memcpy(&value, bytes.data() + at, sizeof value);
    at += sizeof value;
    return value;
  };
  const std::uint32_t longest = word();
  SentencePieceVocabulary vocabulary;
  while (at < bytes.size()) {
    const auto begin = static_cast<std::int64_t>(at);
    const std::size_t index = vocabulary.pieces.size();
    const auto score = std::bit_cast<float>(word());
    const std::uint32_t length = word();
    if (length > longest || length > bytes.size() - at)
      file.fail(begin, fmt::format("token {} has {} bytes, the longest should have {} and {} are "
                                   "left; this is no tokenizer.bin of llama2.c, or a damaged one",
                                   index, length, longest, bytes.size() - at));
    const std::string text(reinterpret_cast<const char*>(bytes.data() + at), length);
    at += length;
    const bool is_byte = text.size() == 6 && text.starts_with("<0x") && text.ends_with('>');
    const PieceKind kind = index == 0   ? PieceKind::unknown
                           : index <= 2 ? PieceKind::control
                           : is_byte    ? PieceKind::byte
                                        : PieceKind::normal;
    vocabulary.pieces.push_back({with_blank_signs(text), score, kind});
  }
  if (hints.vocabulary && std::ssize(vocabulary.pieces) != *hints.vocabulary)
    file.fail(fmt::format("it has {} tokens and the model {}; name the model's own tokenizer",
                          vocabulary.pieces.size(), *hints.vocabulary));
  if (vocabulary.pieces.size() < 3) file.fail("it has fewer than 3 tokens");
  vocabulary.unknown = 0;
  // Texts are divided by the begin token; run.c stops there too.
  vocabulary.begin = vocabulary.end = 1;
  return std::make_unique<SentencePiece>(std::move(vocabulary),
                                         "[read_llama2c_tokenizer] " + file.name());
}

}  // namespace genera::zoo
