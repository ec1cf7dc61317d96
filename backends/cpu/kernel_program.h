/// What a Kernel is compiled to before it runs: lists of tile kernels with their operands, in
/// passes.
///
/// Names used here. The loop space is (kept indices) x (reduced indices), flattened to k < K and r
/// < R. A value is `uniform` (the same everywhere), `kept` (one per k) or `full` (one per k and r).
/// In row form the flat index of a full element is k*R + r, in column form r*K + k; a tile is a
/// range of flat indices. Elementwise kernels are row form too, with R chosen so that tiles do not
/// cross the ends of rows that some buffer breaks at.
#pragma once

#include "backends/cpu/kernel_access.h"
#include "backends/cpu/tile_kernels.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace genera::cpu {

enum class Level : std::uint8_t { uniform, kept, full };

/// A value of the lowered kernel.
struct Value {
  enum class Kind : std::uint8_t { constant, scalar, load, iota, random, map, reduce };
  Kind kind = Kind::constant;
  TileOp op = TileOp::copy;  ///< map
  LaneType type = LaneType::f32;
  bool boolean = false;
  bool max = false;  ///< reduce
  bool uniform_random = false;
  Level level = Level::uniform;
  bool used = true;
  int stage = 0;  ///< passes that must have ended before it can be computed
  std::int16_t a = -1, b = -1, c = -1;
  std::int32_t imm = 0;    ///< buffer or scalar
  std::uint32_t bits = 0;  ///< constant
  AffineView view;
};

/// A store of the lowered kernel.
struct Output {
  std::int16_t value = -1;
  std::int32_t buffer = -1;
  bool kept = false;
  AffineView view;
};

struct Lowered {
  std::vector<Value> values;
  std::vector<Output> outputs;
};

/// Translates opcodes, drops casts that change nothing and unused values, and joins pairs of
/// instructions. Throws ArgumentError for what kernels cannot hold.
Lowered lower(const Kernel& kernel);

/// Joins pairs of values whose levels are known, and marks unused ones.
void join_values(std::vector<Value>& values, const std::vector<Output>& outputs);

/// How the loop space is split.
struct Space {
  bool row_form = true;
  bool elementwise = false;  ///< nothing is reduced: `kept` and full stores mean the same
  bool boxes = false;        ///< runs over parts of the extents: what looks contiguous may not be
  std::vector<int> kept_dims, inner_dims;  ///< dimensions of the kernel; inner: reduced, or the row
                                           ///< of an elementwise kernel
  bool is_inner(int d) const {
    for (const int i : inner_dims)
      if (i == d) return true;
    return false;
  }
};

struct Source {
  std::int16_t value = -1;
  Value::Kind kind = Value::Kind::load;
  bool zero_copy = false;  ///< storage is lanes: a contiguous range needs no copy
  std::uint8_t element_size = 4;
  std::int32_t imm = 0;  ///< buffer or scalar
  std::int32_t map = 0;
  std::int16_t tile =
      -1;  ///< where elements that are not neighbours are gathered; -1: always neighbours
  bool across = false;  ///< neighbours lie along the innermost kept dimension
  /// Elements repeat after so many flat indices: a tile that starts at a multiple is filled once.
  /// 0: they do not.
  std::int64_t period = 0;
  bool filled =
      false;  ///< always computed or converted, into the value's tile or straight into a sink
  void (*convert)(void* tile, const void* source, std::size_t n) = nullptr;
  IotaFn iota = nullptr;
  RandomFn random = nullptr;
};

/// A tile kernel and what its operands do from one part of a tile to the next.
struct StepForm {
  TileFn function = nullptr;
  /// Of out, a, b and c: 1 if it moves along the tile, 0 if it stays, as single values and passing
  /// ones do.
  std::array<std::uint8_t, 4> moves{};
};

struct Step {
  StepForm rows;   ///< kept operands are single values (row form, one row per tile)
  StepForm tiles;  ///< kept operands are arrays
  std::int16_t out = -1, a = -1, b = -1, c = -1;
};

struct Reduction {
  std::int16_t source = -1, result = -1;
  const ReduceKernels* kernels = nullptr;
  std::uint32_t empty = 0;  ///< bits of the reduction of nothing
};

struct Sink {
  std::int16_t value = -1;
  std::int32_t buffer = -1;
  std::int32_t map = 0;
  std::uint8_t element_size = 4;
  std::int16_t tile = -1;     ///< where a direct value goes when it may not
  bool direct = false;        ///< the step may write to the buffer, unless
  std::uint64_t hazards = 0;  ///< one of these sources of the pass is the same memory
  void (*convert)(void* destination, const void* tile, std::size_t n) = nullptr;
};

/// One traversal of the reduced indices.
struct Pass {
  std::vector<Source> sources;
  std::vector<std::int16_t> kept_values;  ///< kept values that the steps read
  std::vector<Step> steps;
  std::vector<Reduction> reductions;
  std::vector<Sink> sinks;
  std::vector<std::pair<std::int16_t, std::int16_t>> tiles;  ///< (value, tile number)
  int tile_count = 0;
  /// (value, number): passing values, which a step makes and only steps read. A tile's steps run
  /// part by part, so that these need memory for one part only.
  std::vector<std::pair<std::int16_t, std::int16_t>> passing;
  int passing_count = 0;
  /// (value, number): values computed in this pass for later ones, or taken from an earlier one.
  std::vector<std::pair<std::int16_t, std::int16_t>> stash;
};

/// Kept (or uniform) values that can be computed before a pass.
struct Stage {
  std::vector<Source> sources;
  std::vector<Step> steps;
};

struct Program {
  static constexpr int max_values = 192;

  Space space;
  int value_count = 0;
  std::vector<std::pair<std::int16_t, std::uint32_t>> constants;
  struct RunTimeScalar {
    std::int16_t value;
    std::int32_t number;
    LaneType type;
  };
  std::vector<RunTimeScalar> scalars;
  std::vector<std::int16_t> uniform_values;
  Stage uniform;
  std::vector<Stage> stages;  ///< passes.size() + 1
  std::vector<Pass> passes;
  std::vector<Sink> kept_sinks;
  std::vector<std::int16_t> kept_slot;  ///< per value: number of its kept vector, or -1
  int kept_count = 0;
  int max_reductions = 0;   ///< of one pass
  bool transposes = false;  ///< an input's neighbours lie along the innermost kept dimension
  int stash_count = 0;  ///< full values that are kept from one pass to the next, for a whole block
  std::vector<IndexMap> maps;
  struct MapView {
    AffineView view;
    bool full;
    std::int32_t buffer;  ///< -1: of an index
  };
  std::vector<MapView> map_views;  ///< what maps were made from, for run_box to make its own
  double cost = 0;                 ///< estimated nanoseconds per full element, one thread
};

/// `stash`: costly values that several passes need are computed once and kept (Program::stash_count
/// of them), else computed again in each pass. Throws ArgumentError for kernels that are not well
/// formed.
Program compile(const Kernel& kernel, const Lowered& lowered, const Space& space, bool stash);

/// The split of the loop space: by the reduced flags, or for elementwise kernels by the views.
Space split(const Kernel& kernel, const Lowered& lowered);
/// The split for run_box: the last dimension against the others.
Space split_last(const Kernel& kernel);

/// Map of a view over some dimensions, from the given extents.
IndexMap make_map(const AffineView& view, const std::int64_t* extents,
                  const std::vector<int>& outer, const std::vector<int>& inner);

}  // namespace genera::cpu
