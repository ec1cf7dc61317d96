#include <genera/error.h>
#include <genera/io.h>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <optional>

#include "engine/core/joined.h"
#include "engine/io/checked_extent.h"
#include "engine/io/npy_format.h"

namespace genera::io {
namespace {

constexpr std::string_view magic = "\x93NUMPY";

struct NpyHeader {
  DType dtype = DType::f32;
  bool is_swapped = false;
  bool is_fortran = false;
  std::vector<std::uint64_t> extents;
};

// The header is a Python dictionary literal with the keys descr, fortran_order and shape. This
// parser takes exactly those; offsets are those of the file.
class NpyHeaderParser {
 public:
  NpyHeaderParser(const ByteSource& source, std::int64_t begin, std::string_view text)
      : source_(source), begin_(begin), text_(text) {}

  NpyHeader parse() {
    expect('{');
    while (!accept('}')) {
      parse_item();
      if (!accept(',') && peek() != '}') fail("expected ',' or '}'");
    }
    if (peek() != '\0' || at_ != text_.size()) fail("unknown text follows the dictionary");
    if (!has_dtype_ || !has_order_ || !has_shape_)
      fail("one of 'descr', 'fortran_order' and 'shape' is missing");
    return std::move(header_);
  }

 private:
  [[noreturn]] void fail(std::string_view problem) const {
    source_.fail(begin_ + static_cast<std::int64_t>(at_),
                 fmt::format("the header is not valid: {}; save the array again", problem));
  }

  char peek() {
    constexpr std::string_view spaces = " \t\r\n";
    while (at_ < text_.size() && spaces.find(text_[at_]) != std::string_view::npos) ++at_;
    return at_ < text_.size() ? text_[at_] : '\0';
  }
  bool accept(char wanted) {
    if (peek() != wanted || at_ == text_.size()) return false;
    ++at_;
    return true;
  }
  void expect(char wanted) {
    if (!accept(wanted)) fail(fmt::format("expected '{}'", wanted));
  }
  bool accept_word(std::string_view word) {
    peek();
    if (text_.substr(at_, word.size()) != word) return false;
    at_ += word.size();
    return true;
  }

  std::string_view parse_string() {
    const char quote = peek();
    if (quote != '\'' && quote != '"') fail("expected a string");
    const std::size_t end = text_.find(quote, at_ + 1);
    if (end == std::string_view::npos) fail("a string does not end");
    const std::string_view content = text_.substr(at_ + 1, end - at_ - 1);
    at_ = end + 1;
    return content;
  }

  void parse_item() {
    const std::string_view key = parse_string();
    expect(':');
    if (key == "descr" && !std::exchange(has_dtype_, true))
      parse_dtype();
    else if (key == "fortran_order" && !std::exchange(has_order_, true))
      parse_order();
    else if (key == "shape" && !std::exchange(has_shape_, true))
      parse_shape();
    else
      fail(fmt::format("the key '{}' is unknown or repeated", printable(key)));
  }

  void parse_dtype() {
    if (peek() == '[') fail("it describes a structured array, of which one field can be saved");
    const std::string_view descr = parse_string();
    const char order = descr.empty() ? '\0' : descr.front();
    const std::string_view code = descr.substr(std::min<std::size_t>(1, descr.size()));
    struct Row {
      std::string_view code;
      DType dtype;
    };
    constexpr std::array rows = {Row{"f4", DType::f32}, Row{"f8", DType::f64},
                                 Row{"f2", DType::f16}, Row{"i4", DType::i32},
                                 Row{"i8", DType::i64}, Row{"u1", DType::u8},
                                 Row{"u4", DType::u32}, Row{"b1", DType::boolean}};
    const auto* row = std::find_if(rows.begin(), rows.end(),
                                   [&](const Row& candidate) { return candidate.code == code; });
    const bool is_byte = row != rows.end() && size_of(row->dtype) == 1;
    const bool is_known_order =
        order == '<' || order == '=' || order == '>' || (order == '|' && is_byte);
    if (row == rows.end() || !is_known_order)
      fail(
          fmt::format("the element type '{}' is not supported (f2 f4 f8 i4 i8 u1 u4 b1 are; "
                      "convert with astype)",
                      printable(descr)));
    header_.dtype = row->dtype;
    header_.is_swapped = order == '>' && !is_byte;
  }

  void parse_order() {
    header_.is_fortran = accept_word("True");
    if (!header_.is_fortran && !accept_word("False")) fail("fortran_order must be True or False");
  }

  void parse_shape() {
    expect('(');
    while (!accept(')')) {
      peek();
      std::uint64_t extent = 0;
      const char* first = text_.data() + at_;
      const auto result = std::from_chars(first, text_.data() + text_.size(), extent);
      if (result.ec != std::errc()) fail("an extent is not a number from 0 to 2^64 - 1");
      at_ += static_cast<std::size_t>(result.ptr - first);
      if (at_ < text_.size() && text_[at_] == 'L') ++at_;  // Python 2 wrote (3L, 4L)
      header_.extents.push_back(extent);
      if (!accept(',') && peek() != ')') fail("expected ',' or ')'");
    }
  }

  const ByteSource& source_;
  std::int64_t begin_;
  std::string_view text_;
  std::size_t at_ = 0;
  NpyHeader header_;
  bool has_dtype_ = false;
  bool has_order_ = false;
  bool has_shape_ = false;
};

// First axis fastest -> last axis fastest.
template <class Word>
void copy_from_fortran_order(const Shape& shape, const std::byte* from, std::byte* to) {
  const int rank = shape.rank();
  std::array<std::int64_t, Shape::max_rank> stride{};
  std::array<std::int64_t, Shape::max_rank> index{};
  std::int64_t product = 1;
  for (int axis = 0; axis < rank; ++axis) {
    stride[static_cast<std::size_t>(axis)] = product;
    product *= shape[axis];
  }
  std::int64_t at = 0;
  for (std::int64_t i = 0; i < product; ++i) {
    std::memcpy(to + i * static_cast<std::int64_t>(sizeof(Word)),
                from + at * static_cast<std::int64_t>(sizeof(Word)), sizeof(Word));
    for (int axis = rank - 1; axis >= 0; --axis) {
      const auto a = static_cast<std::size_t>(axis);
      at += stride[a];
      if (++index[a] < shape[axis]) break;
      at -= index[a] * stride[a];
      index[a] = 0;
    }
  }
}

void reorder(HostArray& array) {
  std::vector<std::byte> sorted = allocate_bytes(static_cast<std::int64_t>(array.bytes.size()));
  const std::byte* from = array.bytes.data();
  switch (size_of(array.dtype)) {
    case 1:
      copy_from_fortran_order<std::uint8_t>(array.shape, from, sorted.data());
      break;
    case 2:
      copy_from_fortran_order<std::uint16_t>(array.shape, from, sorted.data());
      break;
    case 4:
      copy_from_fortran_order<std::uint32_t>(array.shape, from, sorted.data());
      break;
    default:
      copy_from_fortran_order<std::uint64_t>(array.shape, from, sorted.data());
      break;
  }
  array.bytes = std::move(sorted);
}

std::string_view descr_of(const char* operation, DType dtype) {
  switch (dtype) {
    case DType::f32:
      return "<f4";
    case DType::f64:
      return "<f8";
    case DType::f16:
      return "<f2";
    case DType::i32:
      return "<i4";
    case DType::i64:
      return "<i8";
    case DType::u8:
      return "|u1";
    case DType::u32:
      return "<u4";
    case DType::boolean:
      return "|b1";
    case DType::bf16:
      break;
  }
  throw ArgumentError(fmt::format(
      "[{}] NumPy's format has no {}; cast to f32, or write safetensors", operation, name(dtype)));
}

}  // namespace

HostArray decode_npy(const ByteSource& source) {
  std::array<std::byte, 12> begin{};
  source.read_at(0, std::span(begin).first(8));
  if (std::memcmp(begin.data(), magic.data(), magic.size()) != 0)
    source.fail(0, "does not begin with \\x93NUMPY; name an .npy file");
  const auto version = std::to_integer<unsigned>(begin[6]);
  if (version < 1 || version > 3)
    source.fail(6, fmt::format("format version {} is not supported (1 to 3 are); save the array "
                               "with another NumPy",
                               version));
  const std::size_t length_bytes = version == 1 ? 2 : 4;
  const auto length_field = std::span(begin).subspan(8, length_bytes);
  source.read_at(8, length_field);
  const std::uint64_t length = little_endian(length_field);
  constexpr std::uint64_t max_length = 1 << 16;
  if (length > max_length)
    source.fail(8, fmt::format("the header claims {} bytes, at most {} are accepted; the file is "
                               "corrupt",
                               length, max_length));
  const std::int64_t header_begin = 8 + static_cast<std::int64_t>(length_bytes);
  const std::vector<std::byte> raw =
      source.read_block(header_begin, static_cast<std::int64_t>(length));
  const std::string_view text(reinterpret_cast<const char*>(raw.data()), raw.size());
  const NpyHeader header = NpyHeaderParser(source, header_begin, text).parse();

  const std::int64_t data_begin = header_begin + static_cast<std::int64_t>(length);
  const Extent extent = checked_extent(
      source, header_begin, header.extents, size_of(header.dtype),
      {source.size() - data_begin, "the file ends before; it is truncated, copy it again"});
  if (data_begin + extent.bytes != source.size())
    source.fail(data_begin + extent.bytes,
                "unknown bytes follow the array; save one array per file, several as .npz");
  HostArray array{header.dtype, extent.shape, source.read_block(data_begin, extent.bytes)};
  if (header.is_swapped) swap_byte_order(array.bytes, size_of(array.dtype));
  check_bools(source, data_begin, array);
  if (header.is_fortran && array.shape.rank() > 1) reorder(array);
  return array;
}

std::string npy_header(const char* operation, const ArrayView& array) {
  array.check(array.dtype);
  std::string header =
      fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}{}), }}",
                  descr_of(operation, array.dtype), joined(array.shape.extents(), ", "),
                  array.shape.rank() == 1 ? "," : "");
  // The data begins at a multiple of 64, as NumPy's own files do, so that it can be mapped.
  const std::size_t unpadded = magic.size() + 4 + header.size() + 1;
  header.append((64 - unpadded % 64) % 64, ' ');
  header += '\n';
  std::string result(magic);
  result += {'\x01', '\x00', static_cast<char>(header.size() & 0xff),
             static_cast<char>(header.size() >> 8)};
  return result + header;
}

HostArray read_npy(const std::filesystem::path& path) {
  return decode_npy(ByteSource::open("read_npy", path));
}

HostArray decode_npy(std::span<const std::byte> bytes, std::string_view name) {
  return decode_npy(ByteSource("decode_npy", name, bytes));
}

void write_npy(const std::filesystem::path& path, const ArrayView& array) {
  const std::string header = npy_header("write_npy", array);
  write_file_atomically(path, [&](const Sink& sink) {
    sink(std::as_bytes(std::span(header)));
    sink(array.bytes);
  });
}

}  // namespace genera::io
