#include "zoo/flow/bijection.h"

#include <genera/functions.h>
#include <genera/scope.h>

#include <cmath>

namespace genera::zoo::flow {

Tensor sum_of_example(const Tensor& x) {
  Axes axes;
  for (int axis = 1; axis < x.rank(); ++axis) axes.push_back(axis);
  return sum(x, axes);
}

Tensor per_example(const Tensor& scalar, const Tensor& x) {
  return broadcast_to(scalar, Shape{x.size(0)});
}

Mapped Chain::map(const Tensor& x, Context& context) const {
  Mapped result{x, zeros({x.size(0)})};
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    const scope name(std::to_string(i));
    Mapped next = layers_[i]->map(result.value, context);
    result = {std::move(next.value), result.log_det + next.log_det};
  }
  return result;
}

Tensor Chain::inverse(const Tensor& z) const {
  Tensor x = z;
  for (auto layer = layers_.rbegin(); layer != layers_.rend(); ++layer) x = (*layer)->inverse(x);
  return x;
}

void Chain::visit(nn::Visitor& visitor) const {
  for (std::size_t i = 0; i < layers_.size(); ++i) visitor.member(*layers_[i], std::to_string(i));
}

Mapped Squeeze::map(const Tensor& x, Context&) const {
  return {space_to_depth(x, 2), zeros({x.size(0)})};
}

Tensor Squeeze::inverse(const Tensor& z) const { return pixel_shuffle(z, 2); }

Mapped Flattened::map(const Tensor& x, Context&) const {
  return {flatten(x, 1), zeros({x.size(0)})};
}

Tensor Flattened::inverse(const Tensor& z) const {
  std::vector<std::int64_t> extents = {z.size(0)};
  for (int axis = 0; axis < example_.rank(); ++axis) extents.push_back(example_[axis]);
  return reshape(z, extents);
}

Mapped Reversal::map(const Tensor& x, Context&) const { return {flip(x, {1}), zeros({x.size(0)})}; }

Tensor Reversal::inverse(const Tensor& z) const { return flip(z, {1}); }

Mapped Logit::map(const Tensor& x, Context&) const {
  const Tensor p = alpha_ + (1 - 2 * alpha_) * x;
  const Tensor log_p = log(p), log_q = log1p(-p);
  return {log_p - log_q, sum_of_example(std::log(1 - 2 * alpha_) - log_p - log_q)};
}

Tensor Logit::inverse(const Tensor& z) const { return (sigmoid(z) - alpha_) / (1 - 2 * alpha_); }

double places_of_channel(const Tensor& x) {
  const std::int64_t places = x.elements() / (x.size(0) * x.size(1));
  return static_cast<double>(places);
}

}  // namespace genera::zoo::flow
