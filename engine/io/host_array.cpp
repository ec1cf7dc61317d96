#include <genera/error.h>
#include <genera/io.h>

#include <fmt/format.h>

#include "engine/io/byte_source.h"

namespace genera::io {

void ArrayView::check(DType wanted) const {
  if (dtype != wanted)
    throw ArgumentError(fmt::format("[host_array] the array {} is {}, not {}", to_string(shape),
                                    name(dtype), name(wanted)));
  // Divided, since elements() * size_of() may overflow.
  const auto elements = static_cast<std::size_t>(shape.elements());
  if (bytes.size() % size_of(dtype) != 0 || bytes.size() / size_of(dtype) != elements)
    throw ArgumentError(fmt::format("[host_array] {} {} does not fit {} bytes", name(dtype),
                                    to_string(shape), bytes.size()));
}

HostArray HostArray::zeros(DType dtype, const Shape& shape) {
  const std::int64_t elements = shape.elements();
  const auto size = static_cast<std::int64_t>(size_of(dtype));
  if (elements > (std::int64_t{1} << 62) / size)
    throw MemoryError(
        fmt::format("[host_array] no memory for {} {}", name(dtype), to_string(shape)));
  return {dtype, shape, allocate_bytes(elements * size)};
}

std::vector<NamedView> views(std::span<const NamedArray> arrays) {
  std::vector<NamedView> result;
  result.reserve(arrays.size());
  for (const NamedArray& named : arrays) result.push_back({named.name, named.array.view()});
  return result;
}

}  // namespace genera::io
