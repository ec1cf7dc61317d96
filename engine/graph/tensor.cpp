#include <genera/tensor.h>

#include "engine/graph/build.h"
#include "engine/plan/evaluate.h"

#include <fmt/format.h>

#include <cstring>
#include <utility>

namespace genera {

Tensor::Tensor(Node* node, int output) : node_(node), output_(output) {
  if (node_) node_->add_handle();
}
Tensor::Tensor(const Tensor& other) : Tensor(other.node_, other.output_) {}
Tensor::Tensor(Tensor&& other) noexcept
    : node_(std::exchange(other.node_, nullptr)), output_(other.output_) {}
Tensor& Tensor::operator=(const Tensor& other) {
  Tensor copy(other);
  return *this = std::move(copy);
}
Tensor& Tensor::operator=(Tensor&& other) noexcept {
  std::swap(node_, other.node_);
  std::swap(output_, other.output_);
  return *this;
}
Tensor::~Tensor() {
  if (node_) node_->drop_handle();
}

const Shape& Tensor::shape() const {
  check_tensor("shape", *this);
  return node_->shape(output_);
}
DType Tensor::dtype() const {
  check_tensor("dtype", *this);
  return node_->dtype(output_);
}
std::int64_t Tensor::size(int axis) const { return shape()[checked_axis("size", axis, rank())]; }

Tensor Tensor::from_bytes(std::span<const std::byte> bytes, DType dtype, const Shape& shape) {
  const std::size_t expected = static_cast<std::size_t>(shape.elements()) * size_of(dtype);
  if (bytes.size() != expected)
    fail("from", fmt::format("{} {} needs {} bytes, got {}", to_string(shape), name(dtype),
                             expected, bytes.size()));
  StorageRef storage(Storage::allocate(expected));
  if (expected != 0) std::memcpy(storage->data(), bytes.data(), expected);
  return leaf_node(std::move(storage), dtype, shape);
}

const Tensor& Tensor::eval() const {
  check_tensor("eval", *this);
  const Value root{node_, output_};
  evaluate({&root, 1});
  return *this;
}

void Tensor::copy_to(std::span<std::byte> bytes) const {
  const std::size_t expected = static_cast<std::size_t>(elements()) * size_of(dtype());
  if (bytes.size() != expected)
    fail("copy_to",
         fmt::format("{} needs {} bytes, got {}", describe(*this), expected, bytes.size()));
  const StorageRef storage = evaluated_storage(*this);
  if (expected != 0) std::memcpy(bytes.data(), storage->data(), expected);
}

void Tensor::check_dtype(DType wanted) const {
  if (dtype() != wanted)
    fail("to_vector", fmt::format("the tensor is {}, asked for {}; cast() it first",
                                  describe(*this), name(wanted)));
}

double Tensor::item_as_double() const {
  check_tensor("item", *this);
  if (elements() != 1)
    fail("item", fmt::format("needs exactly one element, got {}", describe(*this)));
  const StorageRef storage = evaluated_storage(*this);
  const auto read = [&]<class T>() {
    T value;
    std::memcpy(&value, storage->data(), sizeof value);
    return value;
  };
  switch (dtype()) {
    case DType::f32:
      return static_cast<double>(read.operator()<float>());
    case DType::f64:
      return read.operator()<double>();
    case DType::f16:
      return static_cast<double>(static_cast<float>(read.operator()<float16>()));
    case DType::bf16:
      return static_cast<double>(static_cast<float>(read.operator()<bfloat16>()));
    case DType::i32:
      return read.operator()<std::int32_t>();
    case DType::i64:
      return static_cast<double>(read.operator()<std::int64_t>());
    case DType::u8:
    case DType::boolean:
      return read.operator()<std::uint8_t>();
    case DType::u32:
      return read.operator()<std::uint32_t>();
  }
  return 0;
}

void eval(std::span<const Tensor> tensors) {
  std::vector<Value> roots;
  for (const Tensor& tensor : tensors) {
    check_tensor("eval", tensor);
    roots.push_back({tensor.node(), tensor.output()});
  }
  evaluate(roots);
}
void eval(std::initializer_list<Tensor> tensors) {
  eval(std::span<const Tensor>(tensors.begin(), tensors.size()));
}

}  // namespace genera
