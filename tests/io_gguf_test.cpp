#include <genera/error.h>
#include <genera/io.h>

#include <cstring>

#include "tests/io_files.h"
#include "tests/io_golden.h"

using namespace genera;
using namespace io_test;

namespace {

// Opens a file and loads all of it.
const auto decode = [](const Bytes& bytes) {
  const io::GgufFile file(bytes);
  for (const io::GgufEntry& entry : file.entries()) file.load(entry);
};

// Builds files that say anything.
class Builder {
 public:
  Builder& text(std::string_view value) { return number<std::uint64_t>(value.size()).raw(value); }
  Builder& raw(std::string_view value) {
    bytes_ += value;
    return *this;
  }
  template <class T>
  Builder& number(T value) {
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
    return *this;
  }
  Builder& head(std::uint64_t tensors, std::uint64_t pairs, std::uint32_t version = 3) {
    return raw("GGUF").number(version).number(tensors).number(pairs);
  }
  Builder& key(std::string_view name, std::uint32_t type) { return text(name).number(type); }
  Builder& tensor(std::string_view name, const std::vector<std::uint64_t>& axes, std::uint32_t type,
                  std::uint64_t offset) {
    text(name).number(static_cast<std::uint32_t>(axes.size()));
    for (const std::uint64_t axis : axes) number(axis);
    return number(type).number(offset);
  }
  Builder& data(std::size_t count) {
    bytes_.resize((bytes_.size() + 31) / 32 * 32 + count);
    return *this;
  }
  Bytes bytes() const { return bytes_of(bytes_); }

 private:
  std::string bytes_;
};

std::string refusal(const Builder& builder) {
  return error_of<DataError>([&] { decode(builder.bytes()); });
}

constexpr std::uint32_t f32 = 0, q4_0 = 2, q8_0 = 8;

}  // namespace

TEST_CASE("gguf: reads what the reference implementation wrote") {
  const Bytes bytes = from_hex(golden::gguf);
  const io::GgufFile file(bytes);
  REQUIRE(file.entries().size() == 8);
  const auto load = [&](const char* name) { return file.load(*file.find(name)); };
  const io::HostArray weight = load("weight");
  REQUIRE(weight.shape == Shape{2, 3, 4});
  for (std::size_t i = 0; i < 24; ++i) CHECK(weight.as<float>()[i] == static_cast<float>(i) - 5.0F);
  for (std::size_t i = 0; i < 12; ++i) {
    CHECK(static_cast<float>(load("half").as<float16>()[i]) == static_cast<float>(i) - 5.0F);
    CHECK(static_cast<float>(load("brain").as<bfloat16>()[i]) == static_cast<float>(i) + 7.0F);
  }
  CHECK(load("double").as<double>()[1] == 3.0);
  CHECK(load("count").as<std::int32_t>()[1] == -8);
  CHECK(load("label").shape == Shape{2, 1});
  CHECK(load("label").as<std::int64_t>()[1] == -1);
  CHECK(file.find("nothing") == nullptr);
}

TEST_CASE("gguf: blocks become the reference implementation's numbers") {
  const Bytes bytes = from_hex(golden::gguf);
  const io::GgufFile file(bytes);
  const auto check = [&](const char* name, const char* type, const char* expected) {
    const io::GgufEntry& entry = *file.find(name);
    CHECK(entry.type == type);
    CHECK(entry.dtype == DType::f32);
    const io::HostArray values = file.load(entry);
    const io::HostArray wanted = io::decode_npy(from_hex(expected));
    CHECK(values.shape == wanted.shape);
    CHECK(values.bytes == wanted.bytes);
  };
  check("byte_blocks", "Q8_0", golden::npy_of_gguf_byte_blocks);
  check("nibble_blocks", "Q4_0", golden::npy_of_gguf_nibble_blocks);
}

TEST_CASE("gguf: metadata of every kind") {
  const Bytes bytes = from_hex(golden::gguf);
  const io::GgufFile file(bytes);
  const auto is = [&](const char* key, const io::GgufValue& value) {
    return file.metadata().at(std::string("test.") + key) == value;
  };
  CHECK(is("uint8", std::int64_t{255}));
  CHECK(is("int8", std::int64_t{-1}));
  CHECK(is("uint16", std::int64_t{65535}));
  CHECK(is("int16", std::int64_t{-2}));
  CHECK(is("uint32", std::int64_t{4294967295}));
  CHECK(is("int32", std::int64_t{-3}));
  CHECK(is("uint64", std::int64_t{1} << 62));
  CHECK(is("int64", std::int64_t{-4}));
  CHECK(is("float32", 0.5));
  CHECK(is("float64", -0.25));
  CHECK(is("bool", true));
  CHECK(is("string", std::string("Zoë")));
  CHECK(is("strings", std::vector<std::string>{"a", "", "Zoë"}));
  CHECK(is("floats", std::vector<double>{0.5, -1.5}));
  CHECK(is("integers", std::vector<std::int64_t>{1, -2}));
}

TEST_CASE("gguf: truncated and changed files") {
  check_unreadable([](const auto& path) { return io::GgufFile(path); });
  const Bytes valid = from_hex(golden::gguf);
  const io::GgufFile file(valid);
  const io::GgufEntry& last = file.entries().back();
  for (std::int64_t size = 0; size <= std::ssize(valid); ++size) {
    const Bytes cut(valid.begin(), valid.begin() + size);
    CAPTURE(size);
    // Only the padding after the last tensor may be missing.
    if (size < last.offset + last.bytes)
      CHECK_THROWS_AS(decode(cut), DataError);
    else
      CHECK_NOTHROW(decode(cut));
  }
  Bytes longer = valid;
  longer.push_back(std::byte{0});
  CHECK(mentions(error_of<DataError>([&] { decode(longer); }), "1 bytes follow"));
  check_changed_bytes(valid, decode);
}

TEST_CASE("gguf: lying headers") {
  decode(Builder().head(0, 0).bytes());
  decode(Builder().head(1, 0).tensor("a", {2}, f32, 0).data(8).bytes());
  CHECK(mentions(refusal(Builder().raw("GGML").number(std::uint64_t{0})), "offset 0", "not GGUF"));
  CHECK(mentions(refusal(Builder().head(0, 0, 1)), "version 1"));
  CHECK(mentions(refusal(Builder().head(0, 0, 0x03000000)), "big-endian"));
  for (const std::uint64_t huge : {std::uint64_t{1} << 20, ~std::uint64_t{0}}) {
    CHECK(mentions(refusal(Builder().head(huge, 0)), "tensors are claimed", "offset 8"));
    CHECK(mentions(refusal(Builder().head(0, huge)), "keys are claimed", "offset 16"));
    CHECK(mentions(refusal(Builder().head(0, 1).number(huge).raw(std::string(99, 'k'))),
                   "a text claims"));
  }
  const auto pair = [](std::uint32_t type) { return Builder().head(0, 1).key("k", type); };
  CHECK(mentions(refusal(pair(13).data(99)), "'k': 13 is no type"));
  CHECK(mentions(refusal(pair(7).number('\2')), "a bool is 2"));
  CHECK(mentions(refusal(pair(10).number(~std::uint64_t{0})), "too large"));
  CHECK(mentions(refusal(pair(9).number(9U).number(std::uint64_t{0})), "arrays of arrays"));
  CHECK(mentions(refusal(pair(9).number(4U).number(std::uint64_t{1} << 61)), "an array claims"));
  CHECK(
      mentions(refusal(pair(9).number(8U).number(std::uint64_t{2}).text("a")), "an array claims"));
  CHECK(mentions(refusal(Builder().head(0, 2).key("k", 0).raw("1").key("k", 0).raw("2")),
                 "'k': the key is there twice"));
  CHECK(
      mentions(refusal(Builder().head(0, 1).key(std::string(70000, 'k'), 0).raw("1")), "too long"));
}

TEST_CASE("gguf: lying tensors") {
  const auto one = [](const std::vector<std::uint64_t>& axes, std::uint32_t type,
                      std::uint64_t offset, std::size_t data) {
    return Builder().head(1, 0).tensor("a", axes, type, offset).data(data);
  };
  CHECK(mentions(refusal(one({2}, f32, 0, 7)), "truncated"));
  CHECK(mentions(refusal(one({2}, f32, 0, 33)), "1 bytes follow"));
  CHECK(
      mentions(refusal(one({2}, f32, 32, 40)), "'a' leaves a hole", "begin at 32 and should at 0"));
  CHECK(mentions(refusal(one({2}, f32, std::uint64_t{1} << 40, 8)), "begins at 1099511627776"));
  CHECK(mentions(refusal(one({2}, 12, 0, 8)), "'a' is stored as Q4_K", "Q8_0"));
  CHECK(mentions(refusal(one({2}, 99, 0, 8)), "type 99"));
  CHECK(mentions(refusal(one({33}, q8_0, 0, 99)), "33 is not a multiple of the 32"));
  CHECK(mentions(refusal(one({}, q4_0, 0, 99)), "multiple"));
  CHECK(mentions(refusal(one({32, 0}, q4_0, 0, 99)), "bytes follow"));
  CHECK(mentions(refusal(one({1, 1, 1, 1, 1, 1, 1, 1, 1}, f32, 0, 8)), "9 axes"));
  CHECK(mentions(refusal(one({std::uint64_t{1} << 32, std::uint64_t{1} << 32}, f32, 0, 8)),
                 "overflows"));
  CHECK(mentions(refusal(one({std::uint64_t{1} << 40}, q4_0, 0, 8)), "the file holds less"));
  const auto two = [](const char* second, std::uint64_t offset) {
    return Builder().head(2, 0).tensor("a", {9}, f32, 0).tensor(second, {9}, f32, offset).data(100);
  };
  decode(two("b", 64).bytes());
  CHECK(mentions(refusal(two("b", 0)), "overlaps"));
  CHECK(mentions(refusal(two("b", 32)), "overlaps"));
  CHECK(mentions(refusal(two("b", 36)), "overlaps"));
  CHECK(mentions(refusal(two("a", 64)), "two tensors 'a'"));
  for (const std::uint32_t alignment : {0U, 4U, 12U, 1U << 31})
    CHECK(mentions(refusal(Builder().head(0, 1).key("general.alignment", 4).number(alignment)),
                   "general.alignment"));
  decode(Builder().head(0, 1).key("general.alignment", 4).number(64U).bytes());
}
