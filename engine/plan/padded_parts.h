/// Sums of tensors that are padded with zeros along one axis, part by part.
#pragma once

#include "engine/plan/plan_graph.h"

#include <cstdint>
#include <optional>
#include <vector>

namespace genera {

/// A tensor in parts along one axis, each the sum of some tensors; between the parts there are
/// zeros.
struct PaddedParts {
  /// Where a tensor lies: its first element along the axis is element `start` of the whole.
  struct Term {
    PlanValue value;
    std::int64_t start;
  };
  /// Elements start…end-1: the sum of the terms, in this order, plus 0 if `plus_zero`, which turns
  /// -0 into +0.
  struct Part {
    std::int64_t start, end;
    std::vector<Term> terms;
    bool plus_zero = false;
  };
  int axis = -1;
  std::vector<Part> parts;  ///< by start, disjoint
};

/// a + b, with every sum of three or more in its order; nothing where that cannot be, or where so
/// many parts overlap that a plan would grow large.
std::optional<PaddedParts> sum_of(const PaddedParts& a, const PaddedParts& b);

}  // namespace genera
