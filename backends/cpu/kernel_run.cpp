#include "backends/cpu/kernel_run.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "backends/cpu/kernel_steps.h"

namespace genera::cpu {
namespace {

std::size_t at(std::int64_t i) { return static_cast<std::size_t>(i); }

constexpr std::size_t row_chunk = ReduceKernels::row_chunk,
                      column_chunk = ReduceKernels::column_chunk;

}  // namespace

Run::Run(const Program& p, const Geometry& g, const IndexMap* m, std::span<void* const> b,
         std::span<const ScalarValue> s)
    : program(p), geometry(g), maps(m), buffers(b), scalars(s) {
  for (const auto& [value, bits] : p.constants) uniform[at(value)] = bits;
  for (const Program::RunTimeScalar& x : p.scalars) {
    const ScalarValue& v = s[at(x.number)];
    uniform[at(x.value)] = x.type == LaneType::f32
                               ? std::bit_cast<std::uint32_t>(static_cast<float>(v.floating))
                               : static_cast<std::uint32_t>(v.integer);
  }
  for (const Source& source : p.uniform.sources) {
    std::uint32_t* out = &uniform[at(source.value)];
    const std::int64_t element = m[source.map].offset;
    if (source.kind == Value::Kind::load)
      source.convert(out, address(source.imm, element, source.element_size), 1);
    else if (source.kind == Value::Kind::iota)
      source.iota(out, element, 0, 1);
    else
      source.random(out, static_cast<std::uint64_t>(s[at(source.imm)].integer),
                    static_cast<std::uint64_t>(element), 1, 1);
  }
  for (const Step& step : p.uniform.steps)
    step.tiles.function(&uniform[at(step.out)], &uniform[at(step.a)], &uniform[at(step.b)],
                        &uniform[at(step.c)], 1);
  if (p.passes.empty()) return;
  const Pass& last = p.passes.back();
  for (std::size_t i = 0; i < last.sinks.size(); ++i) {
    const Sink& sink = last.sinks[i];
    if (!sink.direct) continue;
    const void* to = address(sink.buffer, m[sink.map].offset, sink.element_size);
    bool safe = true;
    for (std::uint64_t rest = sink.hazards; rest != 0; rest &= rest - 1) {
      const Source& source = last.sources[static_cast<std::size_t>(std::countr_zero(rest))];
      if (source.kind == Value::Kind::load &&
          address(source.imm, m[source.map].offset, source.element_size) == to)
        safe = false;
    }
    if (safe) direct |= std::uint64_t{1} << i;
  }
}

void Cascade::push(const ReduceKernels& kernels, std::uint32_t* x) {
  std::uint64_t bits = count++;
  std::uint32_t* level = levels;
  for (; bits & 1; bits >>= 1, level += pitch) kernels.combine(x, level, x, nullptr, width);
  std::memcpy(level, x, width * 4);
}

void Cascade::finish(const Reduction& reduction, std::uint32_t* out) {
  if (count == 0) {
    std::fill_n(out, width, reduction.empty);
    return;
  }
  bool first = true;
  std::uint32_t* level = levels;
  for (std::uint64_t bits = count; bits != 0; bits >>= 1, level += pitch) {
    if (!(bits & 1)) continue;
    if (first)
      std::memcpy(out, level, width * 4);
    else
      reduction.kernels->combine(out, level, out, nullptr, width);
    first = false;
  }
}

Worker::Worker(const Run& run, std::uint32_t* memory) : run_(run) {
  const Geometry& g = run.geometry;
  kept_ = memory;
  tiles_ = kept_ + g.kept_words;
  passing_ = tiles_ + g.tile_words;
  raw_ = passing_ + g.passing_words;
  stash_ = raw_ + g.raw_words;
  reduce_ = stash_ + g.stash_words;
  for (const std::int16_t v : run.program.uniform_values) {
    kept_value_[at(v)] = &run.uniform[at(v)];
    value_[at(v)] = const_cast<std::uint32_t*>(&run.uniform[at(v)]);
  }
}

namespace {

/// Whether the n elements from flat index `flat` on are neighbours in memory; *element is the
/// first.
bool contiguous_at(const IndexMap& map, std::int64_t flat, std::size_t n, std::int64_t* element) {
  *element = map.offset + flat;
  if (map.contiguous()) return true;
  if (map.stride[at(map.rank - 1)] != 1) return false;
  const Position p = locate(map, flat);
  *element = p.element;
  return at(run_length(map, p)) >= n;
}

}  // namespace

const void* Worker::load(const Source& source, std::int64_t flat, std::size_t n, void* tile) const {
  const IndexMap& map = run_.maps[source.map];
  if (source.kind == Value::Kind::load) {
    std::int64_t element;
    if (contiguous_at(map, flat, n, &element)) {
      const void* from = run_.address(source.imm, element, source.element_size);
      if (source.zero_copy) return from;
      source.convert(tile, from, n);
    } else if (source.zero_copy) {
      gather(4, run_.address(source.imm, 0, 4), map, flat, n, tile);
    } else {
      gather(source.element_size, run_.address(source.imm, 0, source.element_size), map, flat, n,
             raw_);
      source.convert(tile, raw_, n);
    }
    return tile;
  }
  auto* out = static_cast<std::uint32_t*>(tile);
  Position p;
  std::int64_t step = 0;
  if (map.rank == 0) {
    p.element = map.offset;
  } else {
    p = locate(map, flat);
    step = map.stride[at(map.rank - 1)];
  }
  for (std::size_t i = 0; i < n;) {
    const std::size_t count = map.rank == 0 ? n : std::min(at(run_length(map, p)), n - i);
    if (source.kind == Value::Kind::iota) {
      source.iota(out + i, p.element, step, count);
    } else {
      const auto key = static_cast<std::uint64_t>(run_.scalars[at(source.imm)].integer);
      source.random(out + i, key, static_cast<std::uint64_t>(p.element), step, count);
    }
    i += count;
    if (i < n) next_run(map, p, static_cast<std::int64_t>(count));
  }
  return tile;
}

void Worker::store(const Sink& sink, std::int64_t flat, std::size_t n, const void* from) const {
  const IndexMap& map = run_.maps[sink.map];
  std::int64_t element;
  if (contiguous_at(map, flat, n, &element)) {
    sink.convert(run_.address(sink.buffer, element, sink.element_size), from, n);
    return;
  }
  if (sink.element_size != 4) {
    sink.convert(raw_, from, n);
    from = raw_;
  }
  scatter(sink.element_size, run_.address(sink.buffer, 0, sink.element_size), map, flat, n, from);
}

void Worker::start_block(std::int64_t begin, std::int64_t count) {
  block_begin_ = begin;
  block_count_ = count;
  for (std::size_t v = 0; v < run_.program.kept_slot.size(); ++v) {
    const std::int16_t slot = run_.program.kept_slot[v];
    if (slot >= 0) kept_value_[v] = kept_ + at(slot) * run_.geometry.kept_pitch;
  }
}

void Worker::share_block(const Worker& other) {
  block_begin_ = other.block_begin_;
  block_count_ = other.block_count_;
  kept_value_ = other.kept_value_;
}

void Worker::run_stage(int number) {
  const Stage& stage = run_.program.stages[at(number)];
  const auto n = at(block_count_);
  for (const Source& source : stage.sources) {
    void* own = kept_ + at(run_.program.kept_slot[at(source.value)]) * run_.geometry.kept_pitch;
    kept_value_[at(source.value)] = load(source, block_begin_, n, own);
  }
  for (const Step& step : stage.steps)
    step.tiles.function(const_cast<void*>(kept_value_[at(step.out)]), kept_value_[at(step.a)],
                        kept_value_[at(step.b)], kept_value_[at(step.c)], n);
}

void Worker::store_kept() {
  for (const Sink& sink : run_.program.kept_sinks)
    store(sink, block_begin_, at(block_count_), kept_value_[at(sink.value)]);
}

void Worker::bind(const Pass& pass) {
  for (const auto& [value, tile] : pass.tiles) value_[at(value)] = tile_at(tile);
  for (const auto& [value, number] : pass.passing)
    value_[at(value)] = passing_ + at(number) * passing_pitch;
  std::fill_n(repeated_.begin(), pass.sources.size(), 0);
  if (!run_.geometry.row_form && !run_.geometry.packed)
    for (const std::int16_t v : pass.kept_values)
      value_[at(v)] = const_cast<void*>(kept_value_[at(v)]);
}

void Worker::bind_row(const Pass& pass, std::int64_t k) {
  for (const std::int16_t v : pass.kept_values)
    value_[at(v)] = const_cast<std::uint32_t*>(
        static_cast<const std::uint32_t*>(kept_value_[at(v)]) + (k - block_begin_));
}

void Worker::spread(const Pass& pass, std::int64_t k, std::size_t rows, std::size_t length) {
  const Geometry& g = run_.geometry;
  for (std::size_t i = 0; i < pass.kept_values.size(); ++i) {
    const std::int16_t v = pass.kept_values[i];
    const auto* from = static_cast<const std::uint32_t*>(kept_value_[at(v)]) + (k - block_begin_);
    auto* to = static_cast<std::uint32_t*>(tile_at(pass.tile_count + static_cast<int>(i)));
    value_[at(v)] = to;
    if (g.row_form) {
      for (std::size_t j = 0; j < rows; ++j, to += length) std::fill_n(to, length, from[j]);
    } else {
      for (std::size_t j = 0; j < length; ++j, to += g.width) std::memcpy(to, from, g.width * 4);
    }
  }
}

void Worker::execute(const Pass& pass, std::int64_t flat, std::int64_t local, std::size_t n) {
  for (const auto& [value, number] : pass.stash)
    value_[at(value)] = stash_ + at(number) * run_.geometry.stash_pitch + local;
  std::uint64_t written = 0;
  for (std::size_t i = 0; i < pass.sinks.size(); ++i) {
    const Sink& sink = pass.sinks[i];
    if (!(run_.direct >> i & 1)) continue;
    std::int64_t element;
    if (contiguous_at(run_.maps[sink.map], flat, n, &element)) {
      value_[at(sink.value)] = run_.address(sink.buffer, element, 4);
      written |= std::uint64_t{1} << i;
    } else {
      value_[at(sink.value)] = tile_at(sink.tile);
    }
  }
  for (std::size_t i = 0; i < pass.sources.size(); ++i) {
    const Source& source = pass.sources[i];
    void*& p = value_[at(source.value)];
    if (source.period > 0 && source.period == run_.geometry.period) {
      // Tiles start at multiples of the period: all tiles see the same elements. A value that goes straight to its
      // destination has another tile each time.
      if (repeated_[i] >= n && p == repeated_at_[i]) continue;
      repeated_[i] = n;
    }
    void* tile = source.filled ? p : source.tile < 0 ? nullptr : tile_at(source.tile);
    p = const_cast<void*>(load(source, flat, n, tile));
    repeated_at_[i] = p;
  }
  run_steps(pass, run_.geometry, value_.data(), n);
  for (std::size_t i = 0; i < pass.sinks.size(); ++i)
    if (!(written >> i & 1)) store(pass.sinks[i], flat, n, value_[at(pass.sinks[i].value)]);
}

void Worker::run_row_chunks(int number, std::int64_t k, std::int64_t first, std::int64_t last,
                            std::uint32_t* const* results) {
  const Geometry& g = run_.geometry;
  const Pass& pass = run_.program.passes[at(number)];
  bind(pass);
  bind_row(pass, k);
  const bool reduces = !pass.reductions.empty();
  const auto chunk = static_cast<std::int64_t>(reduces ? row_chunk : g.length);
  const std::int64_t end = std::min(g.inner, last * chunk);
  const std::size_t count = pass.reductions.size();
  std::uint32_t* levels = reduce_ + count * ReduceKernels::lanes;
  std::array<Cascade, Kernel::max_instructions> cascades;
  for (std::size_t i = 0; i < count; ++i) {
    std::fill_n(reduce_ + i * ReduceKernels::lanes, ReduceKernels::lanes,
                pass.reductions[i].kernels->identity);
    cascades[i] = {levels + i * pitch_of(g.levels), 1, 1, 0};
  }
  for (std::int64_t r = first * chunk; r < end;) {
    const std::size_t n = std::min(g.length, at(end - r));
    execute(pass, k * g.inner + r, (k - block_begin_) * g.inner + r, n);
    r += static_cast<std::int64_t>(n);
    for (std::size_t i = 0; i < count; ++i) {
      const Reduction& reduction = pass.reductions[i];
      std::uint32_t* lanes = reduce_ + i * ReduceKernels::lanes;
      reduction.kernels->accumulate(lanes, value_[at(reduction.source)], n);
      if (r % chunk == 0 || r == end) {
        std::uint32_t x;
        reduction.kernels->fold(&x, lanes);
        cascades[i].push(*reduction.kernels, &x);
        std::fill_n(lanes, ReduceKernels::lanes, reduction.kernels->identity);
      }
    }
  }
  for (std::size_t i = 0; i < count; ++i) cascades[i].finish(pass.reductions[i], results[i]);
}

void Worker::run_rows(int number, std::int64_t begin, std::int64_t end) {
  const Geometry& g = run_.geometry;
  const Pass& pass = run_.program.passes[at(number)];
  if (at(g.inner) > g.length && !pass.reductions.empty()) {
    std::array<std::uint32_t*, Kernel::max_instructions> results;
    for (std::int64_t k = begin; k < end; ++k) {
      for (std::size_t i = 0; i < pass.reductions.size(); ++i)
        results[i] = kept_result(pass.reductions[i]) + (k - block_begin_);
      run_row_chunks(number, k, 0, g.chunks(), results.data());
    }
    return;
  }
  bind(pass);
  for (std::int64_t k = begin; k < end; ++k) {
    bind_row(pass, k);
    for (std::int64_t r = 0; r < g.inner;) {
      const std::size_t n = std::min(g.length, at(g.inner - r));
      execute(pass, k * g.inner + r, (k - block_begin_) * g.inner + r, n);
      r += static_cast<std::int64_t>(n);
    }
    for (const Reduction& reduction : pass.reductions) {
      std::uint32_t* out = kept_result(reduction) + (k - block_begin_);
      if (g.inner == 0)
        *out = reduction.empty;
      else
        reduction.kernels->rows(out, value_[at(reduction.source)], 1, at(g.inner));
    }
  }
}

void Worker::run_packed_rows(int number, std::int64_t begin, std::int64_t end) {
  const Geometry& g = run_.geometry;
  const Pass& pass = run_.program.passes[at(number)];
  bind(pass);
  for (std::int64_t k = begin; k < end;) {
    const std::size_t rows = std::min(g.rows, at(end - k));
    spread(pass, k, rows, g.length);
    execute(pass, k * g.inner, (k - block_begin_) * g.inner, rows * at(g.inner));
    for (const Reduction& reduction : pass.reductions)
      reduction.kernels->rows(kept_result(reduction) + (k - block_begin_),
                              value_[at(reduction.source)], rows, at(g.inner));
    k += static_cast<std::int64_t>(rows);
  }
}

const void* Worker::load_block(const Source& source, std::int64_t flat, std::size_t rows,
                               std::size_t length, void* tile) const {
  const std::int64_t inner = run_.geometry.inner;
  auto* out = static_cast<std::uint32_t*>(tile);
  const IndexMap& map = run_.maps[source.map];
  if (source.across && source.element_size == 4) {
    // Neighbours lie across the rows unless the outer dimension ends between them.
    const Position first = locate(map, flat);
    const auto height = static_cast<std::int64_t>(rows) - 1;
    const Position last = locate(map, flat + height * inner);
    if (at(run_length(map, first)) >= length && last.element == first.element + height) {
      const std::int64_t step = map.stride[at(map.rank - 1)];
      const auto* from =
          static_cast<const std::uint32_t*>(run_.address(source.imm, first.element, 4));
      for (std::size_t c = 0; c < length; ++c, from += step)
        for (std::size_t j = 0; j < rows; ++j) out[j * length + c] = from[j];
      return tile;
    }
  }
  for (std::size_t j = 0; j < rows; ++j, flat += inner, out += length) {
    const void* row = load(source, flat, length, out);
    if (row != out) std::memcpy(out, row, length * 4);
  }
  return tile;
}

void Worker::execute_block(const Pass& pass, std::int64_t k, std::int64_t r, std::size_t rows,
                           std::size_t length) {
  const std::int64_t inner = run_.geometry.inner;
  spread(pass, k, rows, length);
  for (const Source& source : pass.sources) {
    void*& p = value_[at(source.value)];
    p = const_cast<void*>(load_block(source, k * inner + r, rows, length, tile_at(source.tile)));
  }
  run_steps(pass, run_.geometry, value_.data(), rows * length);
  for (const Sink& sink : pass.sinks) {
    const auto* from = static_cast<const std::uint32_t*>(value_[at(sink.value)]);
    for (std::size_t j = 0; j < rows; ++j, from += length)
      store(sink, (k + static_cast<std::int64_t>(j)) * inner + r, length, from);
  }
}

void Worker::run_blocked_rows(int number, std::int64_t begin, std::int64_t end) {
  const Geometry& g = run_.geometry;
  const Pass& pass = run_.program.passes[at(number)];
  bind(pass);
  for (std::int64_t k = begin; k < end; k += static_cast<std::int64_t>(g.rows)) {
    const std::size_t rows = std::min(g.rows, at(end - k));
    for (std::int64_t r = 0; r < g.inner; r += static_cast<std::int64_t>(g.length))
      execute_block(pass, k, r, rows, std::min(g.length, at(g.inner - r)));
  }
}

void Worker::run_column_chunks(int number, std::int64_t first, std::int64_t last,
                               std::uint32_t* const* results) {
  const Geometry& g = run_.geometry;
  const Pass& pass = run_.program.passes[at(number)];
  const auto width = at(block_count_);
  const std::size_t group = pitch_of(g.width), count = pass.reductions.size();
  const std::size_t accumulators = ReduceKernels::groups * group;
  bind(pass);
  // A tile is one range of flat indices: with fewer columns than all it holds one reduced index.
  const bool packed = g.packed && width == at(g.kept);
  if (packed)
    spread(pass, block_begin_, 0, g.length);
  else
    bind_row(pass, block_begin_);
  const std::size_t step = packed ? g.length : 1;
  std::array<Cascade, Kernel::max_instructions> cascades;
  for (std::size_t i = 0; i < count; ++i)
    cascades[i] = {reduce_ + count * accumulators + i * g.levels * group, group, width, 0};

  for (std::int64_t chunk = first; chunk < last; ++chunk) {
    const std::int64_t start = chunk * static_cast<std::int64_t>(column_chunk);
    const std::int64_t end = std::min(g.inner, start + static_cast<std::int64_t>(column_chunk));
    for (std::size_t i = 0; i < count; ++i)
      std::fill_n(reduce_ + i * accumulators, accumulators, pass.reductions[i].kernels->identity);
    for (std::int64_t r = start; r < end;) {
      const std::size_t n = std::min(step, at(end - r));
      execute(pass, r * g.kept + block_begin_, r * block_count_, n * width);
      for (std::size_t i = 0; i < count; ++i)
        pass.reductions[i].kernels->columns(reduce_ + i * accumulators,
                                            value_[at(pass.reductions[i].source)], at(r - start), n,
                                            width, group);
      r += static_cast<std::int64_t>(n);
    }
    for (std::size_t i = 0; i < count; ++i) {
      std::uint32_t* a = reduce_ + i * accumulators;
      const ReduceKernels& kernels = *pass.reductions[i].kernels;
      kernels.combine(a, a, a + group, nullptr, width);
      kernels.combine(a + 2 * group, a + 2 * group, a + 3 * group, nullptr, width);
      kernels.combine(a, a, a + 2 * group, nullptr, width);
      cascades[i].push(kernels, a);
    }
  }
  for (std::size_t i = 0; i < count; ++i) cascades[i].finish(pass.reductions[i], results[i]);
}

void Worker::run_kept(std::int64_t begin, std::int64_t end) {
  const Geometry& g = run_.geometry;
  const int passes = static_cast<int>(run_.program.passes.size());
  std::array<std::uint32_t*, Kernel::max_instructions> results;
  for (std::int64_t k = begin; k < end;) {
    const std::int64_t count = std::min(static_cast<std::int64_t>(g.block), end - k);
    start_block(k, count);
    for (int p = 0; p < passes; ++p) {
      run_stage(p);
      if (!g.row_form) {
        const Pass& pass = run_.program.passes[at(p)];
        for (std::size_t i = 0; i < pass.reductions.size(); ++i)
          results[i] = kept_result(pass.reductions[i]);
        run_column_chunks(p, 0, g.chunks(), results.data());
      } else if (g.blocked) {
        run_blocked_rows(p, k, k + count);
      } else if (g.packed) {
        run_packed_rows(p, k, k + count);
      } else {
        run_rows(p, k, k + count);
      }
    }
    run_stage(passes);
    store_kept();
    k += count;
  }
}

}  // namespace genera::cpu
