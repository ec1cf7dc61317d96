#include <genera/error.h>
#include <genera/io.h>

#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cmath>
#include <cstdlib>
#include <limits>

#include "engine/io/checked_extent.h"
#include "engine/io/json_text.h"
#include "tests/io_files.h"

using namespace genera;
using namespace io_test;

TEST_CASE("io: a host array checks dtype and size") {
  io::HostArray array = io::HostArray::zeros(DType::f32, {2, 3});
  CHECK(array.bytes.size() == 24);
  array.as<float>()[5] = 2.5F;
  CHECK(array.view().as<float>()[5] == 2.5F);
  CHECK(mentions(error_of<ArgumentError>([&] { array.as<double>(); }), "(2,3)", "f32", "f64"));
  array.bytes.resize(23);
  CHECK_THROWS_AS(array.as<float>(), ArgumentError);
  const std::array<std::int32_t, 2> values = {1, 2};
  CHECK(io::HostArray::of<std::int32_t>({2}, values).as<std::int32_t>()[1] == 2);
  CHECK_THROWS_AS(io::HostArray::of<std::int32_t>({3}, values), ArgumentError);
  CHECK_THROWS_AS(io::HostArray::zeros(DType::f64, {std::int64_t{1} << 61}), MemoryError);
  CHECK(io::HostArray::zeros(DType::u8, {}).bytes.size() == 1);
  CHECK(io::HostArray::zeros(DType::f64, {3, 0}).as<double>().empty());
}

TEST_CASE("io: checked_extent refuses what overflows or exceeds the limit") {
  const io::ByteSource source("test", "memory", {});
  const auto extent = [&](std::vector<std::uint64_t> extents, std::size_t size,
                          std::int64_t limit) {
    return io::checked_extent(source, 7, extents, size, {limit, "the reason"});
  };
  CHECK(extent({2, 3}, 4, 24).bytes == 24);
  CHECK(extent({}, 8, 8).bytes == 8);
  CHECK(extent({0, 1000000}, 8, 0).bytes == 0);
  CHECK(extent({0, 1000000}, 8, 0).shape == Shape{0, 1000000});
  CHECK(mentions(error_of<DataError>([&] {
                   extent({2, 3}, 4, 23);
                 }),
                 "offset 7", "24 bytes", "the reason"));
  constexpr std::int64_t all = std::numeric_limits<std::int64_t>::max();
  for (const std::uint64_t large :
       {std::uint64_t{1} << 31, (std::uint64_t{1} << 32) + 1, std::uint64_t{1} << 62,
        std::uint64_t{1} << 63, std::numeric_limits<std::uint64_t>::max()}) {
    CHECK_THROWS_AS(extent({large, large}, 4, all), DataError);
    CHECK_THROWS_AS(extent({large, 0, large}, 4, all), DataError);
    CHECK_THROWS_AS(extent({large}, 1, 1000), DataError);
  }
  CHECK_THROWS_AS(extent({1, 1, 1, 1, 1, 1, 1, 1, 1}, 1, all), DataError);
}

TEST_CASE("io: a named pipe or a file without permission is refused at once") {
  const TemporaryFolder folder;
  const auto pipe = folder / "pipe";
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  CHECK(mentions(error_of<DataError>([&] { io::read_idx(pipe); }), "not a regular file"));

  const auto locked = folder / "locked";
  write_plain(locked, bytes_of("secret"));
  REQUIRE(::chmod(locked.c_str(), 0) == 0);
  REQUIRE(::chmod(folder.path().c_str(), 0755) == 0);
  // The superuser may read everything, so become nobody for a moment.
  const uid_t user = ::geteuid();
  constexpr uid_t nobody = 65534;
  if (user == 0) REQUIRE(::seteuid(nobody) == 0);
  const std::string text = error_of<DataError>([&] { io::read_npy(locked); });
  if (user == 0) REQUIRE(::seteuid(user) == 0);
  CHECK(mentions(text, "locked", "Permission denied"));
}

TEST_CASE("io: names from outside cannot break a message into lines") {
  CHECK(io::printable("a\nb\x1b[0m\\c\x7f") == "a\\x0ab\\x1b[0m\\x5cc\\x7f");
  CHECK(io::printable("größe") == "größe");
  CHECK(io::printable(std::string(5000, 'x')).size() < 1100);
}

TEST_CASE("io: JSON strings and numbers") {
  std::string text;
  io::append_json_string(text, "a\"b\\c\n\t\r\x01 größe");
  CHECK(text == "\"a\\\"b\\\\c\\n\\t\\r\\u0001 größe\"");
  const auto number = [](double value) {
    std::string result;
    io::append_json_number(result, value);
    return result;
  };
  CHECK(number(0.1) == "0.1");
  CHECK(number(-0.0) == "-0");
  CHECK(std::stod(number(1.0 / 3)) == 1.0 / 3);
  CHECK(std::strtod(number(5e-324).c_str(), nullptr) == 5e-324);
  CHECK(number(std::nan("")) == "null");
  CHECK(number(-std::numeric_limits<double>::infinity()) == "null");
  std::string integer;
  io::append_json_number(integer, std::numeric_limits<std::int64_t>::min());
  CHECK(integer == "-9223372036854775808");
}

TEST_CASE("io: UTF-8 is checked strictly") {
  for (const char* valid : {"", "a", "\xc2\x80", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xf0\x90\x80\x80",
                            "\xf4\x8f\xbf\xbf"})
    CHECK(io::is_utf8(valid));
  for (const char* invalid :
       {"\x80", "\xc1\x80", "\xc2", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xf0\x8f\xbf\xbf",
        "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xe2\x82", "a\xff"})
    CHECK_FALSE(io::is_utf8(invalid));
}
