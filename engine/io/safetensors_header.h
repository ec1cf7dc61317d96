/// The JSON header of a safetensors file.
#pragma once

#include "engine/io/byte_source.h"

namespace genera::io {

inline constexpr std::int64_t max_safetensors_header = 100'000'000;
inline constexpr std::string_view metadata_key = "__metadata__";

struct SafetensorsHeader {
  std::vector<SafetensorsEntry>
      entries;  // sorted by offset, which counts from the start of the file
  Metadata metadata;
};

/// The dtype's name in the format: "F32", "BF16", "BOOL" ...
std::string_view safetensors_name(DType dtype);

/// Reads and checks the header: the entries cover the rest of the source without holes or overlaps.
SafetensorsHeader parse_safetensors_header(const ByteSource& source);

}  // namespace genera::io
