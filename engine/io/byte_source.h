/// A file from outside as its readers see it: bytes at offsets, and errors that say where.
#pragma once

#include <genera/io.h>

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace genera::io {

/// What a reader may allocate beyond the size of the file.
inline constexpr std::int64_t allocation_slack = std::int64_t{64} << 20;

/// `text` on one line: control bytes and backslashes as \xNN. Names from files go into messages
/// through this.
std::string printable(std::string_view text);

/// `size` zeroed bytes; MemoryError for want of memory.
std::vector<std::byte> allocate_bytes(std::int64_t size);

/// An open file or a block of memory. Reading from several threads at once is safe.
class ByteSource {
 public:
  /// Opens a regular file; DataError if that cannot be done. `operation` outlives the object (a
  /// literal).
  static ByteSource open(const char* operation, const std::filesystem::path& path);
  /// Bytes that outlive the object.
  ByteSource(const char* operation, std::string_view name, std::span<const std::byte> bytes);
  ~ByteSource();
  ByteSource(ByteSource&& other) noexcept;
  ByteSource& operator=(ByteSource&&) = delete;

  std::int64_t size() const { return size_; }
  const char* operation() const { return operation_; }
  const std::string& name() const { return name_; }

  /// DataError unless `count` bytes from `offset` on are there.
  void require(std::int64_t offset, std::int64_t count) const;
  /// Fills `out` with the bytes from `offset` on; DataError if the source ends before.
  void read_at(std::int64_t offset, std::span<std::byte> out) const;
  /// `count` bytes from `offset` on; checks that they are there before it allocates.
  std::vector<std::byte> read_block(std::int64_t offset, std::int64_t count) const;

  /// Throws DataError "[operation] name, offset N: problem".
  [[noreturn]] void fail(std::int64_t offset, std::string_view problem) const;

 private:
  ByteSource(const char* operation, std::string name, int file, std::int64_t size);

  const char* operation_;
  std::string name_;
  int file_ = -1;
  std::span<const std::byte> memory_;
  std::int64_t size_ = 0;
};

/// An unsigned number of `bytes.size()` bytes, least significant first.
std::uint64_t little_endian(std::span<const std::byte> bytes);
/// The same, most significant first.
std::uint64_t big_endian(std::span<const std::byte> bytes);
/// Reverses the bytes of every element.
void swap_byte_order(std::span<std::byte> bytes, std::size_t element_size);

/// Bools are loaded as they are, so a byte other than 0 and 1 is an error. `offset`: of the data in
/// the source.
void check_bools(const ByteSource& source, std::int64_t offset, const HostArray& array);

}  // namespace genera::io
