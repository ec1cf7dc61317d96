/// Tokenizers in other programs' files.
#pragma once

#include <genera/io.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "zoo/common/json_file.h"
#include "zoo/text/tokenizer.h"

namespace genera::zoo::text {

/// What only the model's own file knows.
struct TokenizerHints {
  std::optional<Token> end = {};  ///< the model ends a text with it
  std::optional<std::int64_t> vocabulary =
      {};  ///< of llama2.c's models, whose tokenizers do not tell
};

/// Reads a tokenizer file, told apart by name and content: Hugging Face's tokenizer.json, or
/// vocab.json or merges.txt with the other one beside it; SentencePiece's .model; llama2.c's
/// tokenizer.bin; the metadata of a .gguf file; or a folder that holds one of the first four.
std::unique_ptr<Tokenizer> open_tokenizer(const std::filesystem::path& path,
                                          const TokenizerHints& hints = {});

/// Whether open_tokenizer() would find a file in this folder.
bool holds_tokenizer(const std::filesystem::path& folder);

/// tokenizer.json of PyPI's `tokenizers`: BPE of bytes or, with blanks as U+2581, of characters.
/// DataError where it asks for what is not known here. `beside`: the folder of
/// tokenizer_config.json, which may name the begin and end tokens.
std::unique_ptr<Tokenizer> read_hugging_face_tokenizer(const JsonFile& file,
                                                       const TokenizerHints& hints = {},
                                                       const std::filesystem::path& beside = {});
/// GPT-2's pair of files.
std::unique_ptr<Tokenizer> read_vocabulary_and_merges(const std::filesystem::path& vocabulary,
                                                      const std::filesystem::path& merges,
                                                      const TokenizerHints& hints = {});
/// SentencePiece's .model, a protocol buffer (sentencepiece_model.proto).
std::unique_ptr<Tokenizer> read_sentence_piece_model(const std::filesystem::path& path);
/// llama2.c's tokenizer.bin: the longest length, then score, length and bytes of each token.
std::unique_ptr<Tokenizer> read_llama2c_tokenizer(const std::filesystem::path& path,
                                                  const TokenizerHints& hints = {});
/// The keys tokenizer.ggml.* of a GGUF file.
std::unique_ptr<Tokenizer> read_gguf_tokenizer(const io::GgufFile& file);

/// What SentencePiece::to_json() wrote.
std::unique_ptr<Tokenizer> read_sentence_piece_json(const JsonFile& file);

}  // namespace genera::zoo::text
