#include "tests/case_tables.h"

#include <genera/random.h>

#include <cmath>
#include <string_view>

namespace genera::cases {
namespace {

class Generator {
 public:
  // An odd factor other than the step's: neighbouring seeds would give shifted copies of one
  // sequence.
  explicit Generator(std::uint64_t seed) : state_((seed + 1) * 0xd1b54a32d192ed03u) {}
  double uniform() {
    state_ += 0x9e3779b97f4a7c15u;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return static_cast<double>((z ^ (z >> 31)) >> 11) * 0x1p-53;
  }

 private:
  std::uint64_t state_;
};

std::uint64_t seed_of(Op op, std::size_t number, std::size_t input) {
  return static_cast<std::uint64_t>(op) * 1000003 + number * 101 + input + 17;
}

Tensor leaf(const Input& input, std::uint64_t seed, DType dtype) {
  switch (input.kind) {
    case Input::Kind::index:
      return Tensor::from(input.indices, input.shape);
    case Input::Kind::condition:
      return numbers(input.shape, 0, 1, seed, DType::boolean);
    default:
      break;
  }
  Tensor x = numbers(input.shape, input.low, input.high, seed, dtype);
  if (input.diagonal == 0 || x.elements() == 0) return x;
  std::vector<double> values = cast(x, DType::f64).to_vector<double>();
  const auto n = static_cast<std::size_t>(x.size(-1));
  for (std::size_t i = 0; i < values.size(); ++i)
    if ((i / n + n - static_cast<std::size_t>(input.turn)) % n == i % n)
      values[i] += input.diagonal;
  return detach(cast(Tensor::from(values, input.shape), dtype));
}

std::string case_name(Op op, const std::string& kind, const std::vector<Tensor>& inputs) {
  std::string text = std::string(name(op)) + " " + kind;
  for (const Tensor& x : inputs)
    text += " " + to_string(x.shape()) + " " + std::string(name(x.dtype()));
  return text;
}

Tensor unary(Op op, const Tensor& x) {
  switch (op) {
#define GENERA_UNARY(Name, function, ...) \
  case Op::Name:                          \
    return genera::function(x);
#include "engine/graph/primitives.def"
    default:
      return {};
  }
}
Tensor binary(Op op, const Tensor& a, const Tensor& b) {
  switch (op) {
#define GENERA_BINARY(Name, function, ...) \
  case Op::Name:                           \
    return genera::function(a, b);
#include "engine/graph/primitives.def"
    default:
      return {};
  }
}
Tensor ternary(Op op, const Tensor& a, const Tensor& b, const Tensor& c) {
  switch (op) {
#define GENERA_TERNARY(Name, function, ...) \
  case Op::Name:                            \
    return genera::function(a, b, c);
#include "engine/graph/primitives.def"
    default:
      return {};
  }
}

bool accepts(Op op, DType dtype) {
  switch (info(op).accepts) {
    case Accepts::Floating:
      return is_floating(dtype);
    case Accepts::Numeric:
      return dtype != DType::boolean;
    default:
      return true;
  }
}

std::vector<Shape> plain_shapes(bool large) {
  std::vector<Shape> shapes{{}, {0}, {2, 0, 3}, {1}, {1, 1}, {7}, {3, 5}, {2, 3, 3}};
  if (large) shapes.insert(shapes.end(), {Shape{1025}, Shape{33, 100}, Shape{17, 2, 65}});
  return shapes;
}

void add_unary(Table& table) {
  const OpInfo& row = info(table.op());
  const Build build = [op = table.op()](const std::vector<Tensor>& x) {
    return std::vector{unary(op, x[0])};
  };
  for (const Shape& shape : plain_shapes(table.large()))
    table.add(kind_of(shape), {number(shape, row.low, row.high)}, build);
}

void add_binary(Table& table) {
  const OpInfo& row = info(table.op());
  const Build build = [op = table.op()](const std::vector<Tensor>& x) {
    return std::vector{binary(op, x[0], x[1])};
  };
  const auto in = [&](const Shape& shape) { return number(shape, row.low, row.high); };
  for (const Shape& shape : plain_shapes(table.large()))
    table.add(kind_of(shape), {in(shape), in(shape)}, build);
  table.add("broadcast", {in({3, 1}), in({1, 5})}, build);
  table.add("broadcast", {in({4}), in({2, 3, 4})}, build);
  table.add("broadcast", {in({2, 3}), in({})}, build);
  table.add("broadcast", {in({}), in({3})}, build);
  const Build twice = [op = table.op()](const std::vector<Tensor>& x) {
    return std::vector{binary(op, x[0], transpose(x[1]))};
  };
  table.add("permuted", {in({3, 5}), in({5, 3})}, twice);
}

void add_ternary(Table& table) {
  const OpInfo& row = info(table.op());
  const Build build = [op = table.op()](const std::vector<Tensor>& x) {
    return std::vector{ternary(op, x[0], x[1], x[2])};
  };
  const auto in = [&](const Shape& shape) { return number(shape, row.low, row.high); };
  const auto first = [&](const Shape& shape) {
    return table.op() == Op::Select ? condition(shape) : in(shape);
  };
  for (const Shape& shape : plain_shapes(table.large()))
    table.add(kind_of(shape), {first(shape), in(shape), in(shape)}, build);
  table.add("broadcast", {first({3, 1}), in({1, 5}), in({})}, build);
  table.add("broadcast", {first({}), in({4}), in({2, 3, 4})}, build);
  table.add("broadcast", {first({2, 3}), in({2, 1}), in({1, 3})}, build);
}

void add_cast(Table& table) {
  for (int to = 0; to < dtype_count; ++to) {
    const auto target = static_cast<DType>(to);
    if (target == table.dtype()) continue;
    // Negative numbers and numbers past the range have no portable meaning as unsigned: 0…2 only.
    const double low = target == DType::u8 || target == DType::u32 ? 0 : -2;
    for (const Shape& shape : plain_shapes(table.large())) {
      const Build build = [target](const std::vector<Tensor>& x) {
        return std::vector{cast(x[0], target)};
      };
      if (target == DType::f16 || target == DType::bf16)
        table.set_differences(0, 0);  // too coarse for differences
      else if (is_floating(target))
        table.set_differences(0.25,
                              1e-4);  // linear: a long step keeps the narrow type's rounding out
      else
        table.set_differences(1e-5, 2e-6);
      table.add(kind_of(shape), {number(shape, low, 2)}, build).name +=
          " to " + std::string(name(target));
    }
  }
}

}  // namespace

Input number(const Shape& shape, double low, double high) {
  return {shape, Input::Kind::number, low, high, {}, 0, 0};
}
Input index(const Shape& shape, std::vector<std::int32_t> values) {
  return {shape, Input::Kind::index, 0, 0, std::move(values), 0, 0};
}
Input condition(const Shape& shape) { return {shape, Input::Kind::condition, 0, 1, {}, 0, 0}; }
Input matrix(const Shape& shape, double diagonal, int turn) {
  return {shape, Input::Kind::number, -1, 1, {}, diagonal, turn};
}

Tensor numbers(const Shape& shape, double low, double high, std::uint64_t seed, DType dtype) {
  Generator generator(seed);
  std::vector<double> values(static_cast<std::size_t>(shape.elements()));
  for (double& value : values) {
    value = low + (high - low) * generator.uniform();
    if (is_integer(dtype))
      value =
          std::floor(dtype == DType::u8 || dtype == DType::u32 ? std::abs(value * 9) : value * 9);
    if (dtype == DType::boolean) value = generator.uniform() < 0.5 ? 0 : 1;
  }
  return detach(cast(Tensor::from(values, shape), dtype));
}

std::string kind_of(const Shape& shape) {
  if (shape.rank() == 0) return "0-dim";
  if (shape.elements() == 0) return "empty";
  if (shape.elements() == 1) return "size-1";
  return shape.elements() > 500 ? "large" : "odd";
}

Case& Table::add(const std::string& kind, const std::vector<Input>& inputs, const Build& build,
                 bool broadcasts) {
  Case made;
  made.op = op_;
  made.kind = kind;
  made.build = build;
  for (const Input& input : inputs)
    made.inputs.push_back(leaf(input, seed_of(op_, cases_.size(), made.inputs.size()), dtype()));
  made.name = case_name(op_, kind, made.inputs);
  made.step = step_;
  made.tolerance = tolerance_;
  if (kind == "odd" || kind == "large") {
    add_permuted(made);
    if (broadcasts) add_broadcast(inputs, build);
  }
  cases_.push_back(std::move(made));
  return cases_.back();
}

void Table::add_permuted(const Case& original) {
  Case made = original;
  std::vector<bool> turned;
  bool any = false;
  for (Tensor& x : made.inputs) {
    turned.push_back(x.rank() >= 2);
    if (!turned.back()) continue;
    x = detach(transpose(x, 0, -1));
    any = true;
  }
  if (!any) return;
  made.kind = "permuted";
  made.name = case_name(op_, made.kind, made.inputs);
  made.build = [inner = original.build, turned](const std::vector<Tensor>& x) {
    std::vector<Tensor> y = x;
    for (std::size_t i = 0; i < y.size(); ++i)
      if (turned[i]) y[i] = transpose(y[i], 0, -1);
    return inner(y);
  };
  cases_.push_back(std::move(made));
}

void Table::add_broadcast(const std::vector<Input>& inputs, const Build& build) {
  Case made;
  made.op = op_;
  made.kind = "broadcast";
  std::vector<Shape> shapes;
  bool any = false;
  for (Input input : inputs) {
    shapes.push_back(input.shape);
    if (input.kind == Input::Kind::number && input.shape.rank() >= 2 && input.shape[0] > 1) {
      input.shape = input.shape.with(0, 1);
      any = true;
    }
    made.inputs.push_back(leaf(input, seed_of(op_, cases_.size(), made.inputs.size()), dtype()));
  }
  if (!any) return;
  made.name = case_name(op_, made.kind, made.inputs);
  made.step = step_;
  made.tolerance = tolerance_;
  made.build = [build, shapes](const std::vector<Tensor>& x) {
    std::vector<Tensor> y = x;
    for (std::size_t i = 0; i < y.size(); ++i)
      if (!(y[i].shape() == shapes[i])) y[i] = broadcast_to(y[i], shapes[i]);
    return build(y);
  };
  cases_.push_back(std::move(made));
}

void add_elementwise(Table& table) {
  if (table.op() == Op::Cast) return add_cast(table);
  if (!accepts(table.op(), table.dtype())) return;
  switch (info(table.op()).inputs) {
    case 1:
      return add_unary(table);
    case 2:
      return add_binary(table);
    default:
      return add_ternary(table);
  }
}

void add_create(Table& table) {
  const DType dtype = table.dtype();
  for (const Shape& shape : plain_shapes(table.large())) {
    const auto made = [&](const std::function<Tensor()>& make) {
      table.add(kind_of(shape), {},
                [make](const std::vector<Tensor>&) { return std::vector{make()}; });
    };
    switch (table.op()) {
      case Op::Const:
        made([=] { return full(shape, 1, dtype); });
        break;
      case Op::Scalar:
        made([=] { return scalar(1, dtype, shape); });
        break;
      case Op::Leaf:
        table.add(kind_of(shape), {number(shape)}, [](const std::vector<Tensor>& x) { return x; });
        break;
      case Op::Iota:
        for (int axis = 0; axis < shape.rank(); ++axis)
          if (dtype == DType::i32 || is_floating(dtype))
            made([=] { return iota(shape, axis, dtype); });
        break;
      default:  // Random
        if (dtype == DType::f32) made([=] { return random_uniform(Key(7), shape); });
        if (dtype == DType::f32) made([=] { return random_bits(Key(8).fold_in(3), shape); });
        break;
    }
  }
}

bool differentiable(Op op) {
  using namespace std::string_view_literals;
  const auto any = [](auto... gradient) { return ((gradient != "none()"sv) || ...); };
  switch (op) {
#define GENERA_UNARY(Name, function, types, reference, glsl, gradient, ...) \
  case Op::Name:                                                            \
    return any(#gradient);
#define GENERA_BINARY(Name, function, types, reference, glsl, ga, gb, ...) \
  case Op::Name:                                                           \
    return any(#ga, #gb);
#define GENERA_TERNARY(Name, function, types, reference, glsl, ga, gb, gc, ...) \
  case Op::Name:                                                                \
    return any(#ga, #gb, #gc);
#include "engine/graph/primitives.def"
    case Op::ArgMax:
    case Op::ArgSort:
      return false;
    default:
      return info(op).op_class != OpClass::Create;
  }
}

std::vector<Case> cases_of(Op op, const Request& request) {
  Table table(op, request);
  switch (info(op).op_class) {
    case OpClass::Create:
      add_create(table);
      break;
    case OpClass::Elementwise:
      add_elementwise(table);
      break;
    case OpClass::Reduction:
    case OpClass::Scan:
      add_reductions(table);
      break;
    case OpClass::Movement:
      add_movement(table);
      break;
    case OpClass::Index:
      add_index(table);
      break;
    case OpClass::Contraction:
      add_contractions(table);
      break;
    case OpClass::LinearAlgebra:
      add_linear_algebra(table);
      break;
    case OpClass::Structure:
      add_structure(table);
      break;
  }
  return table.take();
}

}  // namespace genera::cases
