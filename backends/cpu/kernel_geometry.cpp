#include "backends/cpu/kernel_geometry.h"

#include <algorithm>
#include <bit>

namespace genera::cpu {
namespace {

std::size_t at(std::int64_t i) { return static_cast<std::size_t>(i); }

constexpr std::size_t tile_budget = 6144;  // words: 24 KiB of the L1 cache
constexpr std::size_t shortest_tile = 256, longest_tile = 1024;
/// Where nothing is reduced a tile may be longer, if so many are left for the threads to share.
constexpr std::size_t longest_elementwise_tile = 4096, elementwise_tiles = 64;
/// Elementwise kernels that read and write more values than this do not find them in the L2 cache.
constexpr double streaming_values = 1e6;

constexpr std::size_t row_chunk = ReduceKernels::row_chunk,
                      column_chunk = ReduceKernels::column_chunk;

std::size_t tile_length(const Program& program, std::size_t elements, int tiles, int passing) {
  std::size_t n = longest_tile;
  const auto suffices = [&](std::size_t length) {
    return program.space.boxes  // one thread's own
           || length * elementwise_tiles <= elements;
  };
  if (program.space.elementwise)
    while (n < longest_elementwise_tile && suffices(2 * n)) n *= 2;
  while (n > shortest_tile && n * at(tiles) + longest_part * at(passing) > tile_budget) n /= 2;
  return n;
}

/// 0 if no source repeats.
std::int64_t shortest_period(const Program& program) {
  std::int64_t period = 0;
  for (const Pass& pass : program.passes)
    for (const Source& source : pass.sources)
      if (source.period > 0) period = period == 0 ? source.period : std::min(period, source.period);
  return period;
}

/// How many tensors an elementwise kernel passes over.
std::size_t streamed_tensors(const Program& program) {
  std::size_t count = 0;
  for (const Pass& pass : program.passes)
    count +=
        pass.sinks.size() + static_cast<std::size_t>(std::count_if(
                                pass.sources.begin(), pass.sources.end(), [](const Source& source) {
                                  return source.kind == Value::Kind::load && source.period == 0;
                                }));
  return count;
}

void size_rows(Geometry& g, const Program& program, std::size_t capacity) {
  const auto inner = at(g.inner);
  g.packed = !program.space.elementwise && g.inner > 0 && g.inner < 128 && g.kept > 1;
  g.blocked = program.space.elementwise && program.transposes && g.inner >= 16 && g.kept >= 4;
  if (g.blocked) {
    const std::size_t pieces = (inner + 63) / 64;
    g.packed = true;
    g.length = (inner + pieces - 1) / pieces;
    g.rows = std::min(capacity / g.length, at(g.kept));
    g.tile = g.rows * g.length;
    // Blocks of a cache line's width down all columns: what a line brings is used before it is
    // gone.
    g.block = g.rows;
    return;
  }
  if (g.packed) {
    g.rows = std::max<std::size_t>(1, std::min(capacity / inner, at(g.kept)));
    g.length = inner;
    g.tile = g.rows * inner;
    g.block = std::min(round_up(256, g.rows), round_up(at(g.kept), g.rows));
    return;
  }
  // Chunks of a reduction begin at multiples of 1024 and lanes repeat every 64 elements, so that a
  // tile may end there.
  const std::size_t pieces = std::max<std::size_t>(1, (inner + capacity - 1) / capacity);
  const bool chunks = !program.space.elementwise && inner > row_chunk;
  g.length =
      chunks ? capacity : round_up(std::max<std::size_t>(1, (inner + pieces - 1) / pieces), 64);
  if (g.kept == 1 && program.space.elementwise) g.period = shortest_period(program);
  if (g.period > 0) g.length = std::max<std::size_t>(1, capacity / at(g.period)) * at(g.period);
  g.tile = std::min(g.length, round_up(std::max<std::size_t>(inner, 1), 16));
  constexpr std::size_t block_elements = 16384;
  g.block = std::clamp<std::size_t>(block_elements / std::max<std::size_t>(1, inner), 1, 256);
  g.block = std::min(g.block, at(g.kept));
}

void size_columns(Geometry& g, std::size_t capacity) {
  const auto kept = at(g.kept), inner = at(g.inner);
  g.packed = 2 * kept <= capacity && inner > 1;
  if (g.packed) {
    g.width = kept;
    g.length = std::min({capacity / kept, inner, column_chunk});
  } else {
    const std::size_t pieces = (kept + capacity - 1) / capacity;
    g.width = round_up((kept + pieces - 1) / pieces, 16);
  }
  g.tile = g.width * g.length;
  g.block = g.width;
}

}  // namespace

Geometry make_geometry(const Program& program, std::int64_t kept, std::int64_t inner) {
  Geometry g;
  g.kept = kept;
  g.inner = inner;
  g.row_form = program.space.row_form;
  if (kept == 0) return g;
  const double elements = static_cast<double>(kept) * static_cast<double>(inner);
  g.streams = program.space.elementwise &&
              static_cast<double>(streamed_tensors(program)) * elements > streaming_values;
  int tiles = 1, spread_tiles = 1, passing = 0;
  for (const Pass& pass : program.passes) {
    tiles = std::max(tiles, pass.tile_count);
    passing = std::max(passing, pass.passing_count);
    spread_tiles =
        std::max(spread_tiles, pass.tile_count + static_cast<int>(pass.kept_values.size()));
  }
  const auto length = [&](int count) {
    return tile_length(program, at(kept) * at(inner), count, passing);
  };
  if (g.row_form) {
    size_rows(g, program, length(tiles));
    if (g.packed) size_rows(g, program, length(spread_tiles));
  } else {
    size_columns(g, length(tiles));
    if (g.packed) size_columns(g, length(spread_tiles));
  }
  g.tile_pitch = pitch_of(g.tile);
  g.kept_pitch = pitch_of(g.block);
  const std::size_t chunk = g.row_form ? row_chunk : column_chunk;
  g.levels = static_cast<std::size_t>(std::bit_width(at(inner) / chunk + 1)) + 1;
  g.kept_words = at(program.kept_count) * g.kept_pitch;
  g.tile_words = at(g.packed ? spread_tiles : tiles) * g.tile_pitch;
  g.passing_words = at(passing) * passing_pitch;
  g.raw_words = pitch_of(std::max(g.tile, g.block));
  g.stash_pitch = program.stash_count == 0 ? 0 : pitch_of(g.block * at(inner));
  g.stash_words = at(program.stash_count) * g.stash_pitch;
  const auto reductions = at(program.max_reductions);
  g.reduce_words = g.row_form ? reductions * (ReduceKernels::lanes + pitch_of(g.levels))
                              : reductions * (ReduceKernels::groups + g.levels) * pitch_of(g.width);
  return g;
}

}  // namespace genera::cpu
