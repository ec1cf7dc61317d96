/// What the tests of engine/io share: bytes from hexadecimal, and hostile variants of a file.
#pragma once

#include <genera/error.h>
#include <genera/io.h>

#include <doctest/doctest.h>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "tests/temporary_folder.h"

namespace io_test {

using Bytes = std::vector<std::byte>;

using genera::test::TemporaryFolder;

inline Bytes bytes_of(std::string_view text) {
  const auto raw = std::as_bytes(std::span(text));
  return {raw.begin(), raw.end()};
}

inline Bytes from_hex(std::string_view digits) {
  Bytes bytes;
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2)
    bytes.push_back(
        static_cast<std::byte>(std::stoi(std::string(digits.substr(i, 2)), nullptr, 16)));
  return bytes;
}

inline void write_plain(const std::filesystem::path& path, const Bytes& bytes) {
  std::ofstream out(path, std::ios::binary);
  out.write(reinterpret_cast<const char*>(bytes.data()),
            static_cast<std::streamsize>(bytes.size()));
  REQUIRE(out.good());
}

inline Bytes read_plain(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  REQUIRE(in.good());
  const std::string text(std::istreambuf_iterator<char>(in), {});
  return bytes_of(text);
}

/// The message of the Error that `action` throws; fails the test where it throws another one or
/// none.
template <class Error, class Action>
std::string error_of(Action&& action) {
  try {
    action();
  } catch (const Error& error) {
    const std::string text = error.what();
    CHECK(text.find('\n') == std::string::npos);
    return text;
  } catch (const std::exception& error) {
    FAIL_CHECK("another error: " << error.what());
    return {};
  }
  FAIL_CHECK("no error");
  return {};
}

/// Whether `text` has all of `parts`.
template <class... Parts>
bool mentions(const std::string& text, const Parts&... parts) {
  const bool result = ((text.find(parts) != std::string::npos) && ...);
  if (!result) MESSAGE(text);
  return result;
}

/// Every proper prefix of a file, and the file with more bytes, is a DataError. Each lies in memory
/// of its own size, so that a sanitizer sees a read past its end.
template <class Decode>
void check_truncations(const Bytes& valid, Decode&& decode) {
  decode(valid);
  for (std::size_t size = 0; size < valid.size(); ++size) {
    const Bytes cut(valid.begin(), valid.begin() + static_cast<std::ptrdiff_t>(size));
    CAPTURE(size);
    CHECK_THROWS_AS(decode(cut), genera::DataError);
  }
  for (const std::size_t extra : {1, 7, 4096}) {
    Bytes longer = valid;
    longer.resize(valid.size() + extra, std::byte{0x5a});
    CAPTURE(extra);
    CHECK_THROWS_AS(decode(longer), genera::DataError);
  }
}

/// Each byte, changed in several ways, gives an array or a DataError: nothing else.
template <class Decode>
void check_changed_bytes(const Bytes& valid, Decode&& decode) {
  for (std::size_t i = 0; i < valid.size(); ++i) {
    for (const unsigned mask : {0x01U, 0x80U, 0xffU, 0x20U}) {
      Bytes changed = valid;
      changed[i] ^= static_cast<std::byte>(mask);
      CAPTURE(i);
      CAPTURE(mask);
      try {
        decode(changed);
      } catch (const genera::DataError&) {
      }
    }
  }
}

/// Missing file, folder, named pipe and no permission, for a reader of files.
template <class Read>
void check_unreadable(Read&& read) {
  const TemporaryFolder folder;
  CHECK(mentions(error_of<genera::DataError>([&] { read(folder / "nowhere"); }), "nowhere",
                 "No such file"));
  CHECK(mentions(error_of<genera::DataError>([&] { read(folder.path()); }), "is a folder"));
  CHECK(mentions(error_of<genera::DataError>([&] { read(folder / "a\nb"); }), "a\\x0ab"));
  write_plain(folder / "empty", {});
  CHECK(mentions(error_of<genera::DataError>([&] { read(folder / "empty"); }), "offset 0"));
  CHECK_THROWS_AS(read("/dev/null"), genera::DataError);
}

}  // namespace io_test
