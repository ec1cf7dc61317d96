#include <genera/io.h>

#include <fmt/format.h>

#include <array>
#include <optional>

#include "engine/io/byte_source.h"
#include "engine/io/checked_extent.h"
#include "engine/io/inflater.h"

namespace genera::io {
namespace {

std::optional<DType> dtype_of_idx(std::uint64_t code) {
  switch (code) {
    case 0x08:
      return DType::u8;
    case 0x0c:
      return DType::i32;
    case 0x0d:
      return DType::f32;
    case 0x0e:
      return DType::f64;
    default:
      return std::nullopt;
  }
}

struct IdxHeader {
  DType dtype = DType::u8;
  std::size_t rank = 0;
};

IdxHeader parse_magic(const ByteSource& source, std::span<const std::byte, 4> magic) {
  const std::uint64_t value = big_endian(magic);
  const std::optional<DType> dtype = dtype_of_idx(value >> 8 & 0xff);
  const std::uint64_t rank = value & 0xff;
  if (value >> 16 != 0)
    source.fail(0, fmt::format("begins with 0x{:08x}, which is not IDX; name an IDX file", value));
  if (!dtype)
    source.fail(2, fmt::format("element type 0x{:02x} is not supported (08 u8, 0C i32, 0D f32, 0E "
                               "f64 are); convert the file",
                               value >> 8 & 0xff));
  if (rank < 1 || rank > Shape::max_rank)
    source.fail(3, fmt::format("{} axes are not supported (1 to {} are); reshape the array", rank,
                               Shape::max_rank));
  return {*dtype, static_cast<std::size_t>(rank)};
}

// `read(span)` gives the next bytes of the unpacked file; `limit(position)` what may follow there.
template <class Read, class Limit>
HostArray decode_header(const ByteSource& source, Read&& read, Limit&& limit, Extent& extent) {
  std::array<std::byte, 4> magic{};
  read(std::span<std::byte>(magic));
  const IdxHeader header = parse_magic(source, magic);
  std::array<std::byte, 4 * Shape::max_rank> raw{};
  read(std::span<std::byte>(raw).first(4 * header.rank));
  std::array<std::uint64_t, Shape::max_rank> extents{};
  for (std::size_t i = 0; i < header.rank; ++i)
    extents[i] = big_endian(std::span(raw).subspan(4 * i, 4));
  extent = checked_extent(source, 4, std::span(extents).first(header.rank), size_of(header.dtype),
                          limit(static_cast<std::int64_t>(4 + 4 * header.rank)));
  return {header.dtype, extent.shape, {}};
}

// What read_idx reads: the header alone leaves `bytes` empty.
enum class Part { header, all };

// The length of the unpacked data that a gzip file ends with (of its last member, modulo 2^32).
bool trailer_says(const ByteSource& source, std::int64_t unpacked) {
  std::array<std::byte, 4> trailer{};
  source.read_at(source.size() - 4, trailer);
  return little_endian(trailer) == (static_cast<std::uint64_t>(unpacked) & 0xffffffff);
}

HostArray decode_packed(const ByteSource& source, Part part) {
  Inflater inflater(source, 0, source.size(), Inflater::Format::gzip);
  Extent extent;
  HostArray array = decode_header(
      source, [&](std::span<std::byte> out) { inflater.read(out); },
      [&](std::int64_t) {
        return ByteLimit{expansion_limit(source.size()), expansion_reason};
      },
      extent);
  const std::int64_t header = 4 + 4 * array.shape.rank();
  if (part == Part::header && trailer_says(source, header + extent.bytes)) return array;
  array.bytes = inflater.read_block(extent.bytes);
  inflater.expect_end();
  return array;
}

HostArray decode_plain(const ByteSource& source, Part part) {
  std::int64_t position = 0;
  const auto read = [&](std::span<std::byte> out) {
    source.read_at(position, out);
    position += static_cast<std::int64_t>(out.size());
  };
  const auto limit = [&](std::int64_t from) {
    return ByteLimit{source.size() - from, "the file ends before; it is truncated, fetch it again"};
  };
  Extent extent;
  HostArray array = decode_header(source, read, limit, extent);
  if (position + extent.bytes != source.size())
    source.fail(position + extent.bytes, "unknown bytes follow the data; remove them");
  if (part == Part::all) array.bytes = source.read_block(position, extent.bytes);
  return array;
}

HostArray decode(const ByteSource& source, Part part) {
  std::array<std::byte, 2> begin{};
  source.read_at(0, begin);
  const bool is_packed = begin[0] == std::byte{0x1f} && begin[1] == std::byte{0x8b};
  HostArray array = is_packed ? decode_packed(source, part) : decode_plain(source, part);
  swap_byte_order(array.bytes, size_of(array.dtype));
  return array;
}

}  // namespace

HostArray read_idx(const std::filesystem::path& path) {
  return decode(ByteSource::open("read_idx", path), Part::all);
}

Shape check_idx(const std::filesystem::path& path) {
  return decode(ByteSource::open("check_idx", path), Part::header).shape;
}

HostArray decode_idx(std::span<const std::byte> bytes, std::string_view name) {
  return decode(ByteSource("decode_idx", name, bytes), Part::all);
}

}  // namespace genera::io
