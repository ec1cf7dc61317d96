// llama2.c's tokenizer.bin (https://github.com/karpathy/llama2.c, tokenizer.py).

#include <fmt/format.h>

#include <bit>
#include <cstring>

#include "zoo/text/formats/tokenizer_file.h"
#include "zoo/text/sentence_piece.h"

namespace genera::zoo::text {
namespace {

std::string with_blank_signs(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (c == ' ')
      result += blank_sign;
    else
      result += c;
  }
  return result;
}

}  // namespace

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

}  // namespace genera::zoo::text
