/// What tells matrix products and the roles of convolutions apart.
#pragma once

#include "backends/vulkan/dispatch.h"
#include "engine/plan/plan.h"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace genera::vulkan {

/// C (batch, m, n) = A (batch, m, k) B (batch, k, n), with the ways to load an element of A and B and to place one of C.
struct Product {
  std::int64_t batch = 1, m = 0, n = 0, k = 0;
  /// Bodies of functions of (int g, int m, int k) and (int g, int k, int n) that return the element; g counts the batch.
  std::string load_a, load_b;
  /// Whether neighbours in memory are neighbours along k (else along m, n).
  bool a_along_k = true, b_along_k = false;
  /// The element number of (g, m, n) in the output.
  std::string place;
  /// The loop indices of an epilogue at (g, m, n), one expression per dimension of its kernel.
  std::vector<std::string> loops;
};

/// The step's product; binds its inputs in `text`.
Product product_of(const PrimitiveStep& step, ShaderText& text, std::span<const int> same_memory);

}  // namespace genera::vulkan
