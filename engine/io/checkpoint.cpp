#include <genera/error.h>
#include <genera/io.h>

#include <fmt/format.h>
#include <xxhash.h>

#include <set>

#include "engine/io/byte_source.h"

namespace genera::io {
namespace {

constexpr std::string_view version_key = "format_version";
constexpr std::string_view version = "1";
constexpr std::string_view header_digest_key = "digest";
constexpr std::string_view digest_prefix = "digest:";

bool is_reserved(std::string_view key) {
  return key == version_key || key == header_digest_key || key.starts_with(digest_prefix);
}

std::string digest_key(std::string_view name) { return std::string(digest_prefix) += name; }

std::string digest_of(std::span<const std::byte> bytes) {
  const XXH128_hash_t hash = ::XXH3_128bits(bytes.data(), bytes.size());
  return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
}

// Over all that the header says and the tensors' digests do not cover: names, dtypes, shapes and
// strings. Lengths go before the texts, so that no two headers give the same text.
template <class Tensors>
std::string header_digest(const Tensors& tensors, const Metadata& metadata) {
  std::map<std::string_view, std::string> described;
  for (const auto& tensor : tensors)
    described[tensor.name] = fmt::format("{} {}", name(tensor.dtype), to_string(tensor.shape));
  std::string text;
  const auto add = [&](std::string_view part) {
    text += fmt::format("{}:", part.size());
    text += part;
  };
  for (const auto& [tensor, description] : described) {
    add(tensor);
    add(description);
  }
  text += '\n';
  for (const auto& [key, value] : metadata)
    if (key != header_digest_key) {
      add(key);
      add(value);
    }
  return digest_of(std::as_bytes(std::span(text)));
}

struct Described {
  std::string_view name;
  DType dtype;
  Shape shape;
};

[[noreturn]] void refuse(const SafetensorsFile& file, std::string_view problem) {
  throw DataError(fmt::format("[read_checkpoint] {}: {}", file.file_name(), problem));
}

const std::string& required(const SafetensorsFile& file, std::string_view key) {
  const auto found = file.metadata().find(key);
  if (found == file.metadata().end())
    refuse(file, fmt::format("its metadata lacks '{}'; this is no checkpoint of Genera, or it is "
                             "damaged: read the previous one or plain safetensors",
                             printable(key)));
  return found->second;
}

Checkpoint load(const SafetensorsFile& file) {
  if (required(file, version_key) != version)
    refuse(file, fmt::format("format version '{}' is not known (this Genera reads '{}'); update "
                             "Genera",
                             printable(required(file, version_key)), version));
  if (required(file, header_digest_key) != header_digest(file.entries(), file.metadata()))
    refuse(file, "the digest of its header does not match: it is damaged; read the previous one");
  Checkpoint checkpoint;
  for (const auto& [key, value] : file.metadata())
    if (!is_reserved(key)) checkpoint.metadata.emplace(key, value);
  for (const SafetensorsEntry& entry : file.entries()) {
    const std::string& expected = required(file, digest_key(entry.name));
    HostArray array = file.load(entry);
    if (digest_of(array.bytes) != expected)
      refuse(file, fmt::format("the digest of tensor '{}' (offset {}, {} bytes) does not match: it "
                               "is damaged; read the previous one",
                               printable(entry.name), entry.offset, entry.bytes));
    checkpoint.tensors.push_back({entry.name, std::move(array)});
  }
  return checkpoint;
}

}  // namespace

void write_checkpoint(const std::filesystem::path& path, std::span<const NamedView> tensors,
                      const Metadata& metadata) {
  Metadata all = metadata;
  for (const auto& [key, value] : metadata)
    if (is_reserved(key))
      throw ArgumentError(fmt::format(
          "[write_checkpoint] the metadata key '{}' is used by the format; choose another",
          printable(key)));
  all.emplace(version_key, version);
  std::vector<Described> described;
  described.reserve(tensors.size());
  for (const NamedView& tensor : tensors) {
    all[digest_key(tensor.name)] = digest_of(tensor.array.bytes);
    described.push_back({tensor.name, tensor.array.dtype, tensor.array.shape});
  }
  all.emplace(header_digest_key, header_digest(described, all));
  write_safetensors(path, tensors, all, {.keep_previous = true});
}

Checkpoint read_checkpoint(const std::filesystem::path& path) {
  return load(SafetensorsFile(path));
}

Checkpoint decode_checkpoint(std::span<const std::byte> bytes, std::string_view name) {
  return load(SafetensorsFile(bytes, name));
}

}  // namespace genera::io
