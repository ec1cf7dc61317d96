#include "engine/autodiff/sum_of_products.h"

#include <genera/ops.h>

#include "engine/graph/attributes.h"
#include "engine/graph/node.h"

#include <algorithm>
#include <optional>

namespace genera::autodiff {
namespace {

constexpr std::size_t fewest_products = 3;

bool is_transpose(const Tensor& x) {
  return x.rank() == 2 && x.node()->op() == Op::Permute &&
         x.node()->attrs<PermuteAttrs>().axes[0] == 1;
}
Tensor input(const Tensor& x, std::size_t k) {
  const Value value = x.node()->inputs()[k];
  return Tensor(value.node, value.output);
}

/// A product of two matrices, or the transpose of one.
struct Product {
  Tensor a, b;
  bool transposed;
};

std::optional<Product> product_of(const Tensor& x) {
  const bool transposed = is_transpose(x);
  const Tensor product = transposed ? input(x, 0) : x;
  if (product.rank() != 2 || product.node()->op() != Op::MatMul) return std::nullopt;
  return Product{input(product, 0), input(product, 1), transposed};
}

/// Whether laying the factors side by side moves less memory than adding the product to others.
bool is_thin(const Product& p) {
  const std::int64_t m = p.a.size(0), k = p.a.size(1), n = p.b.size(1);
  return 2 * k * (m + n) <= m * n;
}

/// Matrices joined along an axis; transposes as the transpose of what they are of, whose rows lie
/// together.
Tensor joined(const std::vector<Tensor>& parts, int axis) {
  if (!std::all_of(parts.begin(), parts.end(), is_transpose)) return concat(parts, axis);
  std::vector<Tensor> rows;
  for (const Tensor& part : parts) rows.push_back(input(part, 0));
  return transpose(concat(rows, 1 - axis));
}

/// Replaces the thin products among the terms, transposed ones or not, by one.
void join_products(std::vector<Tensor>& terms, bool transposed) {
  std::vector<Tensor> a, b;
  std::vector<std::size_t> at;
  for (std::size_t i = 0; i < terms.size(); ++i) {
    const auto product = product_of(terms[i]);
    if (!product || product->transposed != transposed || !is_thin(*product)) continue;
    a.push_back(product->a);
    b.push_back(product->b);
    at.push_back(i);
  }
  if (at.size() < fewest_products) return;
  const Tensor product = matmul(joined(a, 1), joined(b, 0));
  terms[at[0]] = transposed ? transpose(product) : product;
  for (std::size_t i = at.size(); i-- > 1;)
    terms.erase(terms.begin() + static_cast<std::ptrdiff_t>(at[i]));
}

}  // namespace

Tensor added_up(std::vector<Tensor> terms) {
  if (terms.size() >= fewest_products) {
    join_products(terms, false);
    join_products(terms, true);
  }
  Tensor sum = std::move(terms[0]);
  for (std::size_t i = 1; i < terms.size(); ++i) sum = add(sum, terms[i]);
  return sum;
}

}  // namespace genera::autodiff
