#include "backends/cpu/kernel_access.h"

#include <algorithm>
#include <cstring>

namespace genera::cpu {

void IndexMap::append(std::int64_t new_extent, std::int64_t new_stride) {
  if (new_extent == 1) return;
  if (rank > 0) {
    const auto last = static_cast<std::size_t>(rank - 1);
    if (stride[last] == new_stride * new_extent) {
      extent[last] *= new_extent;
      stride[last] = new_stride;
      return;
    }
  }
  extent[static_cast<std::size_t>(rank)] = new_extent;
  stride[static_cast<std::size_t>(rank)] = new_stride;
  ++rank;
}

Position locate(const IndexMap& map, std::int64_t flat) {
  Position p;
  p.element = map.offset;
  for (int d = map.rank - 1; d > 0; --d) {
    const auto i = static_cast<std::size_t>(d);
    const std::int64_t outer = flat / map.extent[i];
    p.index[i] = flat - outer * map.extent[i];
    p.element += p.index[i] * map.stride[i];
    flat = outer;
  }
  p.index[0] = flat;
  p.element += flat * map.stride[0];
  return p;
}

void next_run(const IndexMap& map, Position& p, std::int64_t length) {
  auto d = static_cast<std::size_t>(map.rank - 1);
  p.element += length * map.stride[d];
  p.index[d] += length;
  while (d > 0 && p.index[d] >= map.extent[d]) {
    p.element += map.stride[d - 1] - p.index[d] * map.stride[d];
    p.index[d] = 0;
    ++p.index[--d];
  }
}

namespace {

/// Calls each(element, count, position in the tile) for every innermost run.
template <class Each>
void for_runs(const IndexMap& map, std::int64_t flat, std::size_t n, const Each& each) {
  if (map.rank == 0) {
    if (n > 0) each(map.offset, std::size_t{1}, std::size_t{0});
    return;
  }
  Position p = locate(map, flat);
  for (std::size_t i = 0; i < n;) {
    const auto left = static_cast<std::size_t>(run_length(map, p));
    const std::size_t count = std::min(left, n - i);
    each(p.element, count, i);
    i += count;
    if (i < n) next_run(map, p, static_cast<std::int64_t>(count));
  }
}

template <class T>
void gather_elements(const T* base, const IndexMap& map, std::int64_t flat, std::size_t n, T* out) {
  const std::int64_t step = map.rank == 0 ? 0 : map.stride[static_cast<std::size_t>(map.rank - 1)];
  for_runs(map, flat, n, [&](std::int64_t element, std::size_t count, std::size_t at) {
    const T* p = base + element;
    T* o = out + at;
    if (step == 1) {
      if (count < 8) {
        for (std::size_t i = 0; i < count; ++i) o[i] = p[i];
      } else {
        std::memcpy(o, p, count * sizeof(T));
      }
    } else if (step == 0) {
      std::fill_n(o, count, *p);
    } else {
      for (std::size_t i = 0; i < count; ++i) o[i] = p[static_cast<std::int64_t>(i) * step];
    }
  });
}

template <class T>
void scatter_elements(T* base, const IndexMap& map, std::int64_t flat, std::size_t n, const T* in) {
  const std::int64_t step = map.rank == 0 ? 0 : map.stride[static_cast<std::size_t>(map.rank - 1)];
  for_runs(map, flat, n, [&](std::int64_t element, std::size_t count, std::size_t at) {
    T* p = base + element;
    const T* v = in + at;
    if (step == 1) {
      std::memcpy(p, v, count * sizeof(T));
    } else {
      for (std::size_t i = 0; i < count; ++i) p[static_cast<std::int64_t>(i) * step] = v[i];
    }
  });
}

}  // namespace

void gather(std::size_t element_size, const void* base, const IndexMap& map, std::int64_t flat,
            std::size_t n, void* out) {
  switch (element_size) {
    case 1:
      return gather_elements(static_cast<const std::uint8_t*>(base), map, flat, n,
                             static_cast<std::uint8_t*>(out));
    case 2:
      return gather_elements(static_cast<const std::uint16_t*>(base), map, flat, n,
                             static_cast<std::uint16_t*>(out));
    default:
      return gather_elements(static_cast<const std::uint32_t*>(base), map, flat, n,
                             static_cast<std::uint32_t*>(out));
  }
}

void scatter(std::size_t element_size, void* base, const IndexMap& map, std::int64_t flat,
             std::size_t n, const void* in) {
  switch (element_size) {
    case 1:
      return scatter_elements(static_cast<std::uint8_t*>(base), map, flat, n,
                              static_cast<const std::uint8_t*>(in));
    case 2:
      return scatter_elements(static_cast<std::uint16_t*>(base), map, flat, n,
                              static_cast<const std::uint16_t*>(in));
    default:
      return scatter_elements(static_cast<std::uint32_t*>(base), map, flat, n,
                              static_cast<const std::uint32_t*>(in));
  }
}

}  // namespace genera::cpu
