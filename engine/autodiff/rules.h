/// Gradient rules: for each primitive, the cotangents of its inputs from those of its outputs, as more graph built with
/// public operations only. So every rule can itself be differentiated.
#pragma once

#include <genera/tensor.h>

#include "engine/graph/node.h"

#include <span>
#include <vector>

namespace genera::autodiff {

/// A node about to be differentiated.
struct RuleInput {
  const Node& node;
  std::span<const Tensor> in;   ///< its inputs
  std::span<const Tensor> out;  ///< its outputs
  /// cotangents of its outputs; empty handles stand for zeros, at least one is there
  std::span<const Tensor> g;
  std::span<const bool> needed;  ///< which inputs' cotangents are wanted

  const Tensor& cotangent() const { return g[0]; }
  template <class A>
  const A& attrs() const {
    return node.attrs<A>();
  }
};

/// Fills result[i] for every needed input i; an empty handle stands for zero. Defined for every primitive but Call.
void apply_rule(const RuleInput& rule, std::span<Tensor> result);

// One function per class of primitives.
void elementwise_rule(const RuleInput& rule, std::span<Tensor> result);
void reduction_rule(const RuleInput& rule, std::span<Tensor> result);
void movement_rule(const RuleInput& rule, std::span<Tensor> result);
void index_rule(const RuleInput& rule, std::span<Tensor> result);
void contraction_rule(const RuleInput& rule, std::span<Tensor> result);
void linalg_rule(const RuleInput& rule, std::span<Tensor> result);

/// For tests of the tests: multiplies the cotangent that `op`'s rule gives its input number `input` by `factor`, from now on;
/// factor 1 turns it off.
void distort_rule(Op op, int input, double factor);

}  // namespace genera::autodiff
