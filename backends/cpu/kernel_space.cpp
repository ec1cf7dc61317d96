// How the loop space of a kernel is split into kept and inner dimensions.
#include <limits>

#include "backends/cpu/kernel_program.h"

namespace genera::cpu {
namespace {

using Kind = Value::Kind;

std::size_t at(int i) { return static_cast<std::size_t>(i); }

/// Rows of at least this many elements get tiles of their own; if neighbours in a row are far
/// apart, already these.
constexpr std::int64_t shortest_row = 96, shortest_jumping_row = 16;

/// Extent of the innermost run of a view over all dimensions if rows should end where it does, else
/// the largest number.
std::int64_t innermost_run(const Kernel& kernel, const AffineView& view) {
  IndexMap map;
  map.offset = view.offset;
  for (int d = 0; d < kernel.rank; ++d) map.append(kernel.extents[at(d)], view.stride[at(d)]);
  constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();
  if (map.contiguous()) return never;
  const auto last = at(map.rank - 1);
  const bool jumps = map.stride[last] < 0 || map.stride[last] > 1;
  return map.extent[last] >= (jumps ? shortest_jumping_row : shortest_row) ? map.extent[last]
                                                                           : never;
}

}  // namespace

IndexMap make_map(const AffineView& view, const std::int64_t* extents,
                  const std::vector<int>& outer, const std::vector<int>& inner) {
  IndexMap map;
  map.offset = view.offset;
  for (const int d : outer) map.append(extents[d], view.stride[at(d)]);
  for (const int d : inner) map.append(extents[d], view.stride[at(d)]);
  return map;
}

Space split(const Kernel& kernel, const Lowered& lowered) {
  Space space;
  bool reduces = false;
  for (const Value& v : lowered.values) reduces |= v.kind == Kind::reduce;
  int last = -1;
  for (int d = 0; d < kernel.rank; ++d) {
    if (kernel.extents[at(d)] == 1) continue;
    reduces |= kernel.reduced[at(d)];
    last = d;
  }
  if (reduces) {
    space.row_form = last >= 0 && kernel.reduced[at(last)];
    for (int d = 0; d < kernel.rank; ++d) {
      if (kernel.extents[at(d)] == 1) continue;
      (kernel.reduced[at(d)] ? space.inner_dims : space.kept_dims).push_back(d);
    }
    return space;
  }
  space.elementwise = true;
  std::int64_t run = std::numeric_limits<std::int64_t>::max();
  for (const Value& v : lowered.values)
    if (v.kind == Kind::load || v.kind == Kind::iota || v.kind == Kind::random) {
      run = std::min(run, innermost_run(kernel, v.view));
    }
  for (const Output& o : lowered.outputs) {
    run = std::min(run, innermost_run(kernel, o.view));
  }
  std::int64_t inner = 1;
  int first_inner = kernel.rank;
  while (first_inner > 0 && inner < run) inner *= kernel.extents[at(--first_inner)];
  for (int d = 0; d < kernel.rank; ++d)
    if (kernel.extents[at(d)] != 1)
      (d < first_inner ? space.kept_dims : space.inner_dims).push_back(d);
  return space;
}

Space split_last(const Kernel& kernel) {
  Space space;
  space.elementwise = true;
  space.boxes = true;
  for (int d = 0; d < kernel.rank; ++d)
    (d + 1 < kernel.rank ? space.kept_dims : space.inner_dims).push_back(d);
  return space;
}

}  // namespace genera::cpu
