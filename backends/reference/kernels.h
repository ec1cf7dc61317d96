/// The reference kernels by subject. Each computes the primitive that `op` names; primitives.cpp
/// chooses among them.
#pragma once

#include "backends/axis_split.h"
#include "backends/reference/primitives.h"

#include <cstddef>
#include <cstring>
#include <string>

namespace genera::reference {

/// What one primitive is called with.
struct Arguments {
  Op op;
  const void* attrs;
  std::span<const Input> inputs;
  std::span<const Output> outputs;

  template <class Attrs>
  const Attrs& as() const {
    return *static_cast<const Attrs*>(attrs);
  }
  template <class T>
  const T* input(std::size_t i) const {
    return static_cast<const T*>(inputs[i].data);
  }
  template <class T>
  T* output(std::size_t i) const {
    return static_cast<T*>(outputs[i].data);
  }
  const Shape& input_shape(std::size_t i) const { return inputs[i].shape; }
  const Shape& output_shape(std::size_t i) const { return outputs[i].shape; }
};

void compute_elementwise(const Arguments& call);
void compute_cast(const Arguments& call);
void compute_create(const Arguments& call);
void compute_reduction(const Arguments& call);
void compute_scan(const Arguments& call);
void compute_movement(const Arguments& call);
void compute_index(const Arguments& call);
void compute_matmul(const Arguments& call);
void compute_conv(const Arguments& call);
void compute_linear_algebra(const Arguments& call);

/// The operation's name as messages print it: the public function's for elementwise primitives,
/// else the primitive's in snake_case.
std::string label(Op op);

/// [operation] has no value of its own to compute.
[[noreturn]] void throw_not_computed(Op op);

/// memcpy that may be called with null pointers for no bytes.
inline void copy_bytes(void* to, const void* from, std::int64_t bytes) {
  if (bytes > 0) std::memcpy(to, from, static_cast<std::size_t>(bytes));
}

}  // namespace genera::reference
