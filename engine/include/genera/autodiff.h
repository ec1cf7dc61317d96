/// Gradients: more graph, built from the graph behind a loss. Gradients of gradients need nothing new.
#pragma once

#include <genera/export.h>
#include <genera/tensor.h>

#include <functional>
#include <span>
#include <utility>
#include <vector>

namespace genera {

/// What grad() returns: one gradient per parameter, and the loss that they are of (optimisers compute it in the same
/// plan as their step).
struct GENERA_API Gradients {
  std::vector<Tensor> values;
  Tensor loss;

  const Tensor& operator[](std::size_t i) const { return values[i]; }
  std::size_t size() const { return values.size(); }
};

/// Gradients of `loss` (one element, floating) with respect to each of `wrt`, in their shapes and dtypes. A tensor that the
/// loss does not depend on gets zeros. ArgumentError when the loss has more than one element or is not floating.
GENERA_API Gradients grad(const Tensor& loss, std::span<const Tensor> wrt);
GENERA_API Gradients grad(const Tensor& loss, std::initializer_list<Tensor> wrt);

/// The vector-Jacobian product: sum over outputs of cotangent^T d(output)/d(wrt). One cotangent per output, of its shape and
/// dtype; an empty Tensor stands for zeros.
GENERA_API std::vector<Tensor> vjp(std::span<const Tensor> outputs,
                                   std::span<const Tensor> cotangents, std::span<const Tensor> wrt);

/// {function(inputs), its gradients with respect to inputs}.
GENERA_API std::pair<Tensor, std::vector<Tensor>> value_and_grad(
    const std::function<Tensor(const std::vector<Tensor>&)>& function,
    const std::vector<Tensor>& inputs);

}  // namespace genera
