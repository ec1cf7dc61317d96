/// Cases of every primitive: what the gradient matrix and the conformance suite run. Both loop over
/// the table of primitives, so that a primitive without a generator here fails them.
#pragma once

#include <genera/ops.h>

#include "engine/graph/primitive.h"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace genera::cases {

using Build = std::function<std::vector<Tensor>(const std::vector<Tensor>&)>;

struct Case {
  Op op{};
  std::string kind;  ///< "0-dim", "empty", "size-1", "broadcast", "permuted", "odd" or "large"
  std::string name;  ///< for messages: primitive, kind, input shapes
  std::vector<Tensor> inputs;  ///< leaves
  Build build;  ///< the primitive's outputs; also the permutation or broadcast that precedes it
  double step = 1e-5;       ///< of differences; 0: not comparable with differences
  double tolerance = 2e-6;  ///< of gradients against differences, relative above 1
};

struct Request {
  DType dtype = DType::f64;  ///< of the inputs that are numbers
  bool large = false;        ///< also shapes that fill several tiles, for conformance
};

/// The primitive's cases; empty where it does not take the dtype.
std::vector<Case> cases_of(Op op, const Request& request);

/// Whether the primitive's output depends smoothly on some input.
bool differentiable(Op op);

/// Numbers uniform in [low, high), the same for the same seed; integers for integer types; false
/// and true for bool.
Tensor numbers(const Shape& shape, double low, double high, std::uint64_t seed, DType dtype);

// For the files that make the table.

/// What an input holds.
struct Input {
  enum class Kind { number, index, condition };
  Shape shape;
  Kind kind = Kind::number;
  double low = -2, high = 2;
  std::vector<std::int32_t> indices;
  /// Added to the diagonal of the last two axes, moved down by `turn` rows: keeps matrices far from
  /// singular.
  double diagonal = 0;
  int turn = 0;
};
Input number(const Shape& shape, double low = -2, double high = 2);
Input index(const Shape& shape, std::vector<std::int32_t> values);
Input condition(const Shape& shape);
Input matrix(const Shape& shape, double diagonal, int turn = 0);

class Table {
 public:
  Table(Op op, const Request& request) : op_(op), request_(request) {}
  Op op() const { return op_; }
  DType dtype() const { return request_.dtype; }
  bool large() const { return request_.large; }
  /// Adds the case; of kind "odd" also with its number inputs permuted and, where `broadcasts`,
  /// broadcast.
  Case& add(const std::string& kind, const std::vector<Input>& inputs, const Build& build,
            bool broadcasts = true);
  /// Step and tolerance of the cases added from now on.
  void set_differences(double step, double tolerance) {
    step_ = step;
    tolerance_ = tolerance;
  }
  std::vector<Case> take() { return std::move(cases_); }

 private:
  void add_permuted(const Case& original);
  void add_broadcast(const std::vector<Input>& inputs, const Build& build);

  Op op_;
  Request request_;
  std::vector<Case> cases_;
  double step_ = 1e-5, tolerance_ = 2e-6;
};

/// The kind of a case whose main input has this shape.
std::string kind_of(const Shape& shape);

void add_elementwise(Table& table);
void add_create(Table& table);
void add_reductions(Table& table);
void add_movement(Table& table);
void add_index(Table& table);
void add_contractions(Table& table);
void add_linear_algebra(Table& table);
void add_structure(Table& table);

}  // namespace genera::cases
