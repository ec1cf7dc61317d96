/// Random graphs from a seed: what every way of running must compute to the same bits.
#pragma once

#include <genera/ops.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

namespace genera::random_graphs {

/// Which graph. The same recipe builds the same graph every time.
struct Recipe {
  std::uint64_t seed = 0;
  int operations = 1 << 20;  ///< at most; for finding the smallest graph that fails
};

/// A graph as its user holds it: what is asked for, and handles in the middle that are only kept.
struct Graph {
  std::vector<Tensor> roots;
  std::vector<Tensor> held;
  /// Of each root, then each held tensor: by how much rounding may have moved a value; infinite
  /// after a comparison of rounded numbers.
  std::vector<double> error;
};

Graph build(const Recipe& recipe);

/// One way of running.
struct Mode {
  std::string name;
  bool fuse = true, plan_memory = true, poison = false, eager = false;
  int threads = 1;
};
const std::vector<Mode>& modes();

/// Bytes of every root and held tensor.
using Values = std::vector<std::vector<std::byte>>;

/// Builds and runs the graph in the mode; afterwards all switches are as they were.
Values run(const Recipe& recipe, const Mode& mode);

struct Outcome {
  std::string failure;  ///< "" when all is well
  int compared_with_reference = 0;
};
/// Runs the graph in every mode and on the reference backend.
Outcome check(const Recipe& recipe);
/// Runs the graph on the first of the named backends, fused, unfused, without sharing memory and a second time, and fused on the others, which are the same device under
/// other limits: the same bits; and near the CPU's and the reference backend's numbers.
Outcome check_backends(const Recipe& recipe, const std::vector<std::string>& backends);
/// The failing recipe's smallest failing prefix, its graph and plan as text.
std::string explain(const Recipe& recipe);

/// What an environment variable says, or else this.
inline std::uint64_t number_from(const char* variable, std::uint64_t otherwise) {
  const char* text = std::getenv(variable);
  return text ? std::strtoull(text, nullptr, 10) : otherwise;
}

}  // namespace genera::random_graphs
