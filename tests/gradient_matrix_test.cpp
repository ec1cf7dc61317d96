// The gradient matrix: every primitive and Call, in all kinds of shapes, first and second order,
// against differences.
#include <doctest/doctest.h>
#include <genera/autodiff.h>
#include <genera/functions.h>

#include "engine/graph/node.h"
#include "tests/gradient_check.h"
#include "tests/tests_folder.h"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <set>

namespace genera::cases {
namespace {

struct Row {
  int cases = 0;
  std::set<std::string> kinds;
  int compared[2] = {0, 0};
};

Row run(const std::vector<Case>& all) {
  Row row;
  for (const Case& c : all) {
    ++row.cases;
    row.kinds.insert(c.kind);
    for (const Order order : {Order::first, Order::second}) {
      const Verdict verdict = check_gradients(c, order);
      row.compared[order == Order::first ? 0 : 1] += verdict.compared;
      INFO(verdict.mismatch);
      CHECK(verdict.ok());
    }
  }
  return row;
}

Case composite(const std::string& name, const std::vector<Tensor>& inputs, const Build& build) {
  Case c;
  c.op = Op::Call;
  c.kind = "composite";
  c.name = name;
  c.inputs = inputs;
  c.build = build;
  return c;
}

Tensor noise(const Shape& shape, std::uint64_t seed) {
  return numbers(shape, -1.5, 1.5, seed, DType::f64);
}

/// The names that the engine's sources give to call().
std::set<std::string> calls_of_the_engine() {
  const std::filesystem::path engine = test::tests_folder() / "../engine";
  static const std::regex named(R"(\bcall\(([^,(){};]*"[^,]*),)"), quoted(R"re("(\w+)")re");
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(engine)) {
    if (entry.path().extension() != ".cpp") continue;
    std::ifstream file(entry.path());
    const std::string text(std::istreambuf_iterator<char>(file), {});
    for (std::sregex_iterator call(text.begin(), text.end(), named), end; call != end; ++call) {
      const std::string name = (*call)[1];
      for (std::sregex_iterator word(name.begin(), name.end(), quoted); word != end; ++word)
        names.insert((*word)[1]);
    }
  }
  CHECK(!names.empty());
  return names;
}

}  // namespace

TEST_CASE("gradient matrix: every primitive, first and second order") {
  int executed = 0, elements = 0;
  for (int i = 0; i < op_count; ++i) {
    const Op op = static_cast<Op>(i);
    if (info(op).op_class == OpClass::Create) continue;  // a source: nothing to differentiate for
    INFO(std::string(name(op)));
    const Row row = run(cases_of(op, {}));
    executed += row.cases;
    elements += row.compared[0] + row.compared[1];
    CHECK_MESSAGE(row.cases > 0, "no row in the matrix");
    CHECK(row.compared[0] > 0);
    CHECK(row.compared[1] > 0);
    if (op == Op::ArgMax || op == Op::ArgSort) continue;  // need an axis: no 0-dim
    for (const char* kind : {"size-1", "permuted", "odd"}) {
      INFO(kind);
      CHECK(row.kinds.contains(kind));
    }
    CHECK(row.kinds.contains("empty"));
    if (is_elementwise(op)) CHECK(row.kinds.contains("0-dim"));
    if (is_elementwise(op)) CHECK(row.kinds.contains("broadcast"));
  }
  MESSAGE(executed << " cases, " << elements << " derivatives compared");
  CHECK(executed > 0);
}

TEST_CASE("gradients of Calls: attention, user calls, checkpoints") {
  std::vector<Case> all;
  const auto add_attention = [&](const Shape& q, const Shape& k, const AttentionOptions& options) {
    all.push_back(composite("attention " + to_string(q), {noise(q, 1), noise(k, 2), noise(k, 3)},
                            [options](const std::vector<Tensor>& x) {
                              return std::vector{attention(x[0], x[1], x[2], options)};
                            }));
  };
  for (const bool causal : {false, true})
    for (const Shape& q : {Shape{1, 1, 1, 1}, Shape{2, 3, 2}, Shape{1, 2, 3, 4}})
      add_attention(q, q, {.causal = causal});
  add_attention({1, 3, 2}, {1, 5, 2}, {.mask = numbers({3, 5}, 0, 1, 6, DType::boolean)});
  const TensorFunction block = [](const std::vector<Tensor>& x) {
    return std::vector{tanh(matmul(x[0], x[1])), softmax(matmul(x[0], x[1]))};
  };
  const std::vector<Tensor> matrices{noise({3, 5}, 4), noise({5, 2}, 5)};
  all.push_back(composite("call", matrices,
                          [=](const std::vector<Tensor>& x) { return call("block", block, x); }));
  all.push_back(composite("checkpoint", matrices,
                          [=](const std::vector<Tensor>& x) { return checkpoint(block, x); }));
  all.push_back(composite("call in checkpoint", matrices, [=](const std::vector<Tensor>& x) {
    return checkpoint([=](const std::vector<Tensor>& y) { return call("block", block, y); }, x);
  }));
  all.push_back(composite("checkpoint in checkpoint", matrices, [=](const std::vector<Tensor>& x) {
    return checkpoint([=](const std::vector<Tensor>& y) { return checkpoint(block, y); }, x);
  }));
  all.push_back(
      composite("checkpoint of a captured tensor", matrices, [=](const std::vector<Tensor>& x) {
        return checkpoint(
            [w = x[1]](const std::vector<Tensor>& y) { return std::vector{sin(matmul(y[0], w))}; },
            {x[0]});
      }));
  std::set<std::string> calls;
  for (const Case& c : all)
    for (const Tensor& y : c.build(c.inputs))
      if (y.node()->op() == Op::Call) calls.insert(y.node()->call().name);
  for (const std::string& call : calls_of_the_engine()) {
    INFO(call);
    CHECK_MESSAGE(calls.contains(call), "no row in the matrix");
  }
  const Row row = run(all);
  CHECK(row.cases == 12);
  CHECK(row.compared[0] > 0);
  CHECK(row.compared[1] > 0);
}

TEST_CASE("a checkpoint passes gradients to what its body captured") {
  const Tensor x = full({}, 1.5, DType::f64).eval(), a = full({}, 2.0, DType::f64).eval();
  for (const bool evaluated : {false, true}) {
    const Tensor h = x * x;
    if (evaluated) h.eval();
    const Tensor y =
        checkpoint([&](const std::vector<Tensor>& in) { return std::vector{in[0] * h}; }, {a})[0];
    const Gradients g = grad(y, {h, x, a});
    CHECK(g[0].item<double>() == 2);
    CHECK(g[1].item<double>() == 6);
    CHECK(g[2].item<double>() == 2.25);
    CHECK(grad(y, {h})[0].item<double>() == 2);
    const Tensor same =
        checkpoint([&](const std::vector<Tensor>&) { return std::vector{h}; }, {a})[0];
    CHECK(grad(same, {h})[0].item<double>() == 1);
  }
}

TEST_CASE("a checkpoint's values and gradients are those of its body, bit for bit") {
  const TensorFunction block = [](const std::vector<Tensor>& x) {
    const Tensor hidden = tanh(matmul(x[0], x[1]));
    return std::vector{sum(hidden * sigmoid(hidden))};
  };
  const Tensor a = numbers({17, 33}, -1, 1, 1, DType::f32),
               b = numbers({33, 7}, -1, 1, 2, DType::f32);
  const Gradients plain = grad(block({a, b})[0], {a, b});
  const Gradients again = grad(checkpoint(block, {a, b})[0], {a, b});
  for (std::size_t i = 0; i < 2; ++i)
    CHECK(plain[i].to_vector<float>() == again[i].to_vector<float>());
}

TEST_CASE("stop_gradient stops, detach cuts") {
  const Tensor x = noise({3}, 1);
  CHECK(grad(sum(stop_gradient(x) * x), {x})[0].to_vector<double>() == x.to_vector<double>());
  CHECK(grad(sum(detach(x * 2.0)), {x})[0].to_vector<double>() == std::vector<double>(3, 0));
}

}  // namespace genera::cases
