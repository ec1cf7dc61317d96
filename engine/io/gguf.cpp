#include <genera/error.h>
#include <genera/io.h>

#include <cstring>

#include "engine/io/gguf_header.h"
#include "engine/io/tensor_file.h"

namespace genera::io {
namespace {

constexpr std::size_t block_elements = 32;

// A block begins with its scale.
float scale_of(const std::byte* block) {
  float16 scale;
  std::memcpy(&scale.bits, block, sizeof scale.bits);
  return static_cast<float>(scale);
}

// Q8_0: x_i = d q_i, with d an f16 and 32 signed bytes q.
void decode_q8_0(const std::byte* block, float* out) {
  const float scale = scale_of(block);
  for (std::size_t i = 0; i < block_elements; ++i)
    out[i] = scale * static_cast<float>(std::to_integer<std::int8_t>(block[2 + i]));
}

// Q4_0: x_i = d (q_i - 8), with d an f16 and 16 bytes; the lower halves are the first 16 q, the
// upper halves the others.
void decode_q4_0(const std::byte* block, float* out) {
  const float scale = scale_of(block);
  constexpr std::size_t half = block_elements / 2;
  for (std::size_t i = 0; i < half; ++i) {
    const int pair = std::to_integer<int>(block[2 + i]);
    out[i] = scale * static_cast<float>((pair & 15) - 8);
    out[i + half] = scale * static_cast<float>((pair >> 4) - 8);
  }
}

// Block by block through a window of the file, so that a tensor is in memory only once.
HostArray load_blocks(const ByteSource& source, const GgufEntry& entry, const GgufType& type) {
  HostArray array = HostArray::zeros(entry.dtype, entry.shape);
  const auto values = array.as<float>();
  const auto block_bytes = static_cast<std::size_t>(type.bytes);
  constexpr std::size_t window_blocks = 2048;
  std::vector<std::byte> window(window_blocks * block_bytes);
  const std::size_t blocks = values.size() / block_elements;
  for (std::size_t done = 0; done < blocks; done += window_blocks) {
    const std::size_t count = std::min(window_blocks, blocks - done);
    source.read_at(entry.offset + static_cast<std::int64_t>(done * block_bytes),
                   std::span(window).first(count * block_bytes));
    for (std::size_t i = 0; i < count; ++i) {
      const std::byte* block = window.data() + i * block_bytes;
      float* out = values.data() + (done + i) * block_elements;
      if (type.name == "Q8_0")
        decode_q8_0(block, out);
      else
        decode_q4_0(block, out);
    }
  }
  return array;
}

}  // namespace

struct GgufFile::State : TensorFile<GgufHeader> {
  explicit State(ByteSource opened) : TensorFile(std::move(opened), parse_gguf_header) {}
};

GgufFile::GgufFile(const std::filesystem::path& path)
    : state_(std::make_unique<State>(ByteSource::open("read_gguf", path))) {}
GgufFile::GgufFile(std::span<const std::byte> bytes, std::string_view name)
    : state_(std::make_unique<State>(ByteSource("decode_gguf", name, bytes))) {}
GgufFile::~GgufFile() = default;
GgufFile::GgufFile(GgufFile&&) noexcept = default;
GgufFile& GgufFile::operator=(GgufFile&&) noexcept = default;

const std::vector<GgufEntry>& GgufFile::entries() const { return state_->header.entries; }

const GgufMetadata& GgufFile::metadata() const { return state_->header.metadata; }

const std::string& GgufFile::file_name() const { return state_->source.name(); }

const GgufEntry* GgufFile::find(std::string_view name) const { return state_->find(name); }

HostArray GgufFile::load(const GgufEntry& entry) const {
  const GgufType& type = gguf_type(entry.type);
  if (type.elements > 1) return load_blocks(state_->source, entry, type);
  return {entry.dtype, entry.shape, state_->source.read_block(entry.offset, entry.bytes)};
}

}  // namespace genera::io
