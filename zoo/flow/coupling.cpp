#include "zoo/flow/coupling.h"

#include <genera/functions.h>

namespace genera::zoo::flow {

Tensor split_parameters(const Tensor& output, std::int64_t parameters) {
  std::vector<std::int64_t> extents = {output.size(0), parameters, output.size(1) / parameters};
  for (int axis = 2; axis < output.rank(); ++axis) extents.push_back(output.size(axis));
  return reshape(output, extents);
}

Coupling::Coupling(nn::Sequential network, std::shared_ptr<const ScalarMap> scalar_map,
                   Halves halves)
    : network_(nn::named("network", std::move(network))),
      scalar_map_(std::move(scalar_map)),
      halves_(halves) {}

std::int64_t Coupling::passing(std::int64_t size, Halves halves) {
  const std::int64_t active = size - halves.passive, first = active / 2;
  return halves.passive + (halves.first ? active - first : first);
}

Coupling::Parts Coupling::parts(const Tensor& x) const {
  const std::int64_t size = x.size(1), begin = halves_.passive;
  const std::int64_t middle = begin + (size - begin) / 2;
  Parts parts{{}, slice(x, 1, begin, middle), slice(x, 1, middle, size)};
  if (begin > 0) parts.passive = slice(x, 1, 0, begin);
  return parts;
}

Tensor Coupling::parameters(const Parts& parts, Context& context) const {
  const Tensor& half = halves_.first ? parts.second : parts.first;
  const Tensor seen = parts.passive ? concat({parts.passive, half}, 1) : half;
  return split_parameters(network_(seen, context), scalar_map_->parameters());
}

Tensor Coupling::joined(const Parts& parts, const Tensor& changed) const {
  const Tensor& first = halves_.first ? changed : parts.first;
  const Tensor& second = halves_.first ? parts.second : changed;
  return parts.passive ? concat({parts.passive, first, second}, 1) : concat({first, second}, 1);
}

// 1605.08803, equations 4 to 6.
Mapped Coupling::map(const Tensor& x, Context& context) const {
  const Parts now = parts(x);
  const ScalarMapped mapped =
      scalar_map_->map(halves_.first ? now.first : now.second, parameters(now, context));
  return {joined(now, mapped.value), sum_of_example(mapped.log_derivative)};
}

Tensor Coupling::inverse(const Tensor& z) const {
  Context inference;
  const Parts now = parts(z);
  return joined(now, scalar_map_->inverse(halves_.first ? now.first : now.second,
                                          parameters(now, inference)));
}

CheckerboardCoupling::CheckerboardCoupling(nn::Sequential network,
                                           std::shared_ptr<const ScalarMap> scalar_map, bool even)
    : network_(nn::named("network", std::move(network))),
      scalar_map_(std::move(scalar_map)),
      even_(even) {}

Tensor CheckerboardCoupling::passes(const Tensor& x) const {
  const Shape board = {1, 1, x.size(2), x.size(3)};
  const Tensor colour = remainder(iota(board, 2) + iota(board, 3), full(board, 2, DType::i32));
  return cast(equal(colour, even_ ? 1 : 0), DType::f32);
}

Tensor CheckerboardCoupling::parameters(const Tensor& x, const Tensor& passes,
                                        Context& context) const {
  const Tensor marks = broadcast_to(passes, Shape{x.size(0), 1, x.size(2), x.size(3)});
  return split_parameters(network_(concat({x * passes, marks}, 1), context),
                          scalar_map_->parameters());
}

// 1605.08803, equation 9.
Mapped CheckerboardCoupling::map(const Tensor& x, Context& context) const {
  const Tensor passing = passes(x);
  const ScalarMapped mapped = scalar_map_->map(x, parameters(x, passing, context));
  const Tensor changes = 1 - passing;
  return {x * passing + mapped.value * changes, sum_of_example(mapped.log_derivative * changes)};
}

Tensor CheckerboardCoupling::inverse(const Tensor& z) const {
  Context inference;
  const Tensor passing = passes(z);
  return z * passing + scalar_map_->inverse(z, parameters(z, passing, inference)) * (1 - passing);
}

}  // namespace genera::zoo::flow
