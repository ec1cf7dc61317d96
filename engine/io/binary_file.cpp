#include <genera/error.h>
#include <genera/io.h>

#include <fmt/format.h>

#include "engine/io/byte_source.h"
#include "engine/io/checked_extent.h"

namespace genera::io {

struct BinaryFile::State {
  ByteSource source;
};

BinaryFile::BinaryFile(const char* operation, const std::filesystem::path& path)
    : state_(new State{ByteSource::open(operation, path)}) {}
BinaryFile::BinaryFile(const char* operation, std::span<const std::byte> bytes,
                       std::string_view name)
    : state_(new State{ByteSource(operation, name, bytes)}) {}
BinaryFile::~BinaryFile() = default;
BinaryFile::BinaryFile(BinaryFile&&) noexcept = default;
BinaryFile& BinaryFile::operator=(BinaryFile&&) noexcept = default;

std::int64_t BinaryFile::size() const { return state_->source.size(); }

const std::string& BinaryFile::name() const { return state_->source.name(); }

std::vector<std::byte> BinaryFile::read(std::int64_t offset, std::int64_t count) const {
  return state_->source.read_block(offset, count);
}

HostArray BinaryFile::load(std::int64_t offset, DType dtype,
                           std::span<const std::uint64_t> extents) const {
  const ByteSource& source = state_->source;
  source.require(offset, 0);
  const Extent extent = checked_extent(
      source, offset, extents, size_of(dtype),
      {source.size() - offset, "the file ends before; it is truncated, fetch it again"});
  HostArray array{dtype, extent.shape, source.read_block(offset, extent.bytes)};
  check_bools(source, offset, array);
  return array;
}

void BinaryFile::fail(std::int64_t offset, std::string_view problem) const {
  state_->source.fail(offset, printable(problem));
}

void BinaryFile::fail(std::string_view problem) const {
  throw DataError(
      fmt::format("[{}] {}: {}", state_->source.operation(), name(), printable(problem)));
}

}  // namespace genera::io
