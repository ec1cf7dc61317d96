// Other programs' models and tokenizers, damaged and lying: one clear error each.
#include <doctest/doctest.h>
#include <genera/error.h>
#include <sys/resource.h>

#include <cstdlib>
#include <cstring>
#include <fstream>

#include "tests/io_files.h"
#include "tests/tests_folder.h"
#include "zoo/text/byte_level_bpe.h"
#include "zoo/text/formats/model_file.h"
#include "zoo/text/formats/model_formats.h"
#include "zoo/text/formats/tokenizer_file.h"
#include "zoo/text/sentence_piece.h"

using namespace genera;
using namespace genera::zoo;
using namespace genera::zoo::text;
using namespace io_test;

namespace {

namespace fs = std::filesystem;

fs::path golden(const std::string& name) { return test::tests_folder() / "golden/text" / name; }

std::string text_of(const fs::path& path) {
  const Bytes bytes = read_plain(path);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

void use(const Tokenizer& tokenizer) {
  tokenizer.decode(tokenizer.encode("The tokens of it: \xd0\x9d\xd0\xbe \xff <s> 12"));
}

void open_any(const fs::path& path) {
  const ModelFile file = open_model_file(path, {});
  use(*file.tokenizer);
}

// What `read` makes of the file `name` cut after every 100th byte and with bytes changed: a
// DataError of one line, or something that can be used.
template <class Read>
void check_damaged(const fs::path& name, const Bytes& valid, Read&& read) {
  const auto attempt = [&](const Bytes& bytes) {
    write_plain(name, bytes);
    try {
      read(name);
      return true;
    } catch (const DataError& error) {
      CHECK(std::string(error.what()).find('\n') == std::string::npos);
      return false;
    }
  };
  REQUIRE(attempt(valid));
  for (std::size_t size = 0; size < valid.size(); size += 100) {
    CAPTURE(size);
    attempt({valid.begin(), valid.begin() + static_cast<std::ptrdiff_t>(size)});
  }
  const std::size_t step = std::max<std::size_t>(valid.size() / 400, 1);
  for (std::size_t i = 0; i < valid.size(); i += step) {
    CAPTURE(i);
    Bytes changed = valid;
    changed[i] ^= static_cast<std::byte>(i % 3 == 0 ? 0xff : i % 3 == 1 ? 0x80 : 0x01);
    attempt(changed);
  }
  write_plain(name, valid);
}

// A copy of a golden folder whose config.json says something else.
struct Altered {
  TemporaryFolder folder;
  explicit Altered(const std::string& name) {
    for (const auto& entry : fs::directory_iterator(golden(name)))
      fs::copy(entry.path(), folder / entry.path().filename().string());
  }
  void replace(const std::string& file, const std::string& from, const std::string& to) {
    std::string text = text_of(folder / file);
    const std::size_t at = text.find(from);
    REQUIRE(at != std::string::npos);
    text.replace(at, from.size(), to);
    write_plain(folder / file, bytes_of(text));
  }
};

std::string refusal(const std::string& model, const std::string& from, const std::string& to) {
  Altered altered(model);
  altered.replace("config.json", from, to);
  return error_of<DataError>([&] { import_hugging_face(altered.folder.path()); });
}

Bytes llama2c(const std::vector<std::int32_t>& header, std::size_t size) {
  Bytes bytes(size);
  std::memcpy(bytes.data(), header.data(), header.size() * sizeof(std::int32_t));
  return bytes;
}

}  // namespace

TEST_CASE("damaged models are data errors") {
  const TemporaryFolder folder;
  for (const std::string name : {"llama.gguf", "gpt2.gguf"})
    check_damaged(folder / name, read_plain(golden(name)), open_any);
  check_damaged(folder / "llama.bin", read_plain(golden("llama.bin")),
                [](const fs::path& path) { import_llama2c(path); });
  Altered gpt2("gpt2");
  for (const std::string name : {"model.safetensors", "config.json"})
    check_damaged(gpt2.folder / name, read_plain(golden("gpt2/" + name)),
                  [](const fs::path& path) { import_hugging_face(path.parent_path()); });
  Altered llama("llama");
  for (const std::string name :
       {"model.safetensors.index.json", "model-00002-of-00003.safetensors"})
    check_damaged(llama.folder / name, read_plain(golden("llama/" + name)),
                  [](const fs::path& path) { import_hugging_face(path.parent_path()); });
}

TEST_CASE("truncated models are never taken for whole ones") {
  const TemporaryFolder folder;
  const Bytes valid = read_plain(golden("llama.bin"));
  for (std::size_t size = 0; size < valid.size(); size += 100) {
    write_plain(folder / "llama.bin",
                {valid.begin(), valid.begin() + static_cast<std::ptrdiff_t>(size)});
    CAPTURE(size);
    CHECK_THROWS_AS(import_llama2c(folder / "llama.bin"), DataError);
  }
  const Bytes gguf = read_plain(golden("llama.gguf"));
  for (std::size_t size = 0; size + 32 < gguf.size(); size += 100) {
    write_plain(folder / "a.gguf",
                {gguf.begin(), gguf.begin() + static_cast<std::ptrdiff_t>(size)});
    CAPTURE(size);
    CHECK_THROWS_AS(open_any(folder / "a.gguf"), DataError);
  }
}

TEST_CASE("damaged tokenizers are data errors") {
  const TemporaryFolder folder;
  const auto read = [](const fs::path& path) { use(*open_tokenizer(path)); };
  for (const std::string name : {"sentencepiece/tokenizer.json", "sentencepiece/metaspace.json",
                                 "sentencepiece/tokenizer.model", "sentencepiece/tokenizer.bin",
                                 "byte_level/tokenizer.json"})
    check_damaged(folder / fs::path(name).filename().string(), read_plain(golden(name)), read);
  for (const std::string name : {"vocab.json", "merges.txt"})
    fs::copy(golden("byte_level/" + name), folder / name);
  for (const std::string name : {"vocab.json", "merges.txt"})
    check_damaged(folder / name, read_plain(golden("byte_level/" + name)), read);
}

TEST_CASE("what a model's configuration asks for and is not there is refused") {
  CHECK(mentions(refusal("gpt2", "\"gpt2\"", "\"bert\""), "'bert' is not supported", "mistral"));
  CHECK(mentions(refusal("gpt2", "\"gelu_new\"", "\"relu\""), "activation_function 'relu'"));
  CHECK(mentions(refusal("gpt2", "\"n_head\": 4", "\"n_head\": 5"), "heads must divide the width"));
  CHECK(mentions(refusal("gpt2", "\"n_head\": 4", "\"n_head\": -4"), "'n_head' is -4"));
  CHECK(mentions(refusal("gpt2", "\"n_embd\": 16", "\"n_embd\": \"16\""),
                 "'n_embd' must be an integer"));
  CHECK(mentions(refusal("gpt2", "\"n_embd\": 16", "\"n_embd\": 32"),
                 "'transformer.wte.weight' is (120,16)", "(120,32)"));
  CHECK(mentions(refusal("gpt2", "\"n_layer\": 2", "\"n_layer\": 3"),
                 "no tensor 'transformer.h.2.ln_1.weight'"));
  CHECK(mentions(refusal("gpt2", "\"n_layer\": 2", "\"n_layer\": 99999999999"),
                 "'n_layer' is 99999999999"));
  CHECK(mentions(refusal("gpt2", "\"n_positions\": 24", "\"other\": 24"),
                 "'n_positions' is missing"));
  CHECK(mentions(refusal("gpt2", "\"n_layer\": 2", "\"n_layer\": 2, \"n_layer\": 3"),
                 "'n_layer' is there twice"));
  CHECK(mentions(refusal("llama", "\"silu\"", "\"gelu\""), "hidden_act 'gelu'"));
  CHECK(mentions(refusal("llama", "\"llama3\"", "\"yarn\""), "scaling 'yarn'"));
  CHECK(mentions(refusal("llama", "\"attention_bias\": false", "\"attention_bias\": true"),
                 "attention_bias"));
  CHECK(mentions(refusal("llama", "\"num_key_value_heads\": 2", "\"num_key_value_heads\": 3"),
                 "key-value heads must divide"));
  CHECK(mentions(refusal("llama", "\"rope_theta\": 500.0", "\"rope_theta\": -1"),
                 "'rope_theta' is -1"));
  CHECK(mentions(refusal("mistral", "\"head_dim\": 6", "\"head_dim\": 7"), "even head width"));
  CHECK(mentions(refusal("mistral", "\"head_dim\": 6", "\"head_dim\": 4000000"),
                 "4 heads of width 4000000 are too many"));
}

TEST_CASE("folders whose files do not belong together") {
  Altered llama("llama");
  fs::rename(llama.folder / "model-00002-of-00003.safetensors", llama.folder / "elsewhere");
  const auto open = [&] { import_hugging_face(llama.folder.path()); };
  CHECK(mentions(error_of<DataError>(open), "model-00002-of-00003.safetensors", "No such file"));
  llama.replace("model.safetensors.index.json", "model-00001-of-00003.safetensors",
                "../x.safetensors");
  CHECK(mentions(error_of<DataError>(open), "is not in a file of this folder"));
  fs::remove(llama.folder / "model.safetensors.index.json");
  CHECK(mentions(error_of<DataError>(open), "no model.safetensors"));
  write_plain(llama.folder / "pytorch_model.bin", bytes_of("PK"));
  CHECK(mentions(error_of<DataError>(open), "pickle"));
  CHECK(mentions(error_of<DataError>([&] { open_any(llama.folder / "pytorch_model.bin"); }),
                 "no model that is known here"));
  write_plain(llama.folder / "pytorch_model.bin", bytes_of("PK" + std::string(99, 'x')));
  CHECK(mentions(error_of<DataError>([&] { open_any(llama.folder / "pytorch_model.bin"); }),
                 "pickle"));
  CHECK(mentions(error_of<DataError>([&] { open_any(golden("mistral")); }), "no tokenizer beside",
                 "--tokenizer"));
  CHECK(mentions(error_of<DataError>([&] {
                   open_model_file(golden("mistral"), golden("sentencepiece/tokenizer.json"));
                 }),
                 "the tokenizer has 400 tokens and the model 120"));
  CHECK(mentions(error_of<DataError>([&] {
                   open_model_file(golden("llama.bin"), golden("sentencepiece/tokenizer.bin"));
                 }),
                 "400 tokens and the model 120"));
}

TEST_CASE("weights that are no numbers are refused") {
  const TemporaryFolder folder;
  Bytes bytes = read_plain(golden("llama.bin"));
  const float nan = std::numeric_limits<float>::quiet_NaN();
  std::memcpy(bytes.data() + 28 + 4 * 120 * 16, &nan, sizeof nan);  // after the embedding
  write_plain(folder / "x.bin", bytes);
  CHECK(mentions(error_of<DataError>([&] { import_llama2c(folder / "x.bin"); }), "x.bin",
                 "'blk.0.attn_norm.weight' holds NaN"));
}

TEST_CASE("llama2.c's headers that lie") {
  const TemporaryFolder folder;
  const auto refuse = [&](const std::vector<std::int32_t>& header, std::size_t size) {
    write_plain(folder / "x.bin", llama2c(header, size));
    return error_of<DataError>([&] { import_llama2c(folder / "x.bin"); });
  };
  CHECK(mentions(refuse({16, 24, 2, 4, 2, 120, 24}, 99), "ends before the tensor 'token_embd'"));
  CHECK(mentions(refuse({16, 24, 2, 4, 2, 120, 24}, 99999), "bytes, the file has 99999"));
  CHECK(mentions(refuse({0, 24, 2, 4, 2, 120, 24}, 99), "offset 0", "the width is 0"));
  CHECK(mentions(refuse({16, 24, 2, -4, 2, 120, 24}, 99), "offset 12", "heads is -4"));
  CHECK(mentions(refuse({16, 24, 2, 4, 3, 120, 24}, 99), "must divide the heads"));
  CHECK(mentions(refuse({16, 24, 2, 4, 2, 0, 24}, 99), "vocabulary has 0"));
  CHECK(mentions(refuse({16, 24, 2, 4, 2, std::numeric_limits<std::int32_t>::min(), 24}, 99),
                 "vocabulary"));
  CHECK(mentions(refuse({0x616b3432, 1}, 99), "version 1 or later"));
  CHECK(mentions(refuse({1 << 22, 1 << 22, 4096, 1, 1, 1 << 22, 1 << 20}, 99), "ends before"));
}

TEST_CASE("a name that is too long is no model file") {
  CHECK(!is_model_file(std::string(5000, 'a')));
}

TEST_CASE("patterns that split a text are few: each takes room on the stack") {
  ByteLevelVocabulary vocabulary = train_byte_level_bpe("text", 256);
  vocabulary.patterns.assign(100'000, "\\d+");
  CHECK_THROWS_AS(ByteLevelBpe(vocabulary, "file").encode("1"), DataError);
}

TEST_CASE("a model that does not fit into memory is refused with the numbers") {
  const TemporaryFolder folder;
  const fs::path path = folder / "large.bin";
  // 2^20 tokens of width 1024: 4.3 GB, as a file with a hole.
  const std::int64_t vocabulary = 1 << 20, width = 1024, hidden = 32, context = 16;
  const std::int64_t floats =
      vocabulary * width + 3 * width + 4 * width * width + 3 * width * hidden + context * width;
  write_plain(path, llama2c({1024, 32, 1, 1, 1, 1 << 20, 16}, 28));
  fs::resize_file(path, static_cast<std::uintmax_t>(28 + 4 * floats));
  rlimit before{};
  REQUIRE(getrlimit(RLIMIT_AS, &before) == 0);
  std::int64_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  rlimit limit = before;
  limit.rlim_cur = static_cast<rlim_t>(pages * 4096 + (std::int64_t{512} << 20));
  REQUIRE(setrlimit(RLIMIT_AS, &limit) == 0);
  const std::string message = error_of<MemoryError>([&] { import_llama2c(path); });
  REQUIRE(setrlimit(RLIMIT_AS, &before) == 0);
  CHECK(mentions(message, "large.bin", "1078037504 weights take 4312.2 MB", "8589.9 MB more",
                 "MB are available"));
}

TEST_CASE("JSON that lies") {
  const auto refuse = [](const std::string& text) {
    return error_of<DataError>([&] { JsonFile(text, "x.json"); });
  };
  CHECK(mentions(refuse(""), "x.json", "offset 0", "not valid JSON"));
  CHECK(mentions(refuse("{\"a\":1,"), "not valid JSON"));
  CHECK(mentions(refuse("{\"a\":1}}"), "offset 7"));
  CHECK(mentions(refuse("{\"a\":{\"b\":1,\"b\":2}}"), "'b' is there twice"));
  CHECK(mentions(refuse("[18446744073709551615]"), "too large"));
  CHECK(mentions(refuse(std::string(100000, '[')), "64 levels"));
  CHECK(mentions(refuse("[\"\xff\"]"), "not valid JSON"));
  CHECK(mentions(refuse("[1e999]"), "not valid JSON"));
  std::string many = "[0";
  for (int i = 0; i < 700'000; ++i) many += ",0";
  CHECK(mentions(refuse(many + "]"), "values are not supported"));
  const JsonFile file("{\"a\":-1,\"b\":null,\"c\":\"x\"}", "x.json");
  CHECK(file.integer(file.root(), "b", 0, 9, 7) == 7);
  CHECK_THROWS_AS(file.integer(file.root(), "b", 0, 9), DataError);
  CHECK_THROWS_AS(file.integer(file.root(), "a", 0, 9), DataError);
  CHECK_THROWS_AS(file.integer(file.root(), "c", 0, 9, 7), DataError);
}

TEST_CASE("tokenizers that lie") {
  const auto refuse = [](const std::string& text) {
    return error_of<DataError>([&] { read_hugging_face_tokenizer(JsonFile(text, "t.json")); });
  };
  const auto bytes = [](const std::string& model, const std::string& more = "") {
    return R"({"pre_tokenizer":{"type":"ByteLevel"},"model":{"type":"BPE",)" + model + "}" + more +
           "}";
  };
  CHECK(mentions(refuse("{}"), "'model' is missing"));
  CHECK(mentions(refuse(R"({"model":{"type":"Unigram"}})"), "'Unigram' is not supported"));
  CHECK(mentions(refuse(bytes(R"("vocab":{"a":0},"merges":["a b"])")), "no token 'b'"));
  CHECK(mentions(refuse(bytes(R"("vocab":{"a":0},"merges":["a a"])")),
                 "merge 0 makes what is no token"));
  CHECK(mentions(refuse(bytes(R"("vocab":{"a":0},"merges":["a"])")), "'a' is no merge"));
  CHECK(mentions(refuse(bytes(R"("vocab":{"a":0},"merges":[["a"]])")), "two tokens"));
  CHECK(mentions(refuse(bytes(R"("vocab":{"a":0,"b":0},"merges":[])")), "same number"));
  CHECK(mentions(refuse(bytes(R"("vocab":{"a":-1},"merges":[])")), "number -1"));
  CHECK(mentions(refuse(bytes(R"("vocab":{"a":99999999},"merges":[])")), "number 99999999"));
  CHECK(mentions(refuse(bytes(R"("vocab":{"a":"0"},"merges":[])")), "has no number"));
  CHECK(mentions(refuse(bytes(R"("vocab":{},"merges":[])", R"(,"normalizer":{"type":"NFC"})")),
                 "the normalizer 'NFC'"));
  CHECK(mentions(refuse(R"({"pre_tokenizer":{"type":"Sequence","pretokenizers":[{"type":"Split",)"
                        R"("pattern":{"Regex":"("},"behavior":"Isolated"},{"type":"ByteLevel",)"
                        R"("add_prefix_space":false}]},"model":{"vocab":{"a":0},"merges":[]}})"),
                 "pattern that splits text is not valid"));
  CHECK(mentions(refuse(R"({"model":{"vocab":{"a":0},"merges":[]}})"), "neither bytes nor U+2581"));
  // A pattern that would run for ages.
  ByteLevelVocabulary slow;
  slow.tokens = {"a"};
  slow.patterns = {"(a*)*c"};
  const ByteLevelBpe tokenizer(slow, "t.json");
  std::string text(100000, 'a');
  text += "dc";
  CHECK(mentions(error_of<DataError>([&] { tokenizer.encode(text); }), "t.json",
                 "pattern that splits text failed"));
  CHECK(
      mentions(error_of<DataError>([&] { tokenizer.encode("b"); }), "no token for the byte 0x62"));
}
