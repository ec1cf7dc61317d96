// The engine's own cost: building a training step's graph, its key, finding the plan and binding it, on tensors so small
// that kernels take next to nothing.
#include "register.h"

#include <genera/genera.h>

#include <algorithm>
#include <memory>
#include <stdexcept>
#include <string>

namespace bench {
namespace {

using namespace genera;

/// A residual net of tiny layers whose whole training step has at least 1,500 graph nodes.
std::function<void()> many_nodes() {
  constexpr int layers = 48;
  auto weights = std::make_shared<std::vector<Tensor>>();
  for (int i = 0; i < layers; ++i)
    weights->push_back(random_normal(Key(static_cast<std::uint64_t>(i)), {2, 2}).eval());
  const Tensor x = random_normal(Key(99), {2, 2}).eval();
  const auto build = [=] {
    Tensor h = x;
    for (const Tensor& w : *weights) h = h + tanh(matmul(h, w) * 0.5 + 0.1) * sigmoid(h);
    const Gradients g = grad(sum(h * h), std::span<const Tensor>(*weights));
    Tensor total = g.loss;
    for (std::size_t i = 0; i < g.size(); ++i) total = total + sum(g[i]);
    return total;
  };
  const std::string graph = graph_text({build()});
  if (std::count(graph.begin(), graph.end(), '\n') < 1500)
    throw std::logic_error("many_nodes_step has too few nodes");
  return [build] { build().eval(); };
}

}  // namespace

void add_overhead() { add("many_nodes_step", 1, 0, many_nodes); }

}  // namespace bench
