/// Every primitive as the simplest loops: slow and obviously right. The oracle of the tests, the
/// template for new backends, and what the CPU backend runs where it has no kernel of its own (f64,
/// integers, rare operations).
#pragma once

#include <genera/dtype.h>
#include <genera/shape.h>

#include "engine/graph/primitive.h"

#include <span>

namespace genera::reference {

/// A contiguous row-major input.
struct Input {
  const void* data;
  DType dtype;
  Shape shape;
};

/// A contiguous row-major output; never overlaps an input.
struct Output {
  void* data;
  DType dtype;
  Shape shape;
};

/// Computes one primitive. `attrs` points to the primitive's struct of engine/graph/attributes.h
/// (null where it has none). Shapes and dtypes have been checked when the node was built; indices
/// are checked here (ArgumentError). f16 and bf16 are computed in f32 and rounded; sums of f32 are
/// accumulated in f64; integers wrap.
void run(Op op, const void* attrs, std::span<const Input> inputs, std::span<const Output> outputs);

}  // namespace genera::reference
