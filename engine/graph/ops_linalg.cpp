#include "engine/graph/build.h"

#include <fmt/format.h>

namespace genera {
namespace {

void check_square(std::string_view op, const Tensor& a) {
  check_tensor(op, a);
  if (!is_floating(a.dtype()) || a.rank() < 2 || a.size(-1) != a.size(-2))
    fail(op, fmt::format("needs square floating matrices (B…,N,N), got {}", describe(a)));
}

}  // namespace

std::pair<Tensor, Tensor> lu(const Tensor& a) {
  check_square("lu", a);
  const Tensor packed = make_node(Op::LU, {a}, a.dtype(), a.shape());
  return {packed, Tensor(packed.node(), 1)};
}

Tensor solve_triangular(const Tensor& a, const Tensor& b, const TriangularOptions& options) {
  check_square("solve_triangular", a);
  check_same_dtype("solve_triangular", a, b);
  bool fits = b.rank() == a.rank() && b.size(-2) == a.size(-1);
  for (int d = 0; fits && d < a.rank() - 2; ++d) fits = a.shape()[d] == b.shape()[d];
  if (!fits)
    fail("solve_triangular", fmt::format("A {} needs B (B…,{},M) with the same batch axes, got {}",
                                         describe(a), a.size(-1), describe(b)));
  return make_node(Op::TriSolve, {a, b}, b.dtype(), b.shape(),
                   TriSolveAttrs{options.lower, options.transpose, options.unit_diagonal});
}

Tensor cholesky(const Tensor& a) {
  check_square("cholesky", a);
  const Tensor symmetric = multiply(add(a, transpose(a)), full_like(a, 0.5));
  return make_node(Op::Cholesky, {symmetric}, a.dtype(), a.shape());
}

}  // namespace genera
