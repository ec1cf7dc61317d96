/// The one place where sizes that a file claims are multiplied.
#pragma once

#include "engine/io/byte_source.h"

namespace genera::io {

struct Extent {
  Shape shape;
  std::int64_t bytes = 0;
};

/// How many bytes a claimed array may have, and why ("the file holds only ...").
struct ByteLimit {
  std::int64_t bytes = 0;
  std::string_view reason;
};

/// Shape and bytes of an array with the `extents` that a file claims. DataError (at `offset`) for
/// more than 8 axes, for more than 2^62 elements counting empty axes as one, or for more bytes than
/// the limit.
Extent checked_extent(const ByteSource& source, std::int64_t offset,
                      std::span<const std::uint64_t> extents, std::size_t element_size,
                      const ByteLimit& limit);

}  // namespace genera::io
