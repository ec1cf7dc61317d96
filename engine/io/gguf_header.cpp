#include "engine/io/gguf_header.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <unordered_set>

#include "engine/core/joined.h"
#include "engine/io/checked_extent.h"

namespace genera::io {
namespace {

// A byte of the file must not become much more memory: these caps keep lists within the allocation
// rule.
constexpr std::uint64_t max_tensors = std::uint64_t{1} << 18;
constexpr std::uint64_t max_pairs = std::uint64_t{1} << 16;
constexpr std::uint64_t max_strings = std::uint64_t{1} << 21;
constexpr std::uint64_t max_numbers = std::uint64_t{1} << 23;
constexpr std::uint64_t longest_name = 65535;
constexpr std::int64_t shortest_pair = 8 + 4 + 1;
constexpr std::int64_t shortest_tensor = 8 + 4 + 4 + 8;

constexpr std::array<GgufType, 8> types = {{{0, "F32", 1, 4, DType::f32},
                                            {1, "F16", 1, 2, DType::f16},
                                            {2, "Q4_0", 32, 18, DType::f32},
                                            {8, "Q8_0", 32, 34, DType::f32},
                                            {26, "I32", 1, 4, DType::i32},
                                            {27, "I64", 1, 8, DType::i64},
                                            {28, "F64", 1, 8, DType::f64},
                                            {30, "BF16", 1, 2, DType::bf16}}};

// The types that files have and this reader has not, for the message.
constexpr std::array<std::string_view, 31> all_names = {
    "F32",     "F16",    "Q4_0",    "Q4_1",  "",       "",      "Q5_0",  "Q5_1",
    "Q8_0",    "Q8_1",   "Q2_K",    "Q3_K",  "Q4_K",   "Q5_K",  "Q6_K",  "Q8_K",
    "IQ2_XXS", "IQ2_XS", "IQ3_XXS", "IQ1_S", "IQ4_NL", "IQ3_S", "IQ2_S", "IQ4_XS",
    "I8",      "I16",    "I32",     "I64",   "F64",    "IQ1_M", "BF16"};

// The codes of metadata values.
enum class Code : std::uint32_t {
  u8,
  i8,
  u16,
  i16,
  u32,
  i32,
  f32,
  boolean,
  text,
  array,
  u64,
  i64,
  f64
};
constexpr std::array<std::int64_t, 13> code_bytes = {1, 1, 2, 2, 4, 4, 4, 1, 8, 12, 8, 8, 8};

// Reads forward through a source in large pieces: a header has a hundred thousand small fields.
class Cursor {
 public:
  explicit Cursor(const ByteSource& source) : source_(source) {}

  std::int64_t position() const { return position_; }
  std::int64_t left() const { return source_.size() - position_; }

  std::span<const std::byte> take(std::int64_t count) {
    source_.require(position_, count);
    if (position_ + count > begin_ + static_cast<std::int64_t>(window_.size())) {
      begin_ = position_;
      window_ = source_.read_block(begin_, std::min(std::max(count, piece), left()));
    }
    const auto from = static_cast<std::size_t>(position_ - begin_);
    position_ += count;
    return std::span<const std::byte>(window_).subspan(from, static_cast<std::size_t>(count));
  }

  std::uint64_t number(std::int64_t bytes) { return little_endian(take(bytes)); }
  std::uint32_t word() { return static_cast<std::uint32_t>(number(4)); }

  std::string text() {
    const std::int64_t at = position_;
    const std::uint64_t length = number(8);
    if (length > static_cast<std::uint64_t>(left()))
      fail(at, fmt::format("a text claims {} bytes, {} are left in the file", length, left()));
    const auto bytes = take(static_cast<std::int64_t>(length));
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }

  [[noreturn]] void fail(std::int64_t at, std::string_view problem) const {
    source_.fail(
        at, fmt::format("the header is not valid: {}; fetch or convert the file again", problem));
  }

 private:
  static constexpr std::int64_t piece = std::int64_t{1} << 16;

  const ByteSource& source_;
  std::vector<std::byte> window_;
  std::int64_t begin_ = 0;
  std::int64_t position_ = 0;
};

// Reads the list of keys and values.
class MetadataReader {
 public:
  MetadataReader(Cursor& cursor, GgufMetadata& metadata) : cursor_(cursor), metadata_(metadata) {}

  void read_pair() {
    at_ = cursor_.position();
    key_ = name();
    const Code code = value_code();
    GgufValue value = code == Code::array ? array() : scalar(code);
    if (!metadata_.emplace(key_, std::move(value)).second) fail("the key is there twice");
  }

  std::string name() {
    std::string text = cursor_.text();
    if (text.size() > longest_name)
      fail(fmt::format("a name of {} bytes is too long", text.size()));
    return text;
  }

 private:
  [[noreturn]] void fail(std::string_view problem) const {
    cursor_.fail(at_, key_.empty() ? std::string(problem)
                                   : fmt::format("'{}': {}", printable(key_), problem));
  }

  Code value_code() {
    const std::uint32_t code = cursor_.word();
    if (code >= code_bytes.size()) fail(fmt::format("{} is no type of a value", code));
    return static_cast<Code>(code);
  }

  std::int64_t integer(Code code) {
    const std::uint64_t bits = cursor_.number(code_bytes[static_cast<std::size_t>(code)]);
    switch (code) {
      case Code::i8:
        return static_cast<std::int8_t>(bits);
      case Code::i16:
        return static_cast<std::int16_t>(bits);
      case Code::i32:
        return static_cast<std::int32_t>(bits);
      case Code::boolean:
        if (bits > 1) fail(fmt::format("a bool is {}, only 0 and 1 are valid", bits));
        break;
      case Code::u64:
        if (bits >> 63 != 0) fail(fmt::format("{} is too large", bits));
        break;
      default:
        break;
    }
    return static_cast<std::int64_t>(bits);
  }

  double real(Code code) {
    if (code == Code::f64) return std::bit_cast<double>(cursor_.number(8));
    return std::bit_cast<float>(cursor_.word());
  }

  static bool is_real(Code code) { return code == Code::f32 || code == Code::f64; }

  GgufValue scalar(Code code) {
    if (code == Code::text) return cursor_.text();
    if (is_real(code)) return real(code);
    if (code == Code::boolean) return integer(code) != 0;
    return integer(code);
  }

  GgufValue array() {
    const Code code = value_code();
    if (code == Code::array) fail("arrays of arrays are not supported");
    const std::uint64_t count = cursor_.number(8);
    const std::int64_t size = code_bytes[static_cast<std::size_t>(code)];
    if (count > static_cast<std::uint64_t>(cursor_.left() / size))
      fail(fmt::format("an array claims {} values, {} bytes are left in the file", count,
                       cursor_.left()));
    // Of all arrays together, so that many small ones are no way around.
    const bool is_text = code == Code::text;
    std::uint64_t& budget = is_text ? strings_ : numbers_;
    if (count > budget)
      fail(fmt::format("arrays of more than {} values are not supported",
                       is_text ? max_strings : max_numbers));
    budget -= count;
    if (is_text) return list<std::string>(count, [&] { return cursor_.text(); });
    if (is_real(code)) return list<double>(count, [&] { return real(code); });
    return list<std::int64_t>(count, [&] { return integer(code); });
  }

  template <class T, class Next>
  static GgufValue list(std::uint64_t count, Next&& next) {
    std::vector<T> values;
    values.reserve(static_cast<std::size_t>(count));
    for (std::uint64_t i = 0; i < count; ++i) values.push_back(next());
    return values;
  }

  Cursor& cursor_;
  GgufMetadata& metadata_;
  std::int64_t at_ = 0;
  std::string key_;
  std::uint64_t strings_ = max_strings;
  std::uint64_t numbers_ = max_numbers;
};

struct Counts {
  std::uint64_t tensors = 0;
  std::uint64_t pairs = 0;
};

Counts read_counts(const ByteSource& source, Cursor& cursor) {
  const std::uint32_t magic = cursor.word();
  if (magic != 0x46554747)  // "GGUF"
    source.fail(0, fmt::format("begins with 0x{:08x}, which is not GGUF; name a GGUF file", magic));
  const std::uint32_t version = cursor.word();
  if (version == 0x02000000 || version == 0x03000000)
    source.fail(4, "is big-endian, only little-endian files are supported; convert it");
  if (version != 2 && version != 3)
    source.fail(4, fmt::format("GGUF version {} is not supported (2 and 3 are); convert the file",
                               version));
  Counts counts;
  counts.tensors = cursor.number(8);
  counts.pairs = cursor.number(8);
  const auto check = [&](std::int64_t at, std::string_view what, std::uint64_t count,
                         std::uint64_t most, std::int64_t shortest) {
    if (count > most || count > static_cast<std::uint64_t>(cursor.left() / shortest))
      cursor.fail(at, fmt::format("{} {} are claimed, {} bytes are left in the file and at most {} "
                                  "are supported",
                                  count, what, cursor.left(), most));
  };
  check(8, "tensors", counts.tensors, max_tensors, shortest_tensor);
  check(16, "keys", counts.pairs, max_pairs, shortest_pair);
  return counts;
}

std::int64_t alignment_of(Cursor& cursor, const GgufMetadata& metadata) {
  const auto found = metadata.find("general.alignment");
  if (found == metadata.end()) return 32;
  const auto* value = std::get_if<std::int64_t>(&found->second);
  constexpr std::int64_t most = std::int64_t{1} << 20;
  if (value == nullptr || *value < 1 || *value > most || *value % 8 != 0)
    cursor.fail(cursor.position(),
                fmt::format("general.alignment must be a multiple of 8 up to {}", most));
  return *value;
}

// Axes with the fastest first, whose extent must be whole blocks.
Extent read_extent(const ByteSource& source, Cursor& cursor, const GgufType& type, std::int64_t at,
                   std::vector<std::uint64_t>& axes, std::string_view name) {
  if (type.elements > 1) {
    const std::uint64_t fastest = axes.empty() ? 1 : axes[0];
    if (fastest % static_cast<std::uint64_t>(type.elements) != 0)
      cursor.fail(at,
                  fmt::format("tensor '{}': the axis of {} is not a multiple of the {} elements "
                              "of a block of {}",
                              printable(name), fastest, type.elements, type.name));
    axes[0] /= static_cast<std::uint64_t>(type.elements);
  }
  std::reverse(axes.begin(), axes.end());
  Extent extent =
      checked_extent(source, at, axes, static_cast<std::size_t>(type.bytes),
                     {source.size(), "the file holds less; the header is corrupt, fetch it again"});
  if (type.elements > 1) {
    std::vector<std::int64_t> whole(extent.shape.extents().begin(), extent.shape.extents().end());
    whole.back() *= type.elements;
    extent.shape = Shape(whole);
  }
  return extent;
}

GgufEntry read_entry(const ByteSource& source, Cursor& cursor, std::string name) {
  const std::int64_t at = cursor.position();
  const std::uint32_t rank = cursor.word();
  if (rank > Shape::max_rank)
    cursor.fail(at, fmt::format("tensor '{}' has {} axes, at most {} are supported",
                                printable(name), rank, Shape::max_rank));
  std::vector<std::uint64_t> axes(rank);
  for (std::uint64_t& axis : axes) axis = cursor.number(8);
  const std::uint32_t code = cursor.word();
  const GgufType* type = gguf_type(code);
  if (type == nullptr) {
    std::string known;
    for (const GgufType& each : types) known += fmt::format(" {}", each.name);
    const std::string_view called = code < all_names.size() ? all_names[code] : std::string_view();
    source.fail(at, fmt::format("tensor '{}' is stored as {}, which is not supported ({} are); "
                                "convert the file to Q8_0 or F16",
                                printable(name),
                                called.empty() ? fmt::format("type {}", code) : std::string(called),
                                known.substr(1)));
  }
  const Extent extent = read_extent(source, cursor, *type, at, axes, name);
  const std::uint64_t offset = cursor.number(8);
  if (offset > static_cast<std::uint64_t>(source.size()))
    cursor.fail(at, fmt::format("the data of tensor '{}' begins at {} of a file of {} bytes",
                                printable(name), offset, source.size()));
  return {std::move(name), type->name, type->dtype, extent.shape, static_cast<std::int64_t>(offset),
          extent.bytes};
}

std::int64_t aligned(std::int64_t offset, std::int64_t alignment) {
  return (offset + alignment - 1) / alignment * alignment;
}

// Turns offsets into those from the beginning of the file.
void place_entries(const ByteSource& source, std::int64_t data_begin, std::int64_t alignment,
                   std::vector<GgufEntry>& entries) {
  std::sort(entries.begin(), entries.end(), [](const GgufEntry& a, const GgufEntry& b) {
    if (a.offset != b.offset) return a.offset < b.offset;
    return a.bytes != b.bytes ? a.bytes < b.bytes : a.name < b.name;
  });
  std::int64_t end = data_begin;
  for (GgufEntry& entry : entries) {
    const std::int64_t expected = aligned(end - data_begin, alignment);
    if (entry.offset != expected)
      source.fail(data_begin + entry.offset,
                  fmt::format("tensor '{}' {}: its data is said to begin at {} and should at {}; "
                              "the file is corrupt, fetch it again",
                              printable(entry.name),
                              entry.offset < expected ? "overlaps the one before"
                                                      : "leaves a hole before it",
                              entry.offset, expected));
    entry.offset += data_begin;
    source.require(entry.offset, entry.bytes);
    end = entry.offset + entry.bytes;
  }
  const std::int64_t padded = data_begin + aligned(end - data_begin, alignment);
  if (source.size() > padded)
    source.fail(padded, fmt::format("{} bytes follow the last tensor; remove them or fetch the "
                                    "file again",
                                    source.size() - padded));
}

}  // namespace

const GgufType* gguf_type(std::uint32_t code) {
  const auto* found = std::find_if(types.begin(), types.end(),
                                   [&](const GgufType& type) { return type.code == code; });
  return found == types.end() ? nullptr : found;
}

const GgufType& gguf_type(std::string_view name) {
  return *std::find_if(types.begin(), types.end(),
                       [&](const GgufType& type) { return type.name == name; });
}

GgufHeader parse_gguf_header(const ByteSource& source) {
  GgufHeader header;
  Cursor cursor(source);
  const Counts counts = read_counts(source, cursor);
  MetadataReader reader(cursor, header.metadata);
  for (std::uint64_t i = 0; i < counts.pairs; ++i) reader.read_pair();
  const std::int64_t alignment = alignment_of(cursor, header.metadata);
  std::unordered_set<std::string> names;
  for (std::uint64_t i = 0; i < counts.tensors; ++i) {
    const std::int64_t at = cursor.position();
    std::string name = cursor.text();
    if (name.size() > longest_name) cursor.fail(at, "the name of a tensor is too long");
    if (!names.insert(name).second)
      cursor.fail(at, fmt::format("there are two tensors '{}'", printable(name)));
    header.entries.push_back(read_entry(source, cursor, std::move(name)));
  }
  place_entries(source, aligned(cursor.position(), alignment), alignment, header.entries);
  return header;
}

}  // namespace genera::io
