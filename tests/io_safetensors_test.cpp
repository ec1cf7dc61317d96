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
  const io::SafetensorsFile file(bytes);
  for (const io::SafetensorsEntry& entry : file.entries()) file.load(entry);
};

Bytes file_with(const std::string& header, std::size_t data) {
  const std::uint64_t length = header.size();
  std::string file(8, '\0');
  std::memcpy(file.data(), &length, 8);
  return bytes_of(file + header + std::string(data, '\0'));
}

std::string refusal(const std::string& header, std::size_t data) {
  return error_of<DataError>([&] { decode(file_with(header, data)); });
}

}  // namespace

TEST_CASE("safetensors: reads what the reference implementation wrote") {
  const Bytes bytes = from_hex(golden::safetensors);
  const io::SafetensorsFile file(bytes);
  CHECK(file.entries().size() == 9);
  CHECK(file.metadata().at("note") == "Zoë \"quoted\"\n");
  const io::HostArray weight = file.load("weight");
  REQUIRE(weight.shape == Shape{2, 3, 4});
  for (std::size_t i = 0; i < 24; ++i) {
    CHECK(weight.as<float>()[i] == static_cast<float>(i) - 5.0F);
    CHECK(static_cast<float>(file.load("half").as<float16>()[i]) == static_cast<float>(i) - 5.0F);
  }
  CHECK(file.load("double").shape == Shape{});
  CHECK(file.load("double").as<double>()[0] == 0.5);
  CHECK(file.load("label").as<std::int64_t>()[1] == -1);
  CHECK(file.load("count").shape == Shape{2, 1});
  CHECK(file.load("count").as<std::int32_t>()[1] == -8);
  CHECK(file.load("bytes").as<std::uint8_t>()[1] == 255);
  CHECK(file.load("wide").as<std::uint32_t>()[0] == 4294967295U);
  CHECK_FALSE(file.load("mask").as<bool>()[1]);
  CHECK(file.load("empty").shape == Shape{0, 3});
  CHECK(file.find("nothing") == nullptr);
  CHECK(mentions(error_of<DataError>([&] { file.load("nothing"); }), "no tensor 'nothing'", "'",
                 "9"));
}

TEST_CASE("safetensors: what is written is read back") {
  const TemporaryFolder folder;
  std::vector<io::NamedArray> arrays;
  for (int i = 0; i < dtype_count; ++i) {
    const auto dtype = static_cast<DType>(i);
    io::HostArray array = io::HostArray::zeros(dtype, {3, i + 1});
    for (std::size_t k = 0; k < array.bytes.size(); ++k)
      array.bytes[k] = static_cast<std::byte>(dtype == DType::boolean ? k % 2 : k * 7);
    arrays.push_back({"layer." + std::to_string(i) + ".größe \"x\"", std::move(array)});
  }
  arrays.push_back({"", io::HostArray::zeros(DType::f32, {})});
  arrays.push_back({"empty", io::HostArray::zeros(DType::f64, {0, 7})});
  const io::Metadata metadata = {{"a", "1"}, {"b\n", "\"\\\x01"}, {"", ""}};
  io::write_safetensors(folder / "x", io::views(arrays), metadata);
  io::SafetensorsFile opened(folder / "x");
  const io::SafetensorsFile file = std::move(opened);
  CHECK(file.metadata() == metadata);
  REQUIRE(file.entries().size() == arrays.size());
  for (const io::NamedArray& named : arrays) {
    const io::HostArray back = file.load(named.name);
    CHECK(back.dtype == named.array.dtype);
    CHECK(back.shape == named.array.shape);
    CHECK(back.bytes == named.array.bytes);
    CHECK(file.find(named.name)->offset % static_cast<std::int64_t>(size_of(back.dtype)) == 0);
  }
  io::write_safetensors(folder / "none", {});
  CHECK(io::SafetensorsFile(folder / "none").entries().empty());
}

TEST_CASE("safetensors: the writer refuses what a reader would") {
  const TemporaryFolder folder;
  const io::HostArray one = io::HostArray::zeros(DType::f32, {1});
  const auto refuses = [&](const std::vector<io::NamedArray>& arrays,
                           const io::Metadata& metadata = {}) {
    return error_of<ArgumentError>(
        [&] { io::write_safetensors(folder / "x", io::views(arrays), metadata); });
  };
  CHECK(mentions(refuses({{"a", one}, {"a", one}}), "two tensors 'a'"));
  CHECK(mentions(refuses({{"__metadata__", one}}), "__metadata__"));
  CHECK(mentions(refuses({{"\xff", one}}), "UTF-8"));
  CHECK(mentions(refuses({}, {{"a", "\xff"}}), "UTF-8"));
  io::HostArray lying = one;
  lying.bytes.resize(3);
  CHECK(mentions(refuses({{"a", lying}}), "3 bytes"));
  CHECK(folder.files() == 0);
}

TEST_CASE("safetensors: hostile files") {
  check_unreadable([](const auto& path) { return io::SafetensorsFile(path); });
  check_truncations(from_hex(golden::safetensors), decode);
  check_changed_bytes(from_hex(golden::safetensors), decode);
  const Bytes small =
      file_with(R"({"__metadata__":{"k":"v"},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
                R"("b":{"dtype":"BOOL","shape":[],"data_offsets":[8,9]}} )",
                9);
  check_truncations(small, decode);
  check_changed_bytes(small, decode);

  const auto entry = [](const std::string& shape, const std::string& offsets) {
    return R"({"dtype":"U8","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}";
  };
  const auto one = [&](const std::string& shape, const std::string& offsets) {
    return "{\"a\":" + entry(shape, offsets) + "}";
  };
  decode(file_with(one("[4]", "[0,4]"), 4));
  decode(file_with("{}", 0));
  CHECK(mentions(refusal(one("[4]", "[0,4]"), 3), "'a'", "end beyond the 3 bytes", "truncated"));
  CHECK(mentions(refusal(one("[4]", "[0,4]"), 5), "1 bytes follow"));
  CHECK(mentions(refusal(one("[4]", "[1,5]"), 5), "hole"));
  CHECK(mentions(refusal(one("[4]", "[0,3]"), 3), "4 bytes, but"));
  CHECK(mentions(refusal(one("[3]", "[0,4]"), 4), "needs 3 bytes"));
  CHECK(mentions(refusal(one("[4]", "[4,0]"), 4), "backwards"));
  CHECK(mentions(refusal(one("[4]", "[-4,0]"), 4), "negative"));
  CHECK(mentions(refusal(one("[-4]", "[0,4]"), 4), "-4 is negative"));
  CHECK(mentions(refusal(one("[4.0]", "[0,4]"), 4), "not an integer"));
  CHECK(mentions(refusal(one("[4]", "[0,18446744073709551616]"), 4), "not an integer"));
  CHECK(mentions(refusal(one("[4]", "[0,18446744073709551615]"), 4), "end beyond"));
  CHECK(mentions(refusal(one("[4294967296,4294967296]", "[0,0]"), 0), "overflows"));
  CHECK(mentions(refusal(one("[4]", "[0,4,4]"), 4), "not expected"));
  CHECK(mentions(refusal(one("[4]", "[0]"), 4), "two numbers"));
  CHECK(mentions(refusal(one("[[4]]", "[0,4]"), 4), "array is not expected"));
  CHECK(mentions(refusal(one("[1,1,1,1,1,1,1,1,1]", "[0,1]"), 1), "more than 8 axes"));
  CHECK(mentions(
      refusal("{\"a\":" + entry("[2]", "[0,2]") + ",\"b\":" + entry("[2]", "[1,3]") + "}", 3),
      "overlaps"));
  CHECK(mentions(
      refusal("{\"a\":" + entry("[2]", "[0,2]") + ",\"a\":" + entry("[2]", "[2,4]") + "}", 4),
      "there twice"));
  CHECK(mentions(refusal(R"({"__metadata__":{"k":"1","k":"2"}})", 0), "'k' is there twice"));
  CHECK(mentions(refusal(R"({"__metadata__":{"k":1}})", 0), "not expected"));
  CHECK(mentions(refusal(R"({"__metadata__":null})", 0), "null"));
  CHECK(mentions(refusal(R"({"a":{"dtype":"F8","shape":[1],"data_offsets":[0,1]}})", 1), "F8",
                 "BF16"));
  CHECK(
      mentions(refusal(R"({"a":{"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]}})", 1),
               "repeated"));
  CHECK(mentions(refusal(R"({"a":{"dtype":"U8","shape":[1]}})", 1), "missing"));
  CHECK(mentions(refusal(R"({"a":{"b":{"c":{}}}})", 0), "unknown"));
  CHECK(mentions(refusal("[]", 0), "'{'"));
  CHECK(mentions(refusal("", 0), "'{'"));
  CHECK(mentions(refusal("{\"\xff\":1}", 0), "invalid JSON"));
  CHECK(mentions(refusal("{} {}", 0), "invalid JSON"));
  CHECK(mentions(refusal("{\"a\":" + std::string(100000, '['), 0), "not expected"));
  CHECK(mentions(refusal("{\"x\ny\":1}", 0), "invalid JSON"));
}

TEST_CASE("safetensors: oversized headers and many tensors") {
  for (const std::uint64_t length : {std::uint64_t{100'000'001}, std::uint64_t{1} << 31,
                                     std::uint64_t{1} << 63, ~std::uint64_t{0}}) {
    Bytes bytes = file_with("{}", 0);
    std::memcpy(bytes.data(), &length, 8);
    CHECK(mentions(error_of<DataError>([&] { decode(bytes); }), "at most 100000000"));
  }
  Bytes claimed = file_with("{}", 0);
  const std::uint64_t length = 100'000'000;
  std::memcpy(claimed.data(), &length, 8);
  CHECK(mentions(error_of<DataError>([&] { decode(claimed); }), "truncated"));

  std::string header = "{";
  for (int i = 0; i < 300000; ++i)
    header += "\"" + std::to_string(i) + R"(":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},)";
  header.back() = '}';
  CHECK(mentions(refusal(header, 0), "more than 262144 tensors"));
  // A hundred thousand tensors on the same bytes: refused in no time.
  header = "{";
  for (int i = 0; i < 100000; ++i)
    header += "\"" + std::to_string(i) + R"(":{"dtype":"U8","shape":[9],"data_offsets":[0,9]},)";
  header.back() = '}';
  CHECK(mentions(refusal(header, 9), "overlaps"));
}
