#include "engine/io/safetensors_header.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <nlohmann/json.hpp>
#include <optional>
#include <unordered_set>

#include "engine/core/joined.h"
#include "engine/io/checked_extent.h"

namespace genera::io {
namespace {

// One small entry of JSON text must not become much more memory: these caps keep it within the
// allocation rule.
constexpr std::size_t max_entries = std::size_t{1} << 18;
constexpr std::size_t max_strings = std::size_t{1} << 19;

constexpr std::array<std::string_view, dtype_count> dtype_names = {
    "F32", "F64", "F16", "BF16", "I32", "I64", "U8", "U32", "BOOL"};

std::optional<DType> dtype_named(std::string_view text) {
  for (std::size_t i = 0; i < dtype_names.size(); ++i)
    if (dtype_names[i] == text) return static_cast<DType>(i);
  return std::nullopt;
}

// Tells the handler how far the parser has read, which nlohmann's interface does not.
class CountingIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  CountingIterator(const char* at, const char** reached) : at_(at), reached_(reached) {}
  reference operator*() const { return *at_; }
  CountingIterator& operator++() {
    *reached_ = ++at_;
    return *this;
  }
  CountingIterator operator++(int) {
    CountingIterator before = *this;
    ++*this;
    return before;
  }
  friend bool operator==(const CountingIterator& a, const CountingIterator& b) {
    return a.at_ == b.at_;
  }
  friend bool operator!=(const CountingIterator& a, const CountingIterator& b) { return !(a == b); }

 private:
  const char* at_;
  const char** reached_;
};

// Takes {"name": {"dtype": S, "shape": [N...], "data_offsets": [N, N]}, "__metadata__": {S: S}} and
// nothing else. A document tree would accept repeated keys and turn -1 into a large number.
class HeaderHandler {
 public:
  HeaderHandler(const ByteSource& source, std::int64_t begin, std::int64_t data_begin,
                const char* text, const char* const& reached)
      : source_(source), begin_(begin), data_begin_(data_begin), text_(text), reached_(reached) {}

  SafetensorsHeader header;

  bool null() { fail("null is not expected here"); }
  bool boolean(bool) { fail("a boolean is not expected here"); }
  bool number_integer(std::int64_t value) {
    fail(fmt::format("{} is negative, which no extent or offset can be", value));
  }
  bool number_float(double, const std::string& text) {
    fail(fmt::format("{} is not an integer below 2^64", printable(text)));
  }
  bool binary(const std::vector<std::uint8_t>&) { fail("binary data is not expected here"); }

  bool number_unsigned(std::uint64_t value) {
    if (state_ == State::shape && extents_.size() < Shape::max_rank)
      extents_.push_back(value);
    else if (state_ == State::offsets && offsets_.size() < 2)
      offsets_.push_back(value);
    else if (state_ == State::shape)
      fail(fmt::format("more than {} axes are not supported", Shape::max_rank));
    else
      fail(fmt::format("the number {} is not expected here", value));
    return true;
  }

  bool string(std::string& text) {
    if (state_ == State::metadata_value) {
      header.metadata.emplace(key_, std::move(text));
      state_ = State::metadata;
    } else if (state_ == State::dtype) {
      dtype_ = dtype_named(text);
      if (!dtype_)
        fail(fmt::format("dtype '{}' is not supported ({} are); convert the tensor",
                         printable(text), joined(dtype_names, " ")));
      state_ = State::tensor;
    } else {
      fail("a string is not expected here");
    }
    return true;
  }

  bool start_object(std::size_t) {
    if (state_ == State::begin)
      state_ = State::top;
    else if (state_ == State::top_value)
      state_ = name_ == metadata_key ? State::metadata : State::tensor;
    else
      fail("an object is not expected here");
    return true;
  }

  bool key(std::string& text) {
    if (state_ == State::top)
      begin_entry(text);
    else if (state_ == State::metadata)
      begin_string(text);
    else if (state_ == State::tensor)
      begin_field(text);
    return true;
  }

  bool end_object() {
    if (state_ == State::tensor) {
      finish_tensor();
      state_ = State::top;
    } else if (state_ == State::metadata) {
      state_ = State::top;
    } else {
      state_ = State::done;
    }
    return true;
  }

  bool start_array(std::size_t) {
    if (state_ == State::shape_value)
      state_ = State::shape;
    else if (state_ == State::offsets_value)
      state_ = State::offsets;
    else
      fail("an array is not expected here");
    return true;
  }

  bool end_array() {
    if (state_ == State::offsets && offsets_.size() != 2) fail("data_offsets needs two numbers");
    state_ = State::tensor;
    return true;
  }

  bool parse_error(std::size_t, const std::string& token, const nlohmann::json::exception&) {
    fail(fmt::format("invalid JSON near '{}'", printable(token)));
  }

 private:
  enum class State {
    begin,
    top,
    top_value,
    metadata,
    metadata_value,
    tensor,
    dtype,
    shape_value,
    shape,
    offsets_value,
    offsets,
    done
  };

  [[noreturn]] void fail(std::string_view problem) const {
    const std::string where =
        name_.empty() ? std::string() : fmt::format(" (at '{}')", printable(name_));
    source_.fail(
        begin_ + (reached_ - text_),
        fmt::format("the header is not valid{}: {}; fetch or save the file again", where, problem));
  }

  void begin_entry(std::string& text) {
    name_ = std::move(text);
    if (!names_.insert(name_).second) fail("the name is there twice");
    if (names_.size() > max_entries)
      fail(fmt::format("more than {} tensors are not supported", max_entries));
    dtype_.reset();
    extents_.clear();
    offsets_.clear();
    has_shape_ = false;
    state_ = State::top_value;
  }

  void begin_string(std::string& text) {
    if (header.metadata.contains(text)) fail(fmt::format("'{}' is there twice", printable(text)));
    if (header.metadata.size() >= max_strings)
      fail(fmt::format("more than {} strings of metadata are not supported", max_strings));
    key_ = std::move(text);
    state_ = State::metadata_value;
  }

  void begin_field(const std::string& text) {
    if (text == "dtype" && !dtype_)
      state_ = State::dtype;
    else if (text == "shape" && !std::exchange(has_shape_, true))
      state_ = State::shape_value;
    else if (text == "data_offsets" && offsets_.empty())
      state_ = State::offsets_value;
    else
      fail(fmt::format("the key '{}' is unknown or repeated", printable(text)));
  }

  void finish_tensor() {
    if (!dtype_ || !has_shape_ || offsets_.empty())
      fail("one of dtype, shape and data_offsets is missing");
    const std::int64_t data_bytes = source_.size() - data_begin_;
    const std::uint64_t from = offsets_[0];
    const std::uint64_t to = offsets_[1];
    if (from > to) fail(fmt::format("data_offsets [{},{}] run backwards", from, to));
    if (to > static_cast<std::uint64_t>(data_bytes))
      fail(
          fmt::format("data_offsets [{},{}] end beyond the {} bytes of data in the file (a "
                      "truncated copy?)",
                      from, to, data_bytes));
    const Extent extent =
        checked_extent(source_, begin_ + (reached_ - text_), extents_, size_of(*dtype_),
                       {data_bytes, "the file holds less data; the header is corrupt"});
    if (static_cast<std::uint64_t>(extent.bytes) != to - from)
      fail(fmt::format("{} {} needs {} bytes, but data_offsets [{},{}] give {}",
                       dtype_names[static_cast<std::size_t>(*dtype_)], to_string(extent.shape),
                       extent.bytes, from, to, to - from));
    header.entries.push_back({name_, *dtype_, extent.shape,
                              data_begin_ + static_cast<std::int64_t>(from), extent.bytes});
  }

  const ByteSource& source_;
  std::int64_t begin_;
  std::int64_t data_begin_;
  const char* text_;
  const char* const& reached_;
  State state_ = State::begin;
  std::unordered_set<std::string> names_;
  std::string name_;
  std::string key_;
  std::optional<DType> dtype_;
  bool has_shape_ = false;
  std::vector<std::uint64_t> extents_;
  std::vector<std::uint64_t> offsets_;
};

void check_coverage(const ByteSource& source, std::int64_t data_begin,
                    std::vector<SafetensorsEntry>& entries) {
  std::sort(entries.begin(), entries.end(),
            [](const SafetensorsEntry& a, const SafetensorsEntry& b) {
              if (a.offset != b.offset) return a.offset < b.offset;
              return a.bytes != b.bytes ? a.bytes < b.bytes : a.name < b.name;
            });
  std::int64_t covered = data_begin;
  for (const SafetensorsEntry& entry : entries) {
    if (entry.offset != covered)
      source.fail(
          entry.offset,
          fmt::format(
              "tensor '{}' {} ({} bytes); the file is corrupt, fetch it again",
              printable(entry.name),
              entry.offset < covered ? "overlaps the one before" : "leaves a hole before it",
              entry.offset < covered ? covered - entry.offset : entry.offset - covered));
    covered += entry.bytes;
  }
  if (covered != source.size())
    source.fail(covered, fmt::format("{} bytes follow the last tensor; remove them or fetch the "
                                     "file again",
                                     source.size() - covered));
}

}  // namespace

std::string_view safetensors_name(DType dtype) {
  return dtype_names[static_cast<std::size_t>(dtype)];
}

SafetensorsHeader parse_safetensors_header(const ByteSource& source) {
  constexpr std::int64_t begin = 8;
  std::array<std::byte, begin> length_field{};
  source.read_at(0, length_field);
  const std::uint64_t length = little_endian(length_field);
  if (length > static_cast<std::uint64_t>(max_safetensors_header))
    source.fail(0, fmt::format("the header claims {} bytes, at most {} are accepted; this is no "
                               "safetensors file",
                               length, max_safetensors_header));
  const std::vector<std::byte> raw = source.read_block(begin, static_cast<std::int64_t>(length));
  if (raw.empty() || raw[0] != std::byte{'{'})
    source.fail(begin, "the header does not begin with '{'; this is no safetensors file");
  const auto* text = reinterpret_cast<const char*>(raw.data());
  const char* reached = text;
  const std::int64_t data_begin = begin + static_cast<std::int64_t>(raw.size());
  HeaderHandler handler(source, begin, data_begin, text, reached);
  nlohmann::json::sax_parse(CountingIterator(text, &reached),
                            CountingIterator(text + raw.size(), &reached), &handler);
  check_coverage(source, data_begin, handler.header.entries);
  return std::move(handler.header);
}

}  // namespace genera::io
