/// The weights of a model in somebody else's file, by name.
#pragma once

#include <genera/io.h>
#include <genera/shape.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace genera::zoo::text {

/// Loads weights one by one, so that only the model itself has to fit into memory.
class Weights {
 public:
  virtual ~Weights() = default;
  /// The shape of a tensor; none if there is no tensor of that name.
  virtual std::optional<Shape> find(const std::string& name) const = 0;
  /// The values of a tensor that is there.
  virtual std::vector<float> load(const std::string& name) const = 0;
  /// What the file is called in messages.
  virtual const std::string& file_name() const = 0;

  /// Throws the DataError "[open_model_file] file: problem" on one line.
  [[noreturn]] void fail(std::string_view problem) const;
};

/// The tensors of a GGUF file, which must outlive it.
std::unique_ptr<Weights> gguf_weights(const io::GgufFile& file);

/// The tensors of a .safetensors file or, where the folder's model.safetensors.index.json lists the
/// file, of all its shards. `path` may be the folder.
std::unique_ptr<Weights> safetensors_weights(const std::filesystem::path& path);

/// Floating-point values of any dtype as f32. DataError, which begins with `what`, for integers.
std::vector<float> as_floats(const io::HostArray& array, const std::string& what);

}  // namespace genera::zoo::text
