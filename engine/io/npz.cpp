#include <genera/error.h>
#include <genera/io.h>

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <set>

#include "engine/io/byte_source.h"
#include "engine/io/inflater.h"
#include "engine/io/json_text.h"
#include "engine/io/npy_format.h"

// Zip files as NumPy writes them: PKWARE's APPNOTE.TXT, sections 4.3 and 4.4, without ZIP64.
namespace genera::io {
namespace {

constexpr std::uint64_t local_signature = 0x04034b50;
constexpr std::uint64_t entry_signature = 0x02014b50;
constexpr std::uint64_t end_signature = 0x06054b50;
constexpr std::int64_t local_size = 30;
constexpr std::int64_t entry_size = 46;
constexpr std::int64_t end_size = 22;
constexpr std::string_view suffix = ".npy";

struct Member {
  std::string name;  // as in the zip
  std::int64_t entry_offset = 0;
  std::uint64_t flags = 0;
  std::uint64_t method = 0;
  std::uint64_t crc = 0;
  std::int64_t packed = 0;
  std::int64_t unpacked = 0;
  std::int64_t local_offset = 0;
  std::int64_t data_offset = 0;
};

struct Directory {
  std::int64_t offset = 0;
  std::int64_t size = 0;
  std::int64_t entries = 0;
};

// A fixed-size record of little-endian fields.
class Record {
 public:
  Record(const ByteSource& source, std::int64_t offset, std::int64_t size)
      : bytes_(source.read_block(offset, size)) {}
  std::uint64_t field(std::size_t at, std::size_t size) const {
    return little_endian(std::span(bytes_).subspan(at, size));
  }
  std::int64_t number(std::size_t at, std::size_t size) const {
    return static_cast<std::int64_t>(field(at, size));
  }

 private:
  std::vector<std::byte> bytes_;
};

std::string read_text(const ByteSource& source, std::int64_t offset, std::int64_t size) {
  const std::vector<std::byte> raw = source.read_block(offset, size);
  return {reinterpret_cast<const char*>(raw.data()), raw.size()};
}

Directory find_directory(const ByteSource& source) {
  // The end record is the last thing in the file but for a comment of up to 65,535 bytes.
  const std::int64_t tail_begin = std::max<std::int64_t>(0, source.size() - end_size - 0xffff);
  const std::vector<std::byte> tail = source.read_block(tail_begin, source.size() - tail_begin);
  for (std::int64_t at = static_cast<std::int64_t>(tail.size()) - end_size; at >= 0; --at) {
    const auto record = std::span(tail).subspan(static_cast<std::size_t>(at));
    if (little_endian(record.first(4)) != end_signature) continue;
    const std::int64_t offset = tail_begin + at;
    const auto comment = static_cast<std::int64_t>(little_endian(record.subspan(20, 2)));
    if (offset + end_size + comment != source.size()) continue;
    const auto entries = static_cast<std::int64_t>(little_endian(record.subspan(10, 2)));
    const auto size = static_cast<std::int64_t>(little_endian(record.subspan(12, 4)));
    const auto begin = static_cast<std::int64_t>(little_endian(record.subspan(16, 4)));
    if (begin == 0xffffffff || entries == 0xffff)
      source.fail(offset, "the zip is larger than 4 GiB, which is not supported; save .npy files");
    if (little_endian(record.subspan(4, 4)) != 0 || begin + size != offset)
      source.fail(offset,
                  "the zip's directory is not where the end of the file says; the file is "
                  "corrupt, fetch it again");
    return {begin, size, entries};
  }
  source.fail(source.size(),
              "no zip directory at the end; this is no .npz file, or it is truncated");
}

Member read_entry(const ByteSource& source, std::int64_t offset, std::int64_t directory_end,
                  std::int64_t& next) {
  if (directory_end - offset < entry_size)
    source.fail(offset, "the zip's directory ends too early; the file is corrupt");
  const Record entry(source, offset, entry_size);
  if (entry.field(0, 4) != entry_signature)
    source.fail(offset, "the zip's directory has no entry here; the file is corrupt");
  const std::int64_t name_size = entry.number(28, 2);
  next = offset + entry_size + name_size + entry.number(30, 2) + entry.number(32, 2);
  if (next > directory_end)
    source.fail(offset, "an entry is larger than the zip's directory; the file is corrupt");
  Member member;
  member.name = read_text(source, offset + entry_size, name_size);
  member.entry_offset = offset;
  member.flags = entry.field(8, 2);
  member.method = entry.field(10, 2);
  member.crc = entry.field(16, 4);
  member.packed = entry.number(20, 4);
  member.unpacked = entry.number(24, 4);
  member.local_offset = entry.number(42, 4);
  if (!is_utf8(member.name) || !member.name.ends_with(suffix))
    source.fail(offset, fmt::format("'{}' is not an .npy array; remove it from the zip",
                                    is_utf8(member.name) ? printable(member.name) : "?"));
  if ((member.flags & 1) != 0)
    source.fail(offset, fmt::format("'{}' is encrypted; decrypt it", printable(member.name)));
  if (member.method != 0 && member.method != 8)
    source.fail(offset, fmt::format("'{}' is packed with method {} (0 stored and 8 deflated are "
                                    "supported); save it again with NumPy",
                                    printable(member.name), member.method));
  if (member.packed == 0xffffffff || member.unpacked == 0xffffffff ||
      member.local_offset == 0xffffffff)
    source.fail(offset, fmt::format("'{}' is larger than 4 GiB, which is not supported; save it "
                                    "as .npy",
                                    printable(member.name)));
  if (member.method == 0 && member.packed != member.unpacked)
    source.fail(offset, fmt::format("'{}' is stored, but its two sizes differ ({} and {}); the "
                                    "file is corrupt",
                                    printable(member.name), member.packed, member.unpacked));
  return member;
}

void locate_data(const ByteSource& source, const Directory& directory, Member& member) {
  const std::int64_t offset = member.local_offset;
  const auto require = [&](bool holds) {
    if (!holds)
      source.fail(offset, fmt::format("'{}' is not where the zip's directory says; the file is "
                                      "corrupt, fetch it again",
                                      printable(member.name)));
  };
  require(offset + local_size <= directory.offset);
  const Record local(source, offset, local_size);
  const std::int64_t name_size = local.number(26, 2);
  require(local.field(0, 4) == local_signature && local.field(8, 2) == member.method);
  require(name_size == static_cast<std::int64_t>(member.name.size()));
  member.data_offset = offset + local_size + name_size + local.number(28, 2);
  require(member.data_offset + member.packed <= directory.offset);
  require(read_text(source, offset + local_size, name_size) == member.name);
}

// Members that share data are how small zips expand to petabytes.
void check_members(const ByteSource& source, const std::vector<Member>& members) {
  std::set<std::string_view> names;
  std::int64_t total = 0;
  for (const Member& member : members) {
    total += member.unpacked;
    if (!names.insert(member.name).second)
      source.fail(member.entry_offset,
                  fmt::format("'{}' is there twice; remove one", printable(member.name)));
    if (total > expansion_limit(source.size()))
      source.fail(member.entry_offset,
                  fmt::format("the arrays need more than {} bytes, but {}",
                              expansion_limit(source.size()), expansion_reason));
  }
  std::vector<const Member*> sorted;
  sorted.reserve(members.size());
  for (const Member& member : members) sorted.push_back(&member);
  std::sort(sorted.begin(), sorted.end(),
            [](const Member* a, const Member* b) { return a->local_offset < b->local_offset; });
  for (std::size_t i = 1; i < sorted.size(); ++i)
    if (sorted[i - 1]->data_offset + sorted[i - 1]->packed > sorted[i]->local_offset)
      source.fail(sorted[i]->entry_offset,
                  fmt::format("'{}' overlaps another member; the file is corrupt",
                              printable(sorted[i]->name)));
}

NamedArray read_member(const ByteSource& source, const Member& member) {
  std::vector<std::byte> bytes;
  if (member.method == 0) {
    bytes = source.read_block(member.data_offset, member.packed);
  } else {
    Inflater inflater(source, member.data_offset, member.data_offset + member.packed,
                      Inflater::Format::raw);
    bytes = inflater.read_block(member.unpacked);
    inflater.expect_end();
  }
  const auto crc = ::crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size());
  if (crc != member.crc)
    source.fail(member.data_offset, fmt::format("the CRC-32 of '{}' is {:08x}, not {:08x}; the "
                                                "file is corrupt, fetch it again",
                                                printable(member.name), crc, member.crc));
  const std::string inner = fmt::format("{}({})", source.name(), printable(member.name));
  NamedArray result{member.name, decode_npy(ByteSource(source.operation(), inner, bytes))};
  result.name.resize(result.name.size() - suffix.size());
  return result;
}

std::vector<NamedArray> decode(const ByteSource& source) {
  const Directory directory = find_directory(source);
  const std::int64_t directory_end = directory.offset + directory.size;
  std::vector<Member> members;
  std::int64_t offset = directory.offset;
  for (std::int64_t i = 0; i < directory.entries; ++i)
    members.push_back(read_entry(source, offset, directory_end, offset));
  if (offset != directory_end)
    source.fail(offset, "the zip's directory is longer than its entries; the file is corrupt");
  for (Member& member : members) locate_data(source, directory, member);
  check_members(source, members);
  std::vector<NamedArray> arrays;
  arrays.reserve(members.size());
  for (const Member& member : members) arrays.push_back(read_member(source, member));
  return arrays;
}

void put(std::string& out, std::uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i) & 0xff);
}

// What local header and directory entry have in common, from "version needed" to "extra length".
// The date is that of the format's epoch, so that equal arrays give equal files.
std::string common_fields(const Member& member) {
  std::string out;
  put(out, 20, 2);
  put(out, member.flags, 2);
  put(out, 0, 2);
  put(out, 0, 2);
  put(out, 0x21, 2);
  put(out, member.crc, 4);
  put(out, static_cast<std::uint64_t>(member.packed), 4);
  put(out, static_cast<std::uint64_t>(member.unpacked), 4);
  put(out, member.name.size(), 2);
  put(out, 0, 2);
  return out;
}

std::string local_header(const Member& member) {
  std::string out;
  put(out, local_signature, 4);
  return out + common_fields(member) + member.name;
}

std::string directory_entry(const Member& member) {
  std::string out;
  put(out, entry_signature, 4);
  put(out, 20, 2);
  out += common_fields(member);
  out.append(2 + 2 + 2 + 4, '\0');  // comment, disk, attributes
  put(out, static_cast<std::uint64_t>(member.local_offset), 4);
  return out + member.name;
}

// Sizes, offsets and checksums of the file to be written.
std::vector<Member> plan_members(std::span<const NamedView> arrays,
                                 std::span<const std::string> headers) {
  constexpr std::int64_t limit = 0xfffffffe;
  std::vector<Member> members;
  std::set<std::string_view> names;
  std::int64_t offset = 0;
  for (std::size_t i = 0; i < arrays.size(); ++i) {
    const NamedView& named = arrays[i];
    if (named.name.empty() || named.name.size() > 60000 || !is_utf8(named.name) ||
        named.name.find('\0') != std::string::npos || !names.insert(named.name).second)
      throw ArgumentError(
          fmt::format("[write_npz] array {} has an empty, invalid or repeated name '{}'", i,
                      is_utf8(named.name) ? printable(named.name) : "?"));
    Member member;
    member.name = named.name + std::string(suffix);
    member.flags = 0x800;  // the name is UTF-8
    member.unpacked = member.packed =
        static_cast<std::int64_t>(headers[i].size() + named.array.bytes.size());
    member.local_offset = offset;
    offset += local_size + static_cast<std::int64_t>(member.name.size()) + member.packed;
    if (offset > limit || i >= 0xfffe)
      throw ArgumentError(
          "[write_npz] a zip holds at most 4 GiB and 65,534 arrays; write safetensors");
    const auto head = reinterpret_cast<const Bytef*>(headers[i].data());
    const auto body = reinterpret_cast<const Bytef*>(named.array.bytes.data());
    member.crc = ::crc32_z(0, head, headers[i].size());
    // crc32_z with a null pointer would start afresh.
    if (!named.array.bytes.empty())
      member.crc = ::crc32_z(member.crc, body, named.array.bytes.size());
    members.push_back(std::move(member));
  }
  return members;
}

}  // namespace

std::vector<NamedArray> read_npz(const std::filesystem::path& path) {
  return decode(ByteSource::open("read_npz", path));
}

std::vector<NamedArray> decode_npz(std::span<const std::byte> bytes, std::string_view name) {
  return decode(ByteSource("decode_npz", name, bytes));
}

void write_npz(const std::filesystem::path& path, std::span<const NamedView> arrays) {
  std::vector<std::string> headers;
  for (const NamedView& named : arrays) headers.push_back(npy_header("write_npz", named.array));
  const std::vector<Member> members = plan_members(arrays, headers);
  std::string directory;
  for (const Member& member : members) directory += directory_entry(member);
  const std::int64_t directory_offset =
      members.empty()
          ? 0
          : members.back().local_offset + local_size +
                static_cast<std::int64_t>(members.back().name.size()) + members.back().packed;
  if (directory_offset + static_cast<std::int64_t>(directory.size()) > 0xfffffffe)
    throw ArgumentError("[write_npz] a zip holds at most 4 GiB; write safetensors");
  std::string end = directory;
  put(end, end_signature, 4);
  put(end, 0, 4);
  put(end, members.size(), 2);
  put(end, members.size(), 2);
  put(end, directory.size(), 4);
  put(end, static_cast<std::uint64_t>(directory_offset), 4);
  put(end, 0, 2);
  write_file_atomically(path, [&](const Sink& sink) {
    for (std::size_t i = 0; i < members.size(); ++i) {
      const std::string local = local_header(members[i]);
      sink(std::as_bytes(std::span(local)));
      sink(std::as_bytes(std::span(headers[i])));
      sink(arrays[i].array.bytes);
    }
    sink(std::as_bytes(std::span(end)));
  });
}

}  // namespace genera::io
