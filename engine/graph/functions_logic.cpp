// Comparison and logic.
#include "engine/graph/composite.h"

#include <limits>

namespace genera {

Tensor greater(const Tensor& a, const Tensor& b) {
  check_elementwise("greater", a, b);
  return less(b, a);
}
// Not "not greater": that would be true of NaN.
Tensor less_equal(const Tensor& a, const Tensor& b) {
  check_elementwise("less_equal", a, b);
  return logical_or(less(a, b), equal(a, b));
}
Tensor greater_equal(const Tensor& a, const Tensor& b) {
  check_elementwise("greater_equal", a, b);
  return logical_or(less(b, a), equal(a, b));
}
Tensor not_equal(const Tensor& a, const Tensor& b) {
  check_elementwise("not_equal", a, b);
  return logical_not(equal(a, b));
}

Tensor less(const Tensor& a, double b) { return less(a, number("less", a, b)); }
Tensor less_equal(const Tensor& a, double b) { return less_equal(a, number("less_equal", a, b)); }
Tensor greater(const Tensor& a, double b) { return greater(a, number("greater", a, b)); }
Tensor greater_equal(const Tensor& a, double b) {
  return greater_equal(a, number("greater_equal", a, b));
}
Tensor equal(const Tensor& a, double b) { return equal(a, number("equal", a, b)); }
Tensor not_equal(const Tensor& a, double b) { return not_equal(a, number("not_equal", a, b)); }

Tensor logical_and(const Tensor& a, const Tensor& b) {
  check_bool("logical_and", a);
  check_elementwise("logical_and", a, b);
  return multiply(a, b);
}
Tensor logical_or(const Tensor& a, const Tensor& b) {
  check_bool("logical_or", a);
  check_elementwise("logical_or", a, b);
  return maximum(a, b);
}
Tensor logical_xor(const Tensor& a, const Tensor& b) {
  check_bool("logical_xor", a);
  check_elementwise("logical_xor", a, b);
  return logical_not(equal(a, b));
}
Tensor logical_not(const Tensor& x) {
  check_bool("logical_not", x);
  return equal(x, lit(x, 0));
}

Tensor isnan(const Tensor& x) {
  check_tensor("isnan", x);
  if (!is_floating(x.dtype())) return zeros(x.shape(), DType::boolean);
  return logical_not(equal(x, x));
}
Tensor isinf(const Tensor& x) {
  check_tensor("isinf", x);
  if (!is_floating(x.dtype())) return zeros(x.shape(), DType::boolean);
  return equal(abs(x), lit(x, std::numeric_limits<double>::infinity()));
}
Tensor isfinite(const Tensor& x) {
  check_tensor("isfinite", x);
  if (!is_floating(x.dtype())) return ones(x.shape(), DType::boolean);
  return less(abs(x), lit(x, std::numeric_limits<double>::infinity()));
}

}  // namespace genera
