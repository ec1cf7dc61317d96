#include "backends/cpu/tile_tables.h"

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

/// The tables of the target that Highway dispatches to now. Tests change the target; the tables of
/// each stay, so that references to them do.
const Tables& tables() {
  static std::array<std::unique_ptr<const Tables>, HWY_MAX_DYNAMIC_TARGETS + 2> all;
  static std::mutex mutex;
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
