#include "tests/vulkan_zoo_graph.h"

#include <genera/functions.h>
#include <genera/ops.h>

#include "engine/graph/node.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <mutex>
#include <optional>
#include <utility>

namespace genera::zoo {
namespace {

using Numbers = WatchedValues::Numbers;

constexpr double sample_bound = 1e-5;

// Squared relative errors. A loss whose square is below `cancelled` of that of its terms is held against those.
constexpr double loss_error = 1e-10, cancelled = 1e-2;
constexpr double gradient_error = 1e-8;
// 17 roundings to f32: those of a gradient's terms, and of their sum. Where f64 leaves less than that of the terms, f32 has no digit of it: it is 0 in exact
// arithmetic, or would be if the parameters were not rounded (normalised by the data at the start).
constexpr double rounding_of_terms = 1e-12;

std::vector<Node*> nodes_below(const std::vector<Tensor>& roots) {
  std::vector<Value> values(roots.begin(), roots.end());
  const std::lock_guard lock(graph_mutex());
  return topological_order(values, next_mark(), [](Node* node) { return node->inputs(); });
}

bool moves(Op op) { return info(op).op_class == OpClass::Movement || op == Op::Gather; }

/// Whether the value is uniform numbers, perhaps rearranged.
bool is_random(const Value& value) {
  const Node* node = value.node;
  while (moves(node->op())) node = node->inputs()[0].node;
  return node->op() == Op::Random;
}

Tensor tensor_of(const Value& value) { return Tensor(value.node, value.output); }

template <class T>
Numbers widened(const Tensor& x) {
  const std::vector<T> values = x.to_vector<T>();
  return {values.begin(), values.end()};
}

// Not by a cast on the device: f64 is not for every device.
Numbers numbers(const Tensor& x) {
  switch (x.dtype()) {
    case DType::f32:
      return widened<float>(x);
    case DType::i32:
      return widened<std::int32_t>(x);
    case DType::u32:
      return widened<std::uint32_t>(x);
    default:
      break;
  }
  std::vector<std::byte> bytes(static_cast<std::size_t>(x.elements()) * size_of(x.dtype()));
  x.copy_to(bytes);
  Numbers result(bytes.size());
  std::transform(bytes.begin(), bytes.end(), result.begin(),
                 [](std::byte b) { return static_cast<double>(b); });
  return result;
}

/// What is made of each value of a graph, once.
class OncePerValue {
 public:
  template <class Make>
  Tensor of(const Value& value, const Make& make) {
    const auto key = std::pair(value.node, value.output);
    if (const auto known = known_.find(key); known != known_.end()) return known->second;
    return known_.emplace(key, make()).first->second;
  }

 private:
  std::map<std::pair<Node*, int>, Tensor> known_;
};

/// The sizes of the terms that a value is the sum of.
class TermSizes {
 public:
  Tensor of(const Value& value) {
    return once_.of(value, [&] { return made(value); });
  }

 private:
  Tensor made(const Value& value) {
    const auto in = [&](std::size_t i) { return of(value.node->inputs()[i]); };
    const auto absolute = [&](std::size_t i) { return abs(tensor_of(value.node->inputs()[i])); };
    switch (value.node->op()) {
      case Op::Add:
        return in(0) + in(1);
      case Op::Neg:
        return in(0);
      case Op::Mul:
        return in(0) * in(1);
      case Op::Fma:
        return in(0) * in(1) + in(2);
      case Op::Reshape:
      case Op::Permute:
      case Op::Broadcast:
        return again(*value.node, {in(0)});
      case Op::ReduceSum:
        return again(*value.node, {absolute(0)});
      case Op::MatMul:
      case Op::Conv:
        return again(*value.node, {absolute(0), absolute(1)});
      default:
        return abs(tensor_of(value));
    }
  }
  static Tensor again(const Node& node, const std::vector<Tensor>& inputs) {
    const std::vector<Value> values(inputs.begin(), inputs.end());
    return Tensor(Node::create(node.op(), values, node.dtype(), node.shape(), node.attr_bytes()));
  }

  OncePerValue once_;
};

/// A graph in f64, with the same leaves, random numbers and draws.
class Widened {
 public:
  Tensor of(const Value& value) {
    return once_.of(value, [&] { return made(value); });
  }

 private:
  Tensor made(const Value& value) {
    const Node& node = *value.node;
    if (node.op() == Op::Call) return of(node.body()[static_cast<std::size_t>(value.output)]);
    const Tensor narrow = tensor_of(value);
    const bool real = narrow.dtype() == DType::f32;
    const bool given = node.inputs().empty() || node.op() == Op::Random || node.output_count() > 1;
    if (given) return real ? cast(narrow, DType::f64) : narrow;
    if (node.op() == Op::Less && is_random(node.inputs()[0])) return narrow;
    if (node.op() == Op::Cast && is_floating(narrow.dtype()))
      return cast(of(node.inputs()[0]), DType::f64);
    std::vector<Tensor> inputs;
    for (const Value& input : node.inputs()) inputs.push_back(of(input));
    const std::vector<Value> values(inputs.begin(), inputs.end());
    return Tensor(Node::create(node.op(), values, real ? DType::f64 : narrow.dtype(),
                               narrow.shape(), node.attr_bytes()));
  }

  OncePerValue once_;
};

double squares(const Numbers& x) {
  double sum = 0;
  for (const double v : x) sum += v * v;
  return sum;
}

std::string compare_draw(const WatchedValues::DrawNumbers& expected,
                         const WatchedValues::DrawNumbers& got, int& flips) {
  for (std::size_t i = 0; i < expected.sample.size(); ++i) {
    if (expected.sample[i] == got.sample[i]) continue;
    const double distance = std::abs(expected.uniform[i] - expected.probability[i]);
    if (distance > sample_bound)
      return fmt::format("sample {}: {} instead of {}, |u - p| is {}", i, got.sample[i],
                         expected.sample[i], distance);
    ++flips;
  }
  return {};
}

double squared_error(const Numbers& expected, const Numbers& got) {
  double error = 0;
  for (std::size_t i = 0; i < expected.size(); ++i)
    error += (got[i] - expected[i]) * (got[i] - expected[i]);
  return error;
}

double squared_terms(const Tensor& root) { return squares(numbers(TermSizes().of(root))); }

/// The squared error of a loss in units of what is allowed.
double loss_excess(const Tensor& root, const Numbers& expected, const Numbers& got) {
  const double error = squared_error(expected, got), size = squares(expected);
  if (error <= loss_error * size) return size > 0 ? error / size / loss_error : 0;
  const double terms = squared_terms(root);
  return error / (size <= cancelled * terms ? terms : size) / loss_error;
}

/// The same of a gradient; counts in `result` what it is held against.
double gradient_excess(const Tensor& root, const Numbers& expected, const Numbers& got,
                       Difference& result) {
  const double error = squared_error(expected, got), size = squares(expected);
  if (error <= gradient_error * size) return size > 0 ? error / size / gradient_error : 0;
  const Numbers exact = Widened().of(root).to_vector<double>();
  const double terms = squared_terms(root);
  if (squares(exact) <= rounding_of_terms * terms) {
    ++result.zeros;
    return squared_error(exact, got) / terms / rounding_of_terms;
  }
  ++result.by_exact;
  return squared_error(exact, got) / squares(exact) / gradient_error;
}

}  // namespace

WatchedGraph watch(const std::vector<Tensor>& roots) {
  WatchedGraph graph;
  graph.roots = roots;
  for (Node* node : nodes_below(roots)) {
    if (node->op() == Op::Random) graph.random.push_back(tensor_of({node, 0}));
    if (node->op() == Op::Less && is_random(node->inputs()[0]))
      graph.draws.push_back(
          {tensor_of(node->inputs()[0]), tensor_of(node->inputs()[1]), tensor_of({node, 0})});
  }
  return graph;
}

WatchedValues evaluated(const WatchedGraph& graph) {
  std::vector<Tensor> all = graph.roots;
  all.insert(all.end(), graph.random.begin(), graph.random.end());
  for (const Draw& draw : graph.draws)
    all.insert(all.end(), {draw.uniform, draw.probability, draw.sample});
  eval(all);
  WatchedValues values;
  for (const Tensor& root : graph.roots) values.roots.push_back(numbers(root));
  for (const Tensor& random : graph.random) values.random.push_back(numbers(random));
  for (const Draw& draw : graph.draws)
    values.draws.push_back(
        {numbers(draw.uniform), numbers(draw.probability), numbers(draw.sample)});
  return values;
}

Difference difference(const WatchedGraph& graph, const WatchedValues& expected,
                      const WatchedValues& got) {
  Difference result;
  const auto add = [&](const std::string& text) {
    if (!text.empty()) result.text += (result.text.empty() ? "" : "; ") + text;
  };
  if (expected.roots.size() != got.roots.size() || expected.draws.size() != got.draws.size())
    add("the graphs differ");
  if (expected.random != got.random) add("other random numbers");
  if (!result.text.empty()) return result;
  for (std::size_t d = 0; d < expected.draws.size(); ++d)
    add(compare_draw(expected.draws[d], got.draws[d], result.flips));
  if (result.flips > 0) return result;
  for (std::size_t r = 0; r < expected.roots.size(); ++r) {
    const Tensor& root = graph.roots[r];
    const double error = root.rank() == 0
                             ? loss_excess(root, expected.roots[r], got.roots[r])
                             : gradient_excess(root, expected.roots[r], got.roots[r], result);
    double& largest = root.rank() == 0 ? result.largest_loss : result.largest_gradient;
    largest = std::max(largest, error);
    if (!(error <= 1))
      add(fmt::format("root {} {}: the squared error is {:.3g} times what is allowed", r,
                      to_string(root.shape()), error));
  }
  return result;
}

}  // namespace genera::zoo
