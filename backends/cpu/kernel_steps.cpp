#include "backends/cpu/kernel_steps.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

namespace genera::cpu {
namespace {

std::size_t at(std::int16_t i) { return static_cast<std::size_t>(i); }

/// A step on a tile.
struct Call {
  TileFn function;
  std::array<char*, 4> operands;  ///< out, a, b, c
  std::array<std::uint8_t, 4> moves;

  /// On `n` elements; `offsets`: bytes to where they begin, for operands that stay and that move.
  void run(std::size_t n, const std::size_t* offsets) const {
    const auto begin = [&](std::size_t i) { return operands[i] + offsets[moves[i]]; };
    function(begin(0), begin(1), begin(2), begin(3), n);
  }
};

/// Memory that a tile passes over, asked for ahead of the steps: what follows the tile most likely
/// belongs to the next one.
class Streams {
 public:
  /// Does nothing if there are too many.
  void follow(const void* tile) {
    const auto* first = static_cast<const std::uint32_t*>(tile);
    const auto end = at_.begin() + static_cast<std::ptrdiff_t>(count_);
    if (count_ < at_.size() && std::find(at_.begin(), end, first) == end) at_[count_++] = first;
  }
  /// What lies `ahead` of elements [begin, end) of the tile.
  void fetch(std::size_t begin, std::size_t end) const {
    constexpr std::size_t ahead = 512;
    for (std::size_t i = 0; i < count_; ++i)
      for (std::size_t j = begin; j < end; j += cache_line) __builtin_prefetch(at_[i] + ahead + j);
  }

 private:
  std::array<const std::uint32_t*, 8> at_;
  std::size_t count_ = 0;
};

Streams streams_of(const Pass& pass, void* const* values) {
  Streams streams;
  for (const Source& source : pass.sources)
    if (source.zero_copy && source.kind == Value::Kind::load)
      streams.follow(values[at(source.value)]);
  for (const Sink& sink : pass.sinks)
    if (sink.direct) streams.follow(values[at(sink.value)]);
  return streams;
}

/// Elements of each part but the last: equal shares of the tile, in whole cache lines.
std::size_t part_length(std::size_t steps, bool streams, std::size_t n) {
  constexpr std::size_t few_steps = 8, short_part = longest_part / 2;
  // Few steps wait for memory more than for the calls, as do streams.
  const std::size_t longest = streams || steps <= few_steps ? short_part : longest_part;
  const std::size_t parts = (n + longest - 1) / longest;
  return round_up((n + parts - 1) / parts, cache_line);
}

/// Calls that have a place of their own in the program: the processor foresees where an indirect
/// call goes by the place that it comes from, and each place has the same target part after part.
constexpr std::size_t places = 8;

/// The first `places` of `count` calls.
template <std::size_t... i>
void run_calls(const Call* calls, std::size_t count, std::size_t n, const std::size_t* offsets,
               std::index_sequence<i...>) {
  (void)((i < count && (calls[i].run(n, offsets), true)) && ...);
}

}  // namespace

void run_steps(const Pass& pass, const Geometry& geometry, void* const* values, std::size_t n) {
  std::array<Call, Program::max_values> calls;
  const std::size_t count = pass.steps.size();
  const bool single = geometry.row_form && !geometry.packed;
  for (std::size_t i = 0; i < count; ++i) {
    const Step& step = pass.steps[i];
    const StepForm& form = single ? step.rows : step.tiles;
    const auto tile = [&](std::int16_t value) { return static_cast<char*>(values[at(value)]); };
    calls[i] = {
        form.function, {tile(step.out), tile(step.a), tile(step.b), tile(step.c)}, form.moves};
  }
  const Streams streams = geometry.streams ? streams_of(pass, values) : Streams();
  const std::size_t part = part_length(count, geometry.streams, n);
  for (std::size_t done = 0; done < n; done += part) {
    const std::size_t size = std::min(part, n - done);
    const std::array<std::size_t, 2> offsets{0, done * sizeof(std::uint32_t)};
    streams.fetch(done, done + size);
    for (std::size_t i = 0; i < count; i += places)
      run_calls(calls.data() + i, count - i, size, offsets.data(),
                std::make_index_sequence<places>());
  }
}

}  // namespace genera::cpu
