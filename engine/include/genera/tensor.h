/// Tensor: a value handle on an expression. Operations (ops.h) build graph and compute nothing; asking for a value
/// (item, to_vector, eval) compiles the expression into a plan, remembers the plan, and runs it.
#pragma once

#include <genera/dtype.h>
#include <genera/error.h>
#include <genera/export.h>
#include <genera/shape.h>

#include <cstddef>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace genera {

class Node;

/// An immutable tensor. Copies are cheap and share the expression. A default-constructed Tensor is empty: it has no
/// shape and only assignment, destruction and `operator bool` are allowed.
class GENERA_API Tensor {
 public:
  Tensor() = default;
  Tensor(const Tensor& other);
  Tensor(Tensor&& other) noexcept;
  Tensor& operator=(const Tensor& other);
  Tensor& operator=(Tensor&& other) noexcept;
  ~Tensor();

  /// A tensor that holds a copy of `values`, row-major. ArgumentError unless values.size() == shape.elements().
  template <class T>
  static Tensor from(std::span<const T> values, const Shape& shape) {
    return from_bytes(std::as_bytes(values), dtype_of<T>, shape);
  }
  template <class T>
  static Tensor from(const std::vector<T>& values, const Shape& shape) {
    return from(std::span<const T>(values), shape);
  }
  template <class T>
  static Tensor from(std::initializer_list<T> values, const Shape& shape) {
    return from(std::span<const T>(values.begin(), values.size()), shape);
  }
  /// The same from raw bytes in native byte order.
  static Tensor from_bytes(std::span<const std::byte> bytes, DType dtype, const Shape& shape);

  explicit operator bool() const { return node_ != nullptr; }
  const Shape& shape() const;
  DType dtype() const;
  int rank() const { return shape().rank(); }
  /// Extent of an axis; negative counts from the innermost (-1). ArgumentError where there is none.
  std::int64_t size(int axis) const;
  std::int64_t elements() const { return shape().elements(); }

  /// The value of a one-element tensor, converted to T (an arithmetic type); evaluates. ArgumentError otherwise.
  template <class T>
  T item() const {
    return static_cast<T>(item_as_double());
  }
  /// All elements, row-major; evaluates. ArgumentError when T is not the dtype's C++ type.
  template <class T>
  std::vector<T> to_vector() const {
    check_dtype(dtype_of<T>);
    const auto n = static_cast<std::size_t>(elements());
    if constexpr (std::is_same_v<T, bool>) {  // vector<bool> has no storage to copy to
      const auto bytes = std::make_unique<bool[]>(n);
      copy_to(std::as_writable_bytes(std::span<bool>(bytes.get(), n)));
      return std::vector<bool>(bytes.get(), bytes.get() + n);
    } else {
      std::vector<T> values(n);
      copy_to(std::as_writable_bytes(std::span<T>(values)));
      return values;
    }
  }
  /// Copies all elements, row-major, into `bytes`, which must have exactly their size; evaluates.
  void copy_to(std::span<std::byte> bytes) const;
  /// Computes the value now, if it is not there yet. Returns *this.
  const Tensor& eval() const;

  /// The graph node behind this handle and which of its outputs is meant; for code that walks graphs.
  Node* node() const { return node_; }
  int output() const { return output_; }
  /// A handle on output `output` of `node`.
  explicit Tensor(Node* node, int output = 0);

 private:
  double item_as_double() const;
  void check_dtype(DType wanted) const;

  Node* node_ = nullptr;
  int output_ = 0;
};

/// Computes all of `tensors` in one plan.
GENERA_API void eval(std::span<const Tensor> tensors);
GENERA_API void eval(std::initializer_list<Tensor> tensors);

/// The value for people: shape, dtype and elements; long axes are shortened. Evaluates.
GENERA_API std::string to_string(const Tensor& tensor);

}  // namespace genera
