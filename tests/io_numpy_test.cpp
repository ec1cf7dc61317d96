#include <genera/error.h>
#include <genera/io.h>

#include <array>

#include "tests/io_files.h"
#include "tests/io_golden.h"

using namespace genera;
using namespace io_test;

namespace {

const auto decode_npy = [](const Bytes& bytes) { return io::decode_npy(bytes); };
const auto decode_npz = [](const Bytes& bytes) { return io::decode_npz(bytes); };

void check_ramp(const io::HostArray& array) {
  REQUIRE(array.shape == Shape{2, 3, 4});
  for (std::size_t i = 0; i < 24; ++i) CHECK(array.as<float>()[i] == static_cast<float>(i) - 5.0F);
}

// An .npy file with any header text, and `data` zero bytes.
Bytes npy_with(const std::string& header, std::size_t data = 0) {
  std::string file = "\x93NUMPY";
  file += {'\x01', '\x00', static_cast<char>(header.size() & 0xff),
           static_cast<char>(header.size() >> 8)};
  file += header + std::string(data, '\0');
  return bytes_of(file);
}

std::string refusal(const std::string& header, std::size_t data = 0) {
  return error_of<DataError>([&] { decode_npy(npy_with(header, data)); });
}

}  // namespace

TEST_CASE("npy: reads what NumPy wrote") {
  check_ramp(decode_npy(from_hex(golden::npy_f32)));
  check_ramp(decode_npy(from_hex(golden::npy_f32_fortran_swapped)));
  const io::HostArray scalar = decode_npy(from_hex(golden::npy_f64_scalar));
  CHECK(scalar.shape == Shape{});
  CHECK(scalar.as<double>()[0] == -2.5);
  const io::HostArray half = decode_npy(from_hex(golden::npy_f16_fortran));
  REQUIRE(half.shape == Shape{2, 3, 4});
  for (std::size_t i = 0; i < 24; ++i)
    CHECK(static_cast<float>(half.as<float16>()[i]) == static_cast<float>(i) - 5.0F);
  CHECK(decode_npy(from_hex(golden::npy_i32_swapped)).as<std::int32_t>()[2] == 300000);
  CHECK(decode_npy(from_hex(golden::npy_i64_empty)).shape == Shape{3, 0, 2});
  CHECK(decode_npy(from_hex(golden::npy_u8)).as<std::uint8_t>()[3] == 255);
  CHECK(decode_npy(from_hex(golden::npy_u32)).as<std::uint32_t>()[1] == 4294967295U);
  CHECK(decode_npy(from_hex(golden::npy_bool)).as<bool>()[2]);
  for (const char* refused : {golden::npy_object, golden::npy_struct, golden::npy_i16})
    CHECK_THROWS_AS(decode_npy(from_hex(refused)), DataError);
}

TEST_CASE("npy: what is written is read back") {
  const TemporaryFolder folder;
  for (const DType dtype : {DType::f32, DType::f64, DType::f16, DType::i32, DType::i64, DType::u8,
                            DType::u32, DType::boolean}) {
    for (const Shape& shape : {Shape{}, Shape{5}, Shape{2, 0, 3}, Shape{2, 1, 3, 1, 1, 1, 1, 2}}) {
      io::HostArray array = io::HostArray::zeros(dtype, shape);
      for (std::size_t i = 0; i < array.bytes.size(); ++i)
        array.bytes[i] = static_cast<std::byte>(dtype == DType::boolean ? i % 2 : i * 3);
      io::write_npy(folder / "x.npy", array);
      const io::HostArray back = io::read_npy(folder / "x.npy");
      CHECK(back.dtype == dtype);
      CHECK(back.shape == shape);
      CHECK(back.bytes == array.bytes);
    }
  }
  // The same bytes as NumPy writes.
  io::write_npy(folder / "ramp.npy", decode_npy(from_hex(golden::npy_f32)));
  CHECK(read_plain(folder / "ramp.npy") == from_hex(golden::npy_f32));
  CHECK(mentions(error_of<ArgumentError>([&] {
                   io::write_npy(folder / "y.npy", io::HostArray::zeros(DType::bf16, {1}));
                 }),
                 "bf16"));
}

TEST_CASE("npy: hostile files") {
  check_unreadable([](const auto& path) { return io::read_npy(path); });
  for (const char* file : {golden::npy_f32, golden::npy_bool, golden::npy_f64_scalar}) {
    check_truncations(from_hex(file), decode_npy);
    check_changed_bytes(from_hex(file), decode_npy);
  }
  const std::string descr = "'descr': '<f4', ";
  const std::string order = "'fortran_order': False, ";
  const std::string good = "{" + descr + order + "'shape': (2,), }";
  CHECK(decode_npy(npy_with(good, 8)).shape == Shape{2});
  CHECK(decode_npy(npy_with("{" + order + "\"shape\":(2L,1L)," + descr + "}\n", 8)).shape ==
        Shape{2, 1});
  CHECK(mentions(refusal(good, 7), "needs 8 bytes", "truncated"));
  CHECK(mentions(refusal(good, 9), "unknown bytes follow", "npz"));
  for (const char* shape :
       {"(-1,)", "(18446744073709551616,)", "(4294967296, 4294967296)", "(0, 9223372036854775808)",
        "(1, 1, 1, 1, 1, 1, 1, 1, 1)", "(1.5,)", "(1 2)", "(", "3", "(,)", "[3]", "(0x3,)"})
    CHECK(mentions(refusal("{" + descr + order + "'shape': " + shape + "}"), "offset"));
  for (const char* wrong : {"", "{", "{}", "[]", "{'descr'}", "{'descr': 3}", "{'a': 1}",
                            "{'descr: }", "{'descr': '<f4'} {}"})
    CHECK(mentions(refusal(wrong), "header is not valid"));
  CHECK(mentions(refusal("{" + descr + order + descr + "'shape': ()}", 4), "repeated"));
  CHECK(mentions(refusal("{'descr': '|O', " + order + "'shape': ()}", 8), "|O", "not supported"));
  CHECK(mentions(refusal("{'descr': [('a', '<f4')], " + order + "'shape': ()}", 4), "structured"));
  CHECK(mentions(refusal("{'descr': '|b1', " + order + "'shape': ()}" + "\n", 0), "needs 1 bytes"));
  Bytes bad_bool = from_hex(golden::npy_bool);
  bad_bool.back() = std::byte{2};
  CHECK(mentions(error_of<DataError>([&] { decode_npy(bad_bool); }), "offset 130", "value 2"));
  Bytes version = from_hex(golden::npy_f32);
  version[6] = std::byte{4};
  CHECK(mentions(error_of<DataError>([&] { decode_npy(version); }), "version 4"));
  version[6] = std::byte{2};  // a length field of 4 bytes, of which two are text: far too large
  CHECK(mentions(error_of<DataError>([&] { decode_npy(version); }), "at most 65536"));
}

TEST_CASE("npz: reads what NumPy wrote") {
  const auto stored = decode_npz(from_hex(golden::npz_stored));
  REQUIRE(stored.size() == 2);
  CHECK(stored[0].name == "weight");
  check_ramp(stored[0].array);
  CHECK(stored[1].name == "label");
  CHECK(stored[1].array.as<std::int64_t>()[0] == 3);
  const auto deflated = decode_npz(from_hex(golden::npz_deflated));
  REQUIRE(deflated.size() == 2);
  CHECK(deflated[0].array.shape == Shape{50, 40});
  CHECK(deflated[0].array.as<double>()[1999] == 0.0);
  CHECK(deflated[1].array.as<bool>()[0]);
}

TEST_CASE("npz: what is written is read back") {
  const TemporaryFolder folder;
  const std::vector<io::NamedArray> arrays = {
      {"a", decode_npy(from_hex(golden::npy_f32))},
      {"größe/b", io::HostArray::zeros(DType::i64, {0, 4})},
      {"c", io::HostArray::zeros(DType::boolean, {100000})}};
  io::write_npz(folder / "x.npz", io::views(arrays));
  const auto back = io::read_npz(folder / "x.npz");
  REQUIRE(back.size() == 3);
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(back[i].name == arrays[i].name);
    CHECK(back[i].array.shape == arrays[i].array.shape);
    CHECK(back[i].array.bytes == arrays[i].array.bytes);
  }
  io::write_npz(folder / "none.npz", {});
  CHECK(io::read_npz(folder / "none.npz").empty());
  const std::vector<io::NamedArray> twice = {arrays[0], arrays[0]};
  CHECK_THROWS_AS(io::write_npz(folder / "y.npz", io::views(twice)), ArgumentError);
  const std::vector<io::NamedArray> unnamed = {{"", arrays[0].array}};
  CHECK_THROWS_AS(io::write_npz(folder / "y.npz", io::views(unnamed)), ArgumentError);
  CHECK(folder.files() == 2);
}

TEST_CASE("npz: hostile files") {
  check_unreadable([](const auto& path) { return io::read_npz(path); });
  for (const char* file : {golden::npz_stored, golden::npz_deflated}) {
    check_truncations(from_hex(file), decode_npz);
    check_changed_bytes(from_hex(file), decode_npz);
  }
  // The data of the first member begins after its local header, name and extra field.
  Bytes damaged = from_hex(golden::npz_stored);
  damaged[200] ^= std::byte{1};
  CHECK(mentions(error_of<DataError>([&] { decode_npz(damaged); }), "CRC-32", "weight.npy"));

  // Both entries point at the first member.
  const TemporaryFolder folder;
  const io::HostArray array = io::HostArray::zeros(DType::u8, {10});
  const std::vector<io::NamedArray> pair = {{"a", array}, {"b", array}};
  io::write_npz(folder / "x.npz", io::views(pair));
  Bytes overlapping = read_plain(folder / "x.npz");
  const std::size_t last_entry = overlapping.size() - 22 - 46 - 5;
  for (std::size_t i = 0; i < 4; ++i) overlapping[last_entry + 42 + i] = std::byte{0};
  overlapping[last_entry + 46] = std::byte{'a'};
  CHECK(mentions(error_of<DataError>([&] { decode_npz(overlapping); }), "twice"));
}
