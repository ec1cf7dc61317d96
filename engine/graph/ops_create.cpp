#include "engine/graph/build.h"

#include <fmt/format.h>

namespace genera {

Tensor full(const Shape& shape, double value, DType dtype) {
  return const_node(value, dtype, shape);
}
Tensor zeros(const Shape& shape, DType dtype) { return const_node(0, dtype, shape); }
Tensor ones(const Shape& shape, DType dtype) { return const_node(1, dtype, shape); }

Tensor full_like(const Tensor& like, double value) {
  check_tensor("full_like", like);
  return const_node(value, like.dtype(), like.shape());
}
Tensor zeros_like(const Tensor& like) { return full_like(like, 0); }

Tensor scalar(double value, DType dtype, const Shape& shape) {
  HostScalar number{};
  if (is_floating(dtype))
    number.floating = value;
  else
    number.integer = static_cast<std::int64_t>(value);
  return make_node(Op::Scalar, std::span<const Value>{}, dtype, shape,
                   std::as_bytes(std::span<const HostScalar, 1>(&number, 1)));
}

Tensor iota(const Shape& shape, int axis, DType dtype) {
  axis = checked_axis("iota", axis, shape.rank());
  if (dtype != DType::i32 && !is_floating(dtype))
    fail("iota", fmt::format("makes i32 or floating tensors, not {}", name(dtype)));
  return make_node(Op::Iota, {}, dtype, shape, IotaAttrs{axis});
}

Tensor arange(std::int64_t n, DType dtype) { return iota(Shape{n}, 0, dtype); }

Tensor random_bits(const Key& key, const Shape& shape) {
  return random_node(key, RandomAttrs::bits, shape);
}
Tensor random_uniform(const Key& key, const Shape& shape) {
  return random_node(key, RandomAttrs::uniform, shape);
}

}  // namespace genera
