#include <genera/error.h>
#include <genera/io.h>

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <set>

#include "engine/core/joined.h"
#include "engine/io/json_text.h"
#include "engine/io/safetensors_header.h"
#include "engine/io/tensor_file.h"

namespace genera::io {

struct SafetensorsFile::State : TensorFile<SafetensorsHeader> {
  explicit State(ByteSource opened) : TensorFile(std::move(opened), parse_safetensors_header) {}
};

SafetensorsFile::SafetensorsFile(const std::filesystem::path& path)
    : state_(std::make_unique<State>(ByteSource::open("read_safetensors", path))) {}
SafetensorsFile::SafetensorsFile(std::span<const std::byte> bytes, std::string_view name)
    : state_(std::make_unique<State>(ByteSource("decode_safetensors", name, bytes))) {}
SafetensorsFile::~SafetensorsFile() = default;
SafetensorsFile::SafetensorsFile(SafetensorsFile&&) noexcept = default;
SafetensorsFile& SafetensorsFile::operator=(SafetensorsFile&&) noexcept = default;

const std::vector<SafetensorsEntry>& SafetensorsFile::entries() const {
  return state_->header.entries;
}

const Metadata& SafetensorsFile::metadata() const { return state_->header.metadata; }

const std::string& SafetensorsFile::file_name() const { return state_->source.name(); }

const SafetensorsEntry* SafetensorsFile::find(std::string_view name) const {
  return state_->find(name);
}

HostArray SafetensorsFile::load(std::string_view name) const {
  if (const SafetensorsEntry* entry = find(name)) return load(*entry);
  std::string there;
  constexpr std::size_t shown = 5;
  for (std::size_t i = 0; i < std::min(shown, entries().size()); ++i)
    there += fmt::format("{}'{}'", i == 0 ? "" : ", ", printable(entries()[i].name));
  if (entries().size() > shown) there += ", ...";
  throw DataError(fmt::format("[{}] {}: there is no tensor '{}' among its {} ({}); check the name",
                              state_->source.operation(), file_name(), printable(name),
                              entries().size(), there));
}

HostArray SafetensorsFile::load(const SafetensorsEntry& entry) const {
  HostArray array{entry.dtype, entry.shape, state_->source.read_block(entry.offset, entry.bytes)};
  array.view().check(entry.dtype);
  check_bools(state_->source, entry.offset, array);
  return array;
}

namespace {

void check_names(std::span<const NamedView> tensors, const Metadata& metadata) {
  const auto refuse = [](std::string_view what, std::string_view name) {
    throw ArgumentError(fmt::format("[write_safetensors] {} '{}'", what,
                                    is_utf8(name) ? printable(name) : "(not UTF-8)"));
  };
  std::set<std::string_view> names;
  for (const NamedView& tensor : tensors) {
    tensor.array.check(tensor.array.dtype);
    if (!is_utf8(tensor.name)) refuse("a tensor's name must be UTF-8, got", tensor.name);
    if (tensor.name == metadata_key) refuse("the format itself uses the name", tensor.name);
    if (!names.insert(tensor.name).second) refuse("there are two tensors", tensor.name);
  }
  for (const auto& [key, value] : metadata)
    if (!is_utf8(key) || !is_utf8(value)) refuse("metadata must be UTF-8, got key", key);
}

std::string header_text(std::span<const NamedView* const> tensors, const Metadata& metadata) {
  std::string text = "{";
  if (!metadata.empty()) {
    append_json_string(text, metadata_key);
    text += ":{";
    for (const auto& [key, value] : metadata) {
      append_json_string(text, key);
      text += ':';
      append_json_string(text, value);
      text += ',';
    }
    text.back() = '}';
    text += ',';
  }
  std::int64_t offset = 0;
  for (const NamedView* tensor : tensors) {
    const auto end = offset + static_cast<std::int64_t>(tensor->array.bytes.size());
    append_json_string(text, tensor->name);
    text += fmt::format(R"(:{{"dtype":"{}","shape":[{}],"data_offsets":[{},{}]}},)",
                        safetensors_name(tensor->array.dtype),
                        joined(tensor->array.shape.extents(), ","), offset, end);
    offset = end;
  }
  if (text.back() == ',') text.pop_back();
  text += '}';
  // The data begins at a multiple of 8, as the reference implementation aligns it.
  text.append((8 - text.size() % 8) % 8, ' ');
  return text;
}

}  // namespace

void write_safetensors(const std::filesystem::path& path, std::span<const NamedView> tensors,
                       const Metadata& metadata, const WriteOptions& options) {
  check_names(tensors, metadata);
  std::vector<const NamedView*> sorted;
  sorted.reserve(tensors.size());
  for (const NamedView& tensor : tensors) sorted.push_back(&tensor);
  std::stable_sort(sorted.begin(), sorted.end(), [](const NamedView* a, const NamedView* b) {
    return size_of(a->array.dtype) > size_of(b->array.dtype);
  });
  const std::string header = header_text(sorted, metadata);
  if (header.size() > static_cast<std::size_t>(max_safetensors_header))
    throw ArgumentError(
        fmt::format("[write_safetensors] the header of {} tensors takes {} bytes, "
                    "at most {} are allowed; shorten names or metadata",
                    tensors.size(), header.size(), max_safetensors_header));
  const std::uint64_t length = header.size();
  write_file_atomically(
      path,
      [&](const Sink& sink) {
        sink(std::as_bytes(std::span(&length, 1)));
        sink(std::as_bytes(std::span(header)));
        for (const NamedView* tensor : sorted) sink(tensor->array.bytes);
      },
      options);
}

}  // namespace genera::io
