/// The header of a GGUF file: metadata and where the tensors lie.
#pragma once

#include "engine/io/byte_source.h"

namespace genera::io {

/// How a tensor's elements are stored: in blocks of `elements` that take `bytes`.
struct GgufType {
  std::uint32_t code = 0;
  std::string_view name;
  std::int64_t elements = 1;
  std::int64_t bytes = 0;
  DType dtype = DType::f32;  ///< as which it is loaded
};

/// The type of a code; nullptr if it is not supported.
const GgufType* gguf_type(std::uint32_t code);
/// The type of a name that gguf_type() knows.
const GgufType& gguf_type(std::string_view name);

struct GgufHeader {
  std::vector<GgufEntry> entries;  // sorted by offset, which counts from the start of the file
  GgufMetadata metadata;
};

/// Reads and checks the header: the entries cover the rest of the source without overlaps, and
/// without holes other than those of alignment.
GgufHeader parse_gguf_header(const ByteSource& source);

}  // namespace genera::io
