#include "engine/io/byte_source.h"

#include <genera/error.h>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <new>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace genera::io {

static_assert(std::endian::native == std::endian::little,
              "arrays are copied between files and memory as they are");

std::string printable(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f || byte == '\\')
      result += fmt::format("\\x{:02x}", byte);
    else
      result += c;
  }
  constexpr std::size_t longest = 1024;
  if (result.size() > longest) {
    result.resize(longest);
    result += "...";
  }
  return result;
}

std::vector<std::byte> allocate_bytes(std::int64_t size) {
  try {
    return std::vector<std::byte>(static_cast<std::size_t>(size));
  } catch (const std::bad_alloc&) {
  } catch (const std::length_error&) {
  }
  throw MemoryError(fmt::format("[io] no memory for an array of {} bytes", size));
}

ByteSource ByteSource::open(const char* operation, const std::filesystem::path& path) {
  const std::string name = printable(path.native());
  const auto refuse = [&](std::string_view problem) {
    throw DataError(fmt::format("[{}] {}: {}", operation, name, problem));
  };
  // Without O_NONBLOCK the open of a named pipe would wait for a writer, perhaps forever.
  int file = -1;
  do file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  while (file < 0 && errno == EINTR);
  if (file < 0) {
    const int reason = errno;
    refuse(fmt::format("cannot be opened ({}); check the path and its permissions",
                       std::generic_category().message(reason)));
  }
  struct stat status {};
  const bool known = ::fstat(file, &status) == 0;
  if (!known || !S_ISREG(status.st_mode)) {
    ::close(file);
    refuse(known && S_ISDIR(status.st_mode) ? "is a folder; name a file in it"
                                            : "is not a regular file; copy it into one first");
  }
  return {operation, name, file, static_cast<std::int64_t>(status.st_size)};
}

ByteSource::ByteSource(const char* operation, std::string name, int file, std::int64_t size)
    : operation_(operation), name_(std::move(name)), file_(file), size_(size) {}

ByteSource::ByteSource(const char* operation, std::string_view name,
                       std::span<const std::byte> bytes)
    : operation_(operation),
      name_(printable(name)),
      memory_(bytes),
      size_(static_cast<std::int64_t>(bytes.size())) {}

ByteSource::~ByteSource() {
  if (file_ >= 0) ::close(file_);
}

ByteSource::ByteSource(ByteSource&& other) noexcept
    : operation_(other.operation_),
      name_(std::move(other.name_)),
      file_(std::exchange(other.file_, -1)),
      memory_(other.memory_),
      size_(other.size_) {}

void ByteSource::require(std::int64_t offset, std::int64_t count) const {
  if (offset < 0 || count < 0 || offset > size_ || count > size_ - offset)
    fail(size_, fmt::format("the file ends where {} bytes from offset {} on are needed; it is "
                            "truncated, fetch it again",
                            count, offset));
}

void ByteSource::read_at(std::int64_t offset, std::span<std::byte> out) const {
  require(offset, static_cast<std::int64_t>(out.size()));
  if (out.empty()) return;
  if (file_ < 0) {
    std::memcpy(out.data(), memory_.data() + offset, out.size());
    return;
  }
  std::size_t done = 0;
  while (done < out.size()) {
    const std::int64_t at = offset + static_cast<std::int64_t>(done);
    const ssize_t got = ::pread(file_, out.data() + done, out.size() - done, at);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0)
      fail(at, fmt::format("cannot be read ({})", std::generic_category().message(errno)));
    if (got == 0) fail(at, "the file became shorter while it was read; try again");
    done += static_cast<std::size_t>(got);
  }
}

std::vector<std::byte> ByteSource::read_block(std::int64_t offset, std::int64_t count) const {
  require(offset, count);
  std::vector<std::byte> block = allocate_bytes(count);
  read_at(offset, block);
  return block;
}

void ByteSource::fail(std::int64_t offset, std::string_view problem) const {
  throw DataError(fmt::format("[{}] {}, offset {}: {}", operation_, name_, offset, problem));
}

std::uint64_t little_endian(std::span<const std::byte> bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = bytes.size(); i-- > 0;)
    value = value << 8 | std::to_integer<std::uint64_t>(bytes[i]);
  return value;
}

std::uint64_t big_endian(std::span<const std::byte> bytes) {
  std::uint64_t value = 0;
  for (const std::byte byte : bytes) value = value << 8 | std::to_integer<std::uint64_t>(byte);
  return value;
}

void swap_byte_order(std::span<std::byte> bytes, std::size_t element_size) {
  if (element_size < 2) return;
  for (std::size_t i = 0; i + element_size <= bytes.size(); i += element_size)
    std::reverse(bytes.data() + i, bytes.data() + i + element_size);
}

void check_bools(const ByteSource& source, std::int64_t offset, const HostArray& array) {
  if (array.dtype != DType::boolean) return;
  for (std::size_t i = 0; i < array.bytes.size(); ++i)
    if (std::to_integer<unsigned>(array.bytes[i]) > 1)
      source.fail(
          offset + static_cast<std::int64_t>(i),
          fmt::format("a bool has the value {}, only 0 and 1 are valid; the file is corrupt",
                      std::to_integer<unsigned>(array.bytes[i])));
}

}  // namespace genera::io
