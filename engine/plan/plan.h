/// Plan: the flat list of steps that computes a graph, with a place for every value. Made once per graph structure and reused;
/// what a backend compiles.
#pragma once

#include <genera/dtype.h>
#include <genera/shape.h>

#include "engine/graph/primitive.h"
#include "engine/plan/kernel.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace genera {

/// Where a stored value lies while the plan runs.
struct PlanBuffer {
  enum class Place : std::uint8_t {
    leaf,    ///< memory of leaf number `where` of the plan
    output,  ///< memory of output number `where`
    arena,   ///< at byte `where` of the arena
  };
  DType dtype{};
  Shape shape;
  Place place = Place::arena;
  std::int64_t where = -1;
  std::int64_t bytes = 0;
};

/// A fused kernel; its buffers and scalars as numbers in the plan.
struct KernelStep {
  Kernel kernel;
  std::vector<int> buffers;
  std::vector<int> scalars;
};

/// A tensor that a primitive step reads or writes, row-major in its buffer unless `view` says otherwise (MatMul inputs only:
/// element [i…] lies at offset + sum stride[d]*i_d).
struct PlanOperand {
  int buffer = -1;
  Shape shape;
  DType dtype{};
  bool strided = false;
  AffineView view;

  /// Where its elements lie, in either case.
  AffineView layout() const { return strided ? view : row_major(shape); }
};

/// One primitive as it is.
struct PrimitiveStep {
  Op op{};
  std::vector<std::byte> attrs;

  /// The attributes as the type that belongs to the op.
  template <class A>
  const A& attr() const {
    return *reinterpret_cast<const A*>(attrs.data());
  }

  std::vector<PlanOperand> inputs;
  std::vector<PlanOperand> outputs;
  int scalar = -1;  ///< Op::Scalar: which of the plan's scalars fills the output
};

struct PlanStep {
  enum class Kind : std::uint8_t {
    kernel,     ///< `kernel` alone
    primitive,  ///< `primitive` alone
    epilogue,  ///< a rank-2 MatMul `primitive` whose output `kernel` reads element by element, block by block while it is in cache
  };
  Kind kind{};
  KernelStep kernel;
  PrimitiveStep primitive;
  std::uint32_t scope = 0;  ///< of the node that made most of it
  std::string label;        ///< "MatMul", "Mul+Add+Exp+ReduceSum"
  /// additions and multiplications of contractions; elementwise: one per instruction
  std::int64_t flops = 0;
  std::int64_t bytes = 0;  ///< read and written, each operand once
};

struct Plan {
  /// Output `output` of canonical graph node `node` is the leaf.
  struct Leaf {
    int node;
    int output;
  };
  std::vector<Leaf> leaves;
  std::vector<int> scalars;  ///< canonical graph nodes whose numbers they are
  /// Output j is output `output` of canonical node `node`; several may share a buffer.
  struct Output {
    int node;
    int output;
    int buffer;
  };
  std::vector<Output> outputs;
  /// Memory of outputs: each is fresh, or takes over that of leaf `donor` (the number of a plan leaf).
  struct OutputMemory {
    std::int64_t bytes;
    int donor = -1;
  };
  std::vector<OutputMemory> output_memory;
  std::vector<PlanBuffer> buffers;
  std::vector<PlanStep> steps;
  /// What makes all indices of Gather and ScatterAdd good.
  struct IndexNeeds {
    /// Leaf number `leaf`, of i32, lies in [low, high].
    struct Leaf {
      int leaf;
      std::int32_t low, high;
    };
    /// Scalar number `scalar` is what it was when the plan was made.
    struct Scalar {
      int scalar;
      double floating;
      std::int64_t integer;
    };
    std::vector<Leaf> leaves;
    std::vector<Scalar> scalars;
  };
  std::optional<IndexNeeds> index_needs;  ///< nullopt: only looking at the indices tells
  std::int64_t arena_bytes = 0;
  std::int64_t arena_lower_bound = 0;  ///< the most bytes that are alive at once
  int graph_nodes = 0;
};

}  // namespace genera
