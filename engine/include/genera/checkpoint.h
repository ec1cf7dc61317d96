/// States to and from files: safetensors with digests, see io.h.
#pragma once

#include <genera/export.h>
#include <genera/io.h>
#include <genera/state.h>

#include <filesystem>
#include <vector>

namespace genera {

/// Writes the states' values under their names, with `metadata`, and keeps the file before as
/// io::previous_path(path):
///     save_checkpoint(path, states(encoder, decoder, adam), {{"step", "1000"}});
/// ArgumentError when two states have one name; DiskError when the file cannot be written.
GENERA_API void save_checkpoint(const std::filesystem::path& path, const std::vector<State>& states,
                                const io::Metadata& metadata = {});

struct LoadOptions {
  /// Tensors in the file that no state asks for are no error: the model alone out of a training
  /// run's checkpoint.
  bool ignore_other_tensors = false;
};
/// Sets the states from a file and returns its metadata. Names, shapes and dtypes must match, else
/// DataError, and no state has changed.
GENERA_API io::Metadata load_checkpoint(const std::filesystem::path& path,
                                        const std::vector<State>& states,
                                        const LoadOptions& options = {});

}  // namespace genera
