#include <fmt/format.h>

#include <array>
#include <cstring>
#include <map>

#include "zoo/text/formats/model_formats.h"

namespace genera::zoo::text {
namespace {

// dim, hidden_dim, n_layers, n_heads, n_kv_heads, vocab_size, seq_len
using Header = std::array<std::int32_t, 7>;

// The file has no names: these give each tensor that of GGUF, whose layout is the same.
class Llama2cWeights : public Weights {
 public:
  Llama2cWeights(const std::filesystem::path& path, const io::BinaryFile& file,
                 const TransformerShape& shape)
      : path_(path.native()), file_(file) {
    const TransformerShape& s = shape;
    const std::int64_t queries = s.heads * s.head_width;
    const std::int64_t keys = s.kv_heads * s.head_width;
    offset_ = static_cast<std::int64_t>(sizeof(Header));
    add(gguf_names.embedding, {s.vocabulary, s.width});
    const auto add_blocks = [&](const std::string& name, const Shape& extents) {
      for (std::int64_t i = 0; i < s.layers; ++i)
        add(fmt::format(fmt::runtime(gguf_names.block), i) + name, extents);
    };
    add_blocks(gguf_names.attention_norm, {s.width});
    add_blocks(gguf_names.query, {queries, s.width});
    add_blocks(gguf_names.key, {keys, s.width});
    add_blocks(gguf_names.value, {keys, s.width});
    add_blocks(gguf_names.projection, {s.width, queries});
    add_blocks(gguf_names.mlp_norm, {s.width});
    add_blocks(gguf_names.gate, {s.hidden, s.width});
    add_blocks(gguf_names.down, {s.width, s.hidden});
    add_blocks(gguf_names.up, {s.hidden, s.width});
    add(gguf_names.norm, {s.width});
    // Cosines and sines of the positions, which nobody reads any more.
    offset_ += s.context * s.head_width * static_cast<std::int64_t>(sizeof(float));
    if (!s.tied) add(gguf_names.output, {s.vocabulary, s.width});
    if (offset_ != file.size())
      file.fail(std::min(offset_, file.size()),
                fmt::format("the sizes in the header make {} bytes, the file has {}; it is damaged "
                            "or of another format",
                            offset_, file.size()));
  }

  std::optional<Shape> find(const std::string& name) const override {
    const auto found = places_.find(name);
    return found == places_.end() ? std::nullopt : std::optional(found->second.shape);
  }
  std::vector<float> load(const std::string& name) const override {
    const Place& place = places_.at(name);
    std::vector<std::uint64_t> extents;
    for (const std::int64_t extent : place.shape.extents())
      extents.push_back(static_cast<std::uint64_t>(extent));
    return as_floats(file_.load(place.offset, DType::f32, extents), file_name());
  }
  const std::string& file_name() const override { return path_; }

 private:
  struct Place {
    std::int64_t offset = 0;
    Shape shape;
  };

  void add(const std::string& name, const Shape& shape) {
    places_[name + ".weight"] = {offset_, shape};
    offset_ += shape.elements() * static_cast<std::int64_t>(sizeof(float));
    // Before the sum of hostile sizes can overflow.
    if (offset_ > file_.size())
      file_.fail(file_.size(), fmt::format("the file ends before the tensor '{}'; it is truncated "
                                           "or of another format",
                                           name));
  }

  std::string path_;
  const io::BinaryFile& file_;
  std::int64_t offset_ = 0;
  std::map<std::string, Place> places_;
};

Header read_header(const io::BinaryFile& file) {
  Header header{};
  if (file.size() < std::int64_t{sizeof header})
    file.fail(0, fmt::format("{} bytes are no model that is known here (.gguf, .safetensors, or "
                             "llama2.c's .bin)",
                             file.size()));
  const std::vector<std::byte> bytes = file.read(0, sizeof header);
  std::memcpy(header.data(), bytes.data(), sizeof header);
  if (header[0] == 0x616b3432)  // "ak42"
    file.fail(0, "this is version 1 or later of llama2.c's format; export the model as version 0");
  if (std::memcmp(bytes.data(), "PK", 2) == 0)
    file.fail(0,
              "this is PyTorch's format, a pickle, which can run code and is not read; save the "
              "model as safetensors");
  const auto check = [&](std::size_t index, std::string_view name, std::int64_t most) {
    const std::int64_t value = header[index];
    if (value < 1 || value > most)
      file.fail(
          static_cast<std::int64_t>(index * sizeof(std::int32_t)),
          fmt::format("{} is {}; this is no model that is known here (.gguf, .safetensors, or "
                      "llama2.c's .bin)",
                      name, value));
  };
  check(0, "the width", most_width);
  check(1, "the number of hidden units", most_width);
  check(2, "the number of layers", most_layers);
  check(3, "the number of heads", most_width);
  check(4, "the number of key-value heads", most_width);
  check(6, "the context", most_context);
  return header;
}

}  // namespace

ImportedModel import_llama2c(const std::filesystem::path& path) {
  const io::BinaryFile file("read_llama2c", path);
  const Header header = read_header(file);
  TransformerShape shape;
  shape.positions = Positions::rotary;
  shape.norm = Norm::rms;
  shape.mlp = Mlp::swiglu;
  shape.bias = false;
  shape.width = header[0];
  shape.hidden = header[1];
  shape.layers = header[2];
  shape.heads = header[3];
  shape.kv_heads = header[4];
  // A negative vocabulary says that the last layer has weights of its own.
  shape.tied = header[5] > 0;
  shape.vocabulary = std::abs(static_cast<std::int64_t>(header[5]));
  shape.context = header[6];
  if (shape.vocabulary < 1 || shape.vocabulary > most_width)
    file.fail(20,
              fmt::format("the vocabulary has {} tokens; the file is damaged", shape.vocabulary));
  shape = resolved_or(shape, [&](std::string_view problem) { file.fail(0, problem); });
  const Llama2cWeights weights(path, file, shape);
  return {import_transformer(shape, weights, llama_weight_map(shape, gguf_names, Layout::pairs)),
          std::nullopt};
}

}  // namespace genera::zoo::text
