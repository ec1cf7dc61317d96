#include "backends/cpu/tile_tables.h"

#include <genera/error.h>

#include <fmt/format.h>
#include <hwy/highway.h>

#include <memory>
#include <mutex>

namespace genera::cpu {
namespace {

struct Tables {
  TileTable tiles;
  ReduceTable reduce;
  ConvertTable convert;
};

/// Every lane type that a row of the table accepts must have its kernel.
void require_kernels(const TileTable& table) {
  const auto require = [&](TileOp op, std::string_view name) {
    if (table.functions[static_cast<std::size_t>(op)][0] != nullptr) return;
    throw Error(
        fmt::format("[cpu] {0} has no SIMD kernel: write GENERA_..._TILE({0}, ...) in "
                    "backends/cpu/tile_math.cpp, tile_arithmetic.cpp or tile_integer.cpp",
                    name));
  };
#define GENERA_UNARY(Name, function, types, ...) \
  require(TileOp::Name##_f32, #Name "_f32");     \
  if (Accepts::types != Accepts::Floating) {     \
    require(TileOp::Name##_i32, #Name "_i32");   \
    require(TileOp::Name##_u32, #Name "_u32");   \
  }
#define GENERA_BINARY(...) GENERA_UNARY(__VA_ARGS__)
#define GENERA_TERNARY(...) GENERA_UNARY(__VA_ARGS__)
#include "engine/graph/primitives.def"
}

/// The tables of the target that Highway dispatches to now. Tests change the target; the tables of
/// each stay, so that references to them do.
const Tables& tables() {
  // Never freed: static tensors may be evaluated after everything else is gone.
  static auto& all = *new std::array<std::unique_ptr<const Tables>, HWY_MAX_DYNAMIC_TARGETS + 2>;
  static auto& mutex = *new std::mutex;
  const std::lock_guard lock(mutex);
  // SupportedTargets asks the processor, which takes microseconds on a virtual machine: once is
  // enough.
  if (!hwy::GetChosenTarget().IsInitialized())
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
  const std::size_t best = hwy::GetChosenTarget().GetIndex();
  if (!all[best]) {
    auto made = std::make_unique<Tables>();
    fill_arithmetic_table(made->tiles);
    fill_integer_table(made->tiles);
    fill_math_table(made->tiles);
    require_kernels(made->tiles);
    fill_reduce_table(made->reduce);
    fill_convert_table(made->convert);
    all[best] = std::move(made);
  }
  return *all[best];
}

template <class T>
void iota(void* tile, std::int64_t start, std::int64_t step, std::size_t n) {
  auto* o = static_cast<T*>(tile);
  for (std::size_t i = 0; i < n; ++i)
    o[i] = static_cast<T>(start + static_cast<std::int64_t>(i) * step);
}

}  // namespace

TileOp tile_op(KernelOp op, LaneType type) {
  const auto of_type = [type](TileOp f32) {
    return static_cast<TileOp>(static_cast<int>(f32) + static_cast<int>(type));
  };
  switch (op) {
#define GENERA_UNARY(Name, ...) \
  case KernelOp::Name:          \
    return of_type(TileOp::Name##_f32);
#define GENERA_BINARY(...) GENERA_UNARY(__VA_ARGS__)
#define GENERA_TERNARY(...) GENERA_UNARY(__VA_ARGS__)
#include "engine/graph/primitives.def"
    default:
      return TileOp::copy;
  }
}

TileFn tile_function(TileOp op, unsigned single) {
  return tables().tiles.functions[static_cast<std::size_t>(op)][single];
}

const ReduceKernels& reduce_kernels(LaneType type, bool max) {
  return tables().reduce.kernels[static_cast<std::size_t>(type)][max ? 1 : 0];
}

const ConvertKernels& convert_kernels(DType dtype) {
  return tables().convert.kernels[static_cast<std::size_t>(dtype)];
}

IotaFn iota_function(LaneType type) {
  switch (type) {
    case LaneType::f32:
      return iota<float>;
    case LaneType::i32:
      return iota<std::int32_t>;
    case LaneType::u32:
      return iota<std::uint32_t>;
  }
  return nullptr;
}

RandomFn random_function(bool uniform) { return tables().convert.random[uniform ? 1 : 0]; }

}  // namespace genera::cpu
