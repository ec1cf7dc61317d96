/// From expressions to values: find or make the plan, bind it, run it.
#pragma once

#include <genera/tensor.h>

#include "engine/graph/node.h"

#include <span>

namespace genera {

/// Computes every root (and whatever they depend on that has a live handle) and stores the values in the nodes.
void evaluate(std::span<const Value> roots);

/// The value of x in the host's memory, evaluating it if need be.
StorageRef evaluated_storage(const Tensor& x);

/// A leaf that holds `value`.
Tensor leaf_node(StorageRef value, DType dtype, const Shape& shape);

/// Eager mode: every node is evaluated as soon as it is built. For debugging and tests; same bits.
bool eager_mode();
void set_eager_mode(bool eager);

/// Switches that stay tested; the default is all on. They change speed and memory, never a bit.
struct PlanOptions {
  bool fuse = true;         ///< false: one step per primitive
  bool plan_memory = true;  ///< false: no two intermediates share memory
  bool poison = false;      ///< fill the arena with NaN before every run
};
PlanOptions plan_options();
void set_plan_options(PlanOptions options);

}  // namespace genera
