/// Numbers of an update rule, spread over a parameter's shape.
#pragma once

#include <genera/ops.h>
#include <genera/state.h>
#include <genera/tensor.h>

#include <array>
#include <cstddef>
#include <vector>

namespace genera::optim {

/// The tensors that a rule needs per shape, dtype and group, made once per step: parameters of one
/// shape share them, which keeps the graph of a step small.
template <std::size_t Count>
class ConstantsByShape {
 public:
  using Tensors = std::array<Tensor, Count>;

  /// The tensors for `like`; `make(like)` builds them where there are none yet.
  template <class Make>
  const Tensors& get(const Tensor& like, std::size_t group, const Make& make) {
    for (const Entry& entry : entries_)
      if (entry.group == group && entry.shape == like.shape() && entry.dtype == like.dtype())
        return entry.tensors;
    return entries_.emplace_back(Entry{group, like.dtype(), like.shape(), make(like)}).tensors;
  }

 private:
  struct Entry {
    std::size_t group;
    DType dtype;
    Shape shape;
    Tensors tensors;
  };
  std::vector<Entry> entries_;
};

/// A number that changes from step to step without making a new plan, like `like`.
inline Tensor slot_like(const Tensor& like, double value) {
  return scalar(value, like.dtype(), like.shape());
}

/// A leaf of zeros like `like`.
Tensor zero_leaf(const Tensor& like);
/// A leaf with a copy of x's value in memory of its own, so that a step may overwrite either.
Tensor copied_leaf(const Tensor& x);

}  // namespace genera::optim
