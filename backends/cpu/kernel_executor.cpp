#include "backends/cpu/kernel_executor.h"

#include <genera/error.h>

#include <fmt/format.h>

#include <algorithm>
#include <new>

#include "backends/cpu/kernel_run.h"
#include "engine/core/thread_pool.h"

namespace genera::cpu {
namespace {

/// Less work than this does not pay for waking the other threads.
constexpr double parallel_nanoseconds = 3000;
/// 512 KiB: half of a small L2 cache.
constexpr std::size_t most_stash_words = 131072;
/// Groups of chunks that threads share out; their results are combined in order.
constexpr std::int64_t most_groups = 32;

/// Memory of one thread; grows only.
struct Memory {
  std::uint32_t* words = nullptr;
  std::size_t size = 0;
  static constexpr std::align_val_t alignment{64};
  ~Memory() {
    ::operator delete(words, alignment);
    words = nullptr;  // static tensors may be evaluated after the thread's own are gone
    size = 0;
  }
  std::uint32_t* get(std::size_t wanted) {
    if (wanted > size) {
      ::operator delete(words, alignment);
      words = nullptr;
      size = 0;
      words = static_cast<std::uint32_t*>(::operator new(wanted * 4, alignment));
      size = wanted;
    }
    return words;
  }
};

/// The calling thread's memory for workers.
std::uint32_t* worker_memory(std::size_t words) {
  thread_local Memory memory;
  return memory.get(words);
}

/// A second one, for partial results of parallel reductions.
std::uint32_t* partial_memory(std::size_t words) {
  thread_local Memory memory;
  return memory.get(words);
}

std::int64_t product(const Kernel& kernel, const std::vector<int>& dims) {
  std::int64_t n = 1;
  for (const int d : dims) n *= kernel.extents[static_cast<std::size_t>(d)];
  return n;
}

void check_rank(const Kernel& kernel) {
  if (kernel.rank < 0 || kernel.rank > Shape::max_rank)
    throw ArgumentError(
        fmt::format("[kernel] rank {} is not in 0..{}", kernel.rank, Shape::max_rank));
}

/// Passes over one block of kept indices, each pass in parallel over chunks of the reduced indices.
class ParallelBlock {
 public:
  ParallelBlock(const Run& run, std::size_t words)
      : run_(run), words_(words), worker_(run, worker_memory(words)) {}

  void run(std::int64_t begin, std::int64_t count) {
    begin_ = begin;
    const int passes = static_cast<int>(run_.program.passes.size());
    worker_.start_block(begin, count);
    for (int p = 0; p < passes; ++p) {
      worker_.run_stage(p);
      if (run_.program.passes[static_cast<std::size_t>(p)].reductions.empty())
        map(p);
      else
        reduce(p, static_cast<std::size_t>(count));
    }
    worker_.run_stage(passes);
    worker_.store_kept();
  }

 private:
  void chunks(Worker& worker, int pass, std::int64_t first, std::int64_t last,
              std::uint32_t* const* results) const {
    if (run_.geometry.row_form)
      worker.run_row_chunks(pass, begin_, first, last, results);
    else
      worker.run_column_chunks(pass, first, last, results);
  }

  void map(int pass) {
    const Geometry& g = run_.geometry;
    const auto length = static_cast<std::int64_t>(g.length);
    const std::int64_t tasks = g.row_form ? (g.inner + length - 1) / length : g.chunks();
    parallel_for(tasks, [&](std::int64_t first, std::int64_t last) {
      Worker worker(run_, worker_memory(words_));
      worker.share_block(worker_);
      chunks(worker, pass, first, last, nullptr);
    });
  }

  void reduce(int pass, std::size_t width) {
    const Geometry& g = run_.geometry;
    const auto& reductions = run_.program.passes[static_cast<std::size_t>(pass)].reductions;
    std::int64_t size =
        1;  // chunks per group: a power of two, so that groups are subtrees of the cascade
    while ((g.chunks() + size - 1) / size > most_groups) size *= 2;
    const std::int64_t groups = (g.chunks() + size - 1) / size;
    const std::size_t pitch = g.row_form ? 1 : g.kept_pitch;
    const std::size_t per_reduction = static_cast<std::size_t>(groups) * pitch;
    std::uint32_t* partial = partial_memory(reductions.size() * (per_reduction + g.levels * pitch));
    parallel_for(groups, [&](std::int64_t first, std::int64_t last) {
      Worker worker(run_, worker_memory(words_));
      worker.share_block(worker_);
      std::array<std::uint32_t*, Kernel::max_instructions> results;
      for (std::int64_t group = first; group < last; ++group) {
        for (std::size_t i = 0; i < reductions.size(); ++i)
          results[i] = partial + i * per_reduction + static_cast<std::size_t>(group) * pitch;
        chunks(worker, pass, group * size, std::min(g.chunks(), (group + 1) * size),
               results.data());
      }
    });
    std::uint32_t* levels = partial + reductions.size() * per_reduction;
    for (std::size_t i = 0; i < reductions.size(); ++i) {
      Cascade cascade{levels + i * g.levels * pitch, pitch, g.row_form ? 1 : width, 0};
      for (std::int64_t group = 0; group < groups; ++group)
        cascade.push(*reductions[i].kernels,
                     partial + i * per_reduction + static_cast<std::size_t>(group) * pitch);
      cascade.finish(reductions[i], worker_.kept_result(reductions[i]));
    }
  }

  const Run& run_;
  std::size_t words_;
  Worker worker_;
  std::int64_t begin_ = 0;
};

/// Few kept indices and many reduced ones: threads share the latter.
bool splits_inner(const Geometry& g, int threads) {
  const bool long_rows = !g.packed && g.inner > 4 * static_cast<std::int64_t>(g.length);
  if (g.row_form) return g.kept < 4 * threads && long_rows;
  // Columns that fit one or two tiles are better left whole: a share of them means shorter tiles, not fewer.
  const auto block = static_cast<std::int64_t>(g.block);
  if (g.kept <= 2 * block && g.chunks() % threads == 0) return true;
  return g.kept < 2 * threads * block && g.chunks() >= 2 * threads;
}

void run_over_inner(const Run& run) {
  const Geometry& g = run.geometry;
  ParallelBlock parallel(run, g.words());
  const std::int64_t step = g.row_form ? 1 : static_cast<std::int64_t>(g.block);
  for (std::int64_t k = 0; k < g.kept; k += step) parallel.run(k, std::min(step, g.kept - k));
}

void run_over_kept(const Run& run, int threads) {
  const Geometry& g = run.geometry;
  const std::size_t words = g.words();
  if (threads == 1) return Worker(run, worker_memory(words)).run_kept(0, g.kept);
  const std::int64_t unit = g.row_form ? static_cast<std::int64_t>(g.rows) : 16;
  parallel_for((g.kept + unit - 1) / unit, [&](std::int64_t first, std::int64_t last) {
    Worker worker(run, worker_memory(words));
    worker.run_kept(first * unit, std::min(g.kept, last * unit));
  });
}

/// Whether each tensor of a box is one range of memory, so that its rows need not be told apart.
bool is_one_range(const Program& program, const std::vector<IndexMap>& maps) {
  for (std::size_t i = 0; i < program.map_views.size(); ++i)
    if (program.map_views[i].full ? !maps[i].contiguous() : maps[i].rank > 0) return false;
  return true;
}

}  // namespace

struct KernelExecutor::State {
  Kernel kernel;
  Program program, box;
  Geometry geometry;
  // The same with costly values kept between passes: for blocks that fit a core's caches.
  Program stashed;
  Geometry stashed_geometry;
  bool has_stash = false;
  bool elementwise = false;
};

KernelExecutor::KernelExecutor(const Kernel& kernel) {
  check_rank(kernel);
  auto state = std::make_unique<State>();
  state->kernel = kernel;
  const Lowered lowered = lower(kernel);
  const Space space = split(kernel, lowered);
  state->elementwise = space.elementwise;
  const std::int64_t kept = product(kernel, space.kept_dims),
                     inner = product(kernel, space.inner_dims);
  state->program = compile(kernel, lowered, space, false);
  state->geometry = make_geometry(state->program, kept, inner);
  if (state->program.passes.size() > 1) {
    state->stashed = compile(kernel, lowered, space, true);
    state->stashed_geometry = make_geometry(state->stashed, kept, inner);
    state->has_stash =
        state->stashed.stash_count > 0 && state->stashed_geometry.stash_words <= most_stash_words;
  }
  if (space.elementwise) state->box = compile(kernel, lowered, split_last(kernel), false);
  state_ = std::move(state);
}

KernelExecutor::~KernelExecutor() = default;
KernelExecutor::KernelExecutor(KernelExecutor&&) noexcept = default;
KernelExecutor& KernelExecutor::operator=(KernelExecutor&&) noexcept = default;

void KernelExecutor::run(std::span<void* const> buffers,
                         std::span<const ScalarValue> scalars) const {
  const Geometry& g = state_->geometry;
  if (g.kept == 0 || (state_->elementwise && g.inner == 0)) return;
  const double work =
      state_->program.cost * static_cast<double>(g.kept) * static_cast<double>(g.inner);
  const int threads = work > parallel_nanoseconds ? thread_count() : 1;
  const bool over_inner = threads > 1 && splits_inner(g, threads);
  const bool stash = state_->has_stash && !over_inner;
  const Program& program = stash ? state_->stashed : state_->program;
  const Run run(program, stash ? state_->stashed_geometry : g, program.maps.data(), buffers,
                scalars);
  if (over_inner)
    run_over_inner(run);
  else
    run_over_kept(run, threads);
}

void KernelExecutor::run_box(std::span<void* const> buffers, std::span<const ScalarValue> scalars,
                             std::span<const std::int64_t> begin, std::span<const std::int64_t> end,
                             int block) const {
  const Kernel& kernel = state_->kernel;
  const Program& program = state_->box;
  const auto rank = static_cast<std::size_t>(kernel.rank);
  if (!state_->elementwise)
    throw ArgumentError("[kernel] run_box works on kernels without reduced dimensions only");
  if (begin.size() != rank || end.size() != rank)
    throw ArgumentError(
        fmt::format("[kernel] a box of {} dimensions for a kernel of rank {}", begin.size(), rank));
  std::array<std::int64_t, Shape::max_rank> extents{};
  std::int64_t elements = 1;
  for (std::size_t d = 0; d < rank; ++d) {
    extents[d] = end[d] - begin[d];
    elements *= std::max<std::int64_t>(extents[d], 0);
  }
  if (elements == 0) return;
  thread_local std::vector<IndexMap> maps;  // grows only
  if (maps.size() < program.map_views.size()) maps.resize(program.map_views.size());
  for (std::size_t i = 0; i < program.map_views.size(); ++i) {
    const auto& [view, full, buffer] = program.map_views[i];
    AffineView moved = view;
    if (buffer < 0 || buffer != block)
      for (std::size_t d = 0; d < rank; ++d) moved.offset += view.stride[d] * begin[d];
    static const std::vector<int> none;
    maps[i] = make_map(moved, extents.data(), program.space.kept_dims,
                       full ? program.space.inner_dims : none);
  }
  const std::int64_t inner = is_one_range(program, maps) ? elements : extents[rank - 1];
  const Geometry geometry = make_geometry(program, elements / inner, inner);
  const Run run(program, geometry, maps.data(), buffers, scalars);
  Worker worker(run, worker_memory(geometry.words()));
  worker.run_kept(0, geometry.kept);
}

bool KernelExecutor::passes_over_memory() const { return state_->geometry.streams; }

}  // namespace genera::cpu
