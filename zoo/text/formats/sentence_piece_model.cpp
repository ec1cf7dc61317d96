// SentencePiece's .model.

#include <fmt/format.h>

#include <algorithm>
#ifdef GENERA_HAVE_PROTOZERO
#include <protozero/pbf_message.hpp>
#include <protozero/pbf_reader.hpp>
#endif

#include "zoo/text/formats/tokenizer_file.h"
#include "zoo/text/sentence_piece.h"

#ifdef GENERA_HAVE_PROTOZERO

namespace genera::zoo::text {
namespace {

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
          fail(
              "it changes characters before it splits (normalization_rule_name), which is not "
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

}  // namespace

std::unique_ptr<Tokenizer> read_sentence_piece_model(const std::filesystem::path& path) {
  const io::BinaryFile file("read_sentence_piece", path);
  const std::vector<std::byte> bytes = file.read(0, file.size());
  try {
    ModelReader reader(file, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    return std::make_unique<SentencePiece>(reader.read(), "[read_sentence_piece] " + file.name());
  } catch (const protozero::exception& error) {
    file.fail(
        fmt::format("this is no valid SentencePiece .model ({}); fetch it again", error.what()));
  }
}

}  // namespace genera::zoo::text

#else

namespace genera::zoo::text {

std::unique_ptr<Tokenizer> read_sentence_piece_model(const std::filesystem::path& path) {
  io::BinaryFile("read_sentence_piece", path)
      .fail(
          "this build reads no SentencePiece .model (it was made without protozero); name a "
          "tokenizer.json");
}

}  // namespace genera::zoo::text

#endif
