/// Eigenvalues and eigenvectors of symmetric matrices of up to some hundred rows, on the host in
/// f64.
#pragma once

#include <cstddef>
#include <vector>

namespace genera::zoo {

/// A = V diag(values) V^T: eigenvector k is column k of V. Values in no particular order.
struct SymmetricEigen {
  std::vector<double> values;   ///< (n)
  std::vector<double> vectors;  ///< V (n,n), row-major
};

/// By cyclic Jacobi rotations (Golub and Van Loan, "Matrix computations", section 8.5), of which
/// each keeps V orthogonal to rounding. `matrix` (n,n) row-major, taken as (A + A^T)/2; not finite
/// elements give NaN.
SymmetricEigen symmetric_eigen(const std::vector<double>& matrix, std::size_t n);

}  // namespace genera::zoo
