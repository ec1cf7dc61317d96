/// The .npy format, shared by .npy and .npz files.
#pragma once

#include <string>

#include "engine/io/byte_source.h"

namespace genera::io {

/// Reads a whole source that holds one .npy array.
HostArray decode_npy(const ByteSource& source);

/// Magic, version and header of an .npy file for this array; its bytes follow. ArgumentError for
/// bf16.
std::string npy_header(const char* operation, const ArrayView& array);

}  // namespace genera::io
