#include <genera/error.h>
#include <genera/io.h>

#include <zlib.h>

#include "tests/io_files.h"
#include "tests/io_golden.h"

using namespace genera;
using namespace io_test;

namespace {

Bytes gzip(const Bytes& plain) {
  z_stream stream{};
  REQUIRE(::deflateInit2(&stream, 9, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  Bytes packed(::deflateBound(&stream, plain.size()) + 64);
  Bytes input = plain;
  stream.next_in = reinterpret_cast<Bytef*>(input.data());
  stream.avail_in = static_cast<uInt>(input.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  REQUIRE(::deflate(&stream, Z_FINISH) == Z_STREAM_END);
  packed.resize(stream.total_out);
  ::deflateEnd(&stream);
  return packed;
}

// An IDX header of unsigned bytes; `extents` as they stand in the file.
Bytes header(std::initializer_list<std::uint32_t> extents) {
  Bytes bytes = {std::byte{0}, std::byte{0}, std::byte{8}, static_cast<std::byte>(extents.size())};
  for (const std::uint32_t extent : extents)
    for (int shift = 24; shift >= 0; shift -= 8)
      bytes.push_back(static_cast<std::byte>(extent >> shift & 0xff));
  return bytes;
}

const auto decode = [](const Bytes& bytes) { return io::decode_idx(bytes); };

}  // namespace

TEST_CASE("idx: reads what NumPy laid out") {
  const io::HostArray image = decode(from_hex(golden::idx_u8));
  CHECK(image.dtype == DType::u8);
  CHECK(image.shape == Shape{5, 7});
  for (std::size_t i = 0; i < 35; ++i)
    CHECK(image.as<std::uint8_t>()[i] == static_cast<std::uint8_t>(i * 111));
  CHECK(decode(from_hex(golden::idx_u8_gz)).bytes == image.bytes);
  CHECK(decode(from_hex(golden::idx_i32)).as<std::int32_t>()[1] == -2);
  CHECK(decode(from_hex(golden::idx_i32)).as<std::int32_t>()[2] == 300000);
  CHECK(decode(from_hex(golden::idx_f32)).as<float>()[23] == 18.0F);
  CHECK(decode(from_hex(golden::idx_f64)).as<double>()[0] == -5.0);
  CHECK(decode(from_hex(golden::idx_f64)).shape == Shape{2, 3, 4});
  CHECK(mentions(error_of<DataError>([] { decode(from_hex(golden::idx_i16)); }), "0x0b",
                 "not supported"));
}

TEST_CASE("idx: hostile files") {
  check_unreadable([](const auto& path) { return io::read_idx(path); });
  for (const char* file : {golden::idx_u8, golden::idx_f32, golden::idx_u8_gz}) {
    check_truncations(from_hex(file), decode);
    check_changed_bytes(from_hex(file), decode);
  }
  CHECK(mentions(error_of<DataError>([] {
                   decode(header({60000, 28, 28}));
                 }),
                 "offset 4", "(60000,28,28)", "47040000", "truncated"));
  CHECK(mentions(error_of<DataError>([] { decode(bytes_of("not idx at all")); }), "not IDX"));
  CHECK_THROWS_AS(decode(header({})), DataError);
  CHECK_THROWS_AS(decode(header({1, 1, 1, 1, 1, 1, 1, 1, 1})), DataError);
  CHECK_THROWS_AS(decode(header({0xffffffff, 0xffffffff, 0xffffffff})), DataError);
  CHECK(decode(header({0, 28, 28})).bytes.empty());
}

TEST_CASE("idx: lying and exploding gzip files") {
  // 100 GB claimed by a file of some bytes.
  CHECK(mentions(error_of<DataError>([] {
                   decode(gzip(header({128, 28000, 28000})));
                 }),
                 "64 MiB + 32 times"));
  // Within the cap, but a lie: more than there is, and less than there is.
  CHECK_THROWS_AS(decode(gzip(header({60000000}))), DataError);
  Bytes longer = header({10});
  longer.resize(longer.size() + 11);
  CHECK(mentions(error_of<DataError>([&] { decode(gzip(longer)); }), "longer than its header"));
  // A bomb whose header is honest: 128 MiB from 130 KB.
  Bytes bomb = header({1 << 27});
  bomb.resize(bomb.size() + (1 << 27));
  CHECK_THROWS_AS(decode(gzip(bomb)), DataError);
}

TEST_CASE("idx: gzip files of several members, and large ones") {
  Bytes plain = header({100, 1000, 100});
  for (std::uint32_t i = 0; i < 10000000; ++i)
    plain.push_back(static_cast<std::byte>(i * 2654435761U >> 24 & 3));
  const Bytes first(plain.begin(), plain.begin() + 7);
  const Bytes rest(plain.begin() + 7, plain.end());
  Bytes packed = gzip(first);
  const Bytes tail = gzip(rest);
  packed.insert(packed.end(), tail.begin(), tail.end());
  const io::HostArray array = decode(packed);
  CHECK(array.shape == Shape{100, 1000, 100});
  CHECK(std::equal(array.bytes.begin(), array.bytes.end(), plain.begin() + 16));

  const TemporaryFolder folder;
  write_plain(folder / "x.gz", packed);
  CHECK(io::read_idx(folder / "x.gz").bytes == array.bytes);
  write_plain(folder / "x", plain);
  CHECK(io::read_idx(folder / "x").bytes == array.bytes);
  CHECK_NOTHROW(io::check_idx(folder / "x.gz"));
  CHECK_NOTHROW(io::check_idx(folder / "x"));
  for (Bytes file : {packed, plain, gzip(plain)}) {
    file.resize(file.size() - 1000);
    write_plain(folder / "short", file);
    CHECK_THROWS_AS(io::check_idx(folder / "short"), DataError);
  }
}
