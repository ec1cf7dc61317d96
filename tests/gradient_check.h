/// Gradients of a case against central differences, with the primitive in the middle of a graph.
#pragma once

#include "tests/case_tables.h"

#include <string>
#include <vector>

namespace genera::cases {

enum class Order { first, second };

/// What the check found: nothing wrong, or the first element that differs; and how many elements it
/// compared.
struct Verdict {
  std::string mismatch;
  int compared = 0;
  bool ok() const { return mismatch.empty(); }
};

/// Checks d/dx sum(1.7 * f(1.3 x) * w) for every floating input of the case (f64); of second order:
/// the gradient of a random projection of that gradient.
Verdict check_gradients(const Case& c, Order order);

/// Whether the loss of the case has a gradient other than 0 for input number `input`.
bool has_gradient(const Case& c, std::size_t input);

}  // namespace genera::cases
