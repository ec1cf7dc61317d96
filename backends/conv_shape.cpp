#include "backends/conv_shape.h"

#include <cstddef>

namespace genera {
namespace {

// Moves the last axis to the front: the innermost one should be long.
void rotate_axes(ConvShape& shape) {
  for (auto* axes :
       {&shape.in, &shape.kernel, &shape.out, &shape.stride, &shape.pad, &shape.dilation}) {
    *axes = {(*axes)[2], (*axes)[0], (*axes)[1]};
  }
}

bool trivial(const ConvShape& shape, std::size_t axis) {
  return shape.in[axis] == 1 && shape.out[axis] == 1 && shape.kernel[axis] == 1 &&
         shape.pad[axis] == 0;
}

}  // namespace

bool ConvShape::pointwise() const {
  for (std::size_t axis = 0; axis < 3; ++axis) {
    if (kernel[axis] != 1 || pad[axis] != 0 || in[axis] != out[axis]) return false;
    if (stride[axis] != 1 && out[axis] != 1) return false;
  }
  return true;
}

bool ConvShape::dense() const {
  for (std::size_t axis = 0; axis < 3; ++axis) {
    if (kernel[axis] != in[axis] || pad[axis] != 0 || out[axis] != 1) return false;
    if (dilation[axis] != 1 && kernel[axis] != 1) return false;
  }
  return true;
}

ConvShape conv_shape(const PrimitiveStep& step) {
  const auto& attrs = step.attr<ConvAttrs>();
  const Shape& a = step.inputs[0].shape;
  const Shape& b = step.inputs[1].shape;
  const Shape& c = step.outputs[0].shape;
  ConvShape shape;
  shape.role = static_cast<ConvAttrs::Role>(attrs.role);
  const Shape& x = shape.role == ConvAttrs::grad_input ? c : a;
  const Shape& w = shape.role == ConvAttrs::grad_weight ? c : b;
  const Shape& y = shape.role == ConvAttrs::out ? c : (shape.role == ConvAttrs::grad_input ? a : b);
  shape.batch = x[0];
  shape.groups = attrs.groups;
  shape.in_channels = w[1];
  shape.out_channels = w[0] / attrs.groups;
  const auto missing = static_cast<std::size_t>(3 - attrs.spatial);
  for (std::size_t d = missing; d < 3; ++d) {
    const std::size_t given = d - missing;
    const int axis = static_cast<int>(given) + 2;
    shape.in[d] = x[axis];
    shape.kernel[d] = w[axis];
    shape.out[d] = y[axis];
    shape.stride[d] = attrs.stride[given];
    shape.pad[d] = attrs.pad_lo[given];
    shape.dilation[d] = attrs.dilation[given];
  }
  for (int turn = 0; turn < 2 && trivial(shape, 2); ++turn) rotate_axes(shape);
  return shape;
}

}  // namespace genera
