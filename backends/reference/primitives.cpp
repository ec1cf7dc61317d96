// Which kernel computes which primitive.
#include "backends/reference/primitives.h"

#include <fmt/format.h>

#include <cctype>

#include "backends/reference/element.h"
#include "backends/reference/kernels.h"

namespace genera::reference {
namespace {

std::string snake_case(std::string_view camel) {
  std::string result;
  bool after_lower = false;
  for (const char c : camel) {
    const bool upper = std::isupper(static_cast<unsigned char>(c)) != 0;
    if (upper && after_lower) result += '_';
    result += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    after_lower = !upper;
  }
  return result;
}

void check_counts(const Arguments& call) {
  const int expected = info(call.op).inputs;
  const std::size_t least = expected < 0 ? 1 : static_cast<std::size_t>(expected);
  const std::size_t outputs = call.op == Op::LU ? 2 : 1;
  if (call.inputs.size() < least || (expected >= 0 && call.inputs.size() > least) ||
      call.outputs.size() != outputs)
    throw ArgumentError(fmt::format("[{}] got {} inputs and {} outputs", label(call.op),
                                    call.inputs.size(), call.outputs.size()));
}

void dispatch(const Arguments& call) {
  switch (call.op) {
    case Op::Cast:
      return compute_cast(call);
    case Op::Scan:
    case Op::ArgSort:
      return compute_scan(call);
    case Op::MatMul:
      return compute_matmul(call);
    case Op::Conv:
      return compute_conv(call);
    case Op::Barrier:
      return copy_bytes(call.outputs[0].data, call.inputs[0].data,
                        call.output_shape(0).elements() *
                            static_cast<std::int64_t>(size_of(call.outputs[0].dtype)));
    default:
      break;
  }
  switch (info(call.op).op_class) {
    case OpClass::Create:
      return compute_create(call);
    case OpClass::Elementwise:
      return compute_elementwise(call);
    case OpClass::Reduction:
      return compute_reduction(call);
    case OpClass::Movement:
      return compute_movement(call);
    case OpClass::Index:
      return compute_index(call);
    case OpClass::LinearAlgebra:
      return compute_linear_algebra(call);
    default:
      throw ArgumentError(fmt::format("[{}] is not computed by a kernel", label(call.op)));
  }
}

}  // namespace

std::string label(Op op) {
  switch (op) {
#define GENERA_UNARY(Name, function, ...) \
  case Op::Name:                          \
    return #function;
#define GENERA_BINARY(Name, function, ...) \
  case Op::Name:                           \
    return #function;
#define GENERA_TERNARY(Name, function, ...) \
  case Op::Name:                            \
    return #function;
#include "engine/graph/primitives.def"
    default:
      return snake_case(name(op));
  }
}

void throw_not_computed(Op op) {
  throw ArgumentError(fmt::format("[{}] is not computed by a kernel", label(op)));
}

void throw_unsupported(Op op, DType dtype) {
  throw ArgumentError(fmt::format("[{}] does not accept {}", label(op), name(dtype)));
}

void run(Op op, const void* attrs, std::span<const Input> inputs, std::span<const Output> outputs) {
  const Arguments call{op, attrs, inputs, outputs};
  // These are bound or expanded before anything runs; their inputs say nothing.
  if (op == Op::Leaf || op == Op::Scalar || op == Op::Call) throw_not_computed(op);
  check_counts(call);
  dispatch(call);
}

}  // namespace genera::reference
