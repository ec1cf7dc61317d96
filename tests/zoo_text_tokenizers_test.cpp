#include <doctest/doctest.h>
#include <genera/error.h>
#include <genera/io.h>

#include <fstream>
#include <random>

#include "tests/io_files.h"
#include "tests/tests_folder.h"
#include "zoo/common/json_file.h"
#include "zoo/text/added_tokens.h"
#include "zoo/text/byte_level_bpe.h"
#include "zoo/text/formats/tokenizer_file.h"
#include "zoo/text/sentence_piece.h"

using namespace genera;
using namespace genera::zoo;
using namespace genera::zoo::text;
using io_test::Bytes;
using io_test::bytes_of;
using io_test::error_of;
using io_test::mentions;
using io_test::read_plain;
using io_test::TemporaryFolder;
using io_test::write_plain;

namespace {

std::filesystem::path golden(const std::string& name) {
  return test::tests_folder() / "golden/text" / name;
}

std::string text_of(const std::filesystem::path& path) {
  const Bytes bytes = read_plain(path);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// One of the odd strings, with the tokens that another program gave it and what it decoded them to.
struct Case {
  std::string text;
  std::vector<Token> tokens;
  std::string decoded;
};

std::vector<Case> cases_of(const std::string& library) {
  const JsonFile file(golden("strings.json"));
  std::vector<Case> cases;
  for (const JsonValue& each : *file.root().as<JsonValue::Array>()) {
    Case result;
    result.text = file.text(each, "text");
    const JsonValue* tokens = each.find(library);
    if (tokens == nullptr) tokens = each.find("sentencepiece");
    for (const JsonValue& token : *tokens->as<JsonValue::Array>())
      result.tokens.push_back(static_cast<Token>(*token.as<std::int64_t>()));
    result.decoded = file.text(each, library + "_decoded", result.text);
    cases.push_back(std::move(result));
  }
  return cases;
}

// The tokenizer must give every string the tokens of the other library, and take them back.
void check_against(const Tokenizer& tokenizer, const std::string& library) {
  const std::vector<Case> cases = cases_of(library);
  REQUIRE(cases.size() > 100);
  for (const Case& each : cases) {
    CAPTURE(each.text);
    CHECK(tokenizer.encode(each.text) == each.tokens);
    CHECK(tokenizer.decode(each.tokens) == each.decoded);
  }
}

void check_same(const Tokenizer& a, const Tokenizer& b) {
  REQUIRE(a.vocabulary_size() == b.vocabulary_size());
  CHECK(a.kind() == b.kind());
  CHECK(a.begin() == b.begin());
  CHECK(a.end() == b.end());
  for (const Case& each : cases_of("byte_level")) {
    CAPTURE(each.text);
    const std::vector<Token> tokens = a.encode(each.text);
    CHECK(tokens == b.encode(each.text));
    CHECK(a.decode(tokens) == b.decode(tokens));
  }
}

}  // namespace

TEST_CASE("byte-level BPE gives the tokens of PyPI's tokenizers") {
  const auto tokenizer = open_tokenizer(golden("byte_level/tokenizer.json"));
  CHECK(tokenizer->kind() == "bpe");
  CHECK(tokenizer->vocabulary_size() == 400);
  check_against(*tokenizer, "byte_level");
  check_same(*tokenizer, *tokenizer_from_json(tokenizer->to_json(), "test"));
}

TEST_CASE("vocab.json and merges.txt give the tokens of tokenizer.json") {
  // Saved without <|endoftext|>, which a model of GPT-2's has at the end.
  const auto whole = open_tokenizer(golden("byte_level/tokenizer.json"));
  for (const char* name : {"byte_level/vocab.json", "byte_level/merges.txt"}) {
    const auto pair = open_tokenizer(golden(name));
    CHECK(pair->vocabulary_size() == 399);
    for (const Case& each : cases_of("byte_level"))
      if (each.text.find("<|endoftext|>") == std::string::npos)
        CHECK(pair->encode(each.text) == each.tokens);
  }
}

TEST_CASE("training learns the merges of PyPI's tokenizers") {
  const std::string corpus = text_of(golden("corpus.txt"));
  const ByteLevelVocabulary trained = train_byte_level_bpe(corpus, 399);
  const auto other = open_tokenizer(golden("byte_level/vocab.json"));
  const auto& expected = dynamic_cast<const ByteLevelBpe&>(*other).vocabulary();
  REQUIRE(trained.tokens.size() == expected.tokens.size());
  for (std::size_t i = 0; i < expected.tokens.size(); ++i) {
    CAPTURE(i);
    CHECK(trained.tokens[i] == expected.tokens[i]);
  }
  CHECK(trained.merges == expected.merges);
  CHECK(train_byte_level_bpe("", 300).tokens.size() == 256);
  CHECK(train_byte_level_bpe("ab", 300).tokens.size() == 256);
  CHECK(train_byte_level_bpe("abab", 300).merges.size() == 1);
  CHECK_THROWS_AS(train_byte_level_bpe("ab", 255), ArgumentError);
}

TEST_CASE("byte-level BPE gives back any bytes") {
  const auto tokenizer = open_tokenizer(golden("byte_level/tokenizer.json"));
  std::mt19937 random(1);
  for (int i = 0; i < 300; ++i) {
    std::string text;
    for (unsigned n = random() % 60; n > 0; --n)
      text += random() % 2 == 0 ? "the \xc3\xa9 "[random() % 7] : static_cast<char>(random());
    CAPTURE(text);
    CHECK(tokenizer->decode(tokenizer->encode(text)) == text);
  }
}

TEST_CASE("SentencePiece's model gives its tokens") {
  const auto tokenizer = open_tokenizer(golden("sentencepiece/tokenizer.model"));
  CHECK(tokenizer->kind() == "sentencepiece");
  CHECK(tokenizer->vocabulary_size() == 400);
  CHECK(tokenizer->begin() == 1);
  CHECK(tokenizer->end() == 2);
  CHECK(tokenizer->bytes(1).empty());
  check_against(*tokenizer, "sentencepiece");
  check_same(*tokenizer, *tokenizer_from_json(tokenizer->to_json(), "test"));
}

TEST_CASE("llama2.c's tokenizer.bin gives SentencePiece's tokens") {
  const auto tokenizer = open_tokenizer(golden("sentencepiece/tokenizer.bin"));
  CHECK(tokenizer->begin() == 1);
  CHECK(tokenizer->end() == 1);
  check_against(*tokenizer, "sentencepiece");
}

TEST_CASE("the tokenizers in GGUF files give the tokens of those they were made from") {
  check_against(*open_tokenizer(golden("llama.gguf")), "sentencepiece");
  check_against(*open_tokenizer(golden("gpt2.gguf")), "byte_level");
}

TEST_CASE("Llama's tokenizer.json, of old and with Metaspace, gives the tokens of tokenizers") {
  for (const std::string name : {"json", "metaspace"}) {
    CAPTURE(name);
    const auto tokenizer = open_tokenizer(
        golden(name == "json" ? "sentencepiece/tokenizer.json" : "sentencepiece/metaspace.json"));
    CHECK(tokenizer->kind() == "sentencepiece");
    CHECK(tokenizer->begin() == 1);
    check_against(*tokenizer, name);
    check_same(*tokenizer, *tokenizer_from_json(tokenizer->to_json(), "test"));
  }
}

TEST_CASE("long texts take no time to speak of") {
  const auto level = open_tokenizer(golden("byte_level/tokenizer.json"));
  const auto piece = open_tokenizer(golden("sentencepiece/tokenizer.model"));
  for (const std::string unit : {"a", " ", "the tokens ", "\xff", "\n"}) {
    std::string text;
    while (text.size() < 300'000) text += unit;
    CHECK(level->decode(level->encode(text)) == text);
    CHECK(piece->decode(piece->encode(text)) == text);
  }
}

TEST_CASE("added tokens: the longest first, with blanks, and whole words only") {
  const AddedTokens added({{.token = 1, .text = "<a>"},
                           {.token = 2, .text = "<a><b>"},
                           {.token = 3, .text = "L", .takes_left = true},
                           {.token = 4, .text = "R", .takes_right = true},
                           {.token = 5, .text = "word", .is_whole_word = true}});
  const auto split = [&](std::string_view text) {
    std::string result;
    added.split(
        text, [&](std::string_view stretch) { result += "[" + std::string(stretch) + "]"; },
        [&](Token token) { result += std::to_string(token); });
    return result;
  };
  CHECK(split("") == "");
  CHECK(split("x") == "[x]");
  CHECK(split("<a>") == "1");
  CHECK(split("<a><a><b>x<a><") == "12[x]1[<]");
  CHECK(split("x  L  y") == "[x]3[  y]");
  CHECK(split("x  R  y") == "[x  ]4[y]");
  CHECK(split("word sword words word") == "5[ sword words ]5");
}
