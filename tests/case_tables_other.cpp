// The cases of all primitives but the elementwise ones.
#include "engine/graph/attributes.h"
#include "engine/graph/build.h"
#include "tests/case_tables.h"

#include <algorithm>
#include <numeric>

namespace genera::cases {
namespace {

using Tensors = std::vector<Tensor>;
using Extents = std::vector<std::int64_t>;
using UnaryFunction = std::function<Tensor(const Tensor&)>;

/// A case with one input of numbers.
void one(Table& table, const Shape& shape, const UnaryFunction& function, bool broadcasts = true) {
  table.add(
      kind_of(shape), {number(shape)},
      [function](const Tensors& x) { return Tensors{function(x[0])}; }, broadcasts);
}

void add_reduce(Table& table, bool (*takes)(DType),
                Tensor (*reduce)(const Tensor&, const Axes&, bool)) {
  if (!takes(table.dtype())) return;
  struct Row {
    Shape shape;
    Axes axes;
  };
  std::vector<Row> rows{
      {{}, {}},         {{7}, {0}},       {{3, 5}, {0}},       {{3, 5}, {1}},
      {{3, 5}, {0, 1}}, {{2, 3, 4}, {1}}, {{2, 3, 4}, {0, 2}}, {{2, 3, 4}, {1, 2}},
      {{0, 3}, {0}},    {{0, 3}, {1}},    {{2, 0}, {0, 1}},    {{1}, {0}},
      {{1, 1}, {0, 1}}, {{1, 5, 1}, {1}}, {{5, 1}, {1}}};
  if (table.large())
    rows.insert(rows.end(), {{{2049}, {0}},
                             {{33, 100}, {1}},
                             {{100, 33}, {0}},
                             {{5, 257, 7}, {1}},
                             {{3, 17, 65}, {0, 2}}});
  for (const Row& row : rows)
    for (const bool keepdims : {false, true})
      one(table, row.shape,
          [=, axes = row.axes](const Tensor& x) { return reduce(x, axes, keepdims); });
}

void add_scan(Table& table) {
  if (table.dtype() == DType::boolean) return;
  struct Row {
    Shape shape;
    int axis;
  };
  std::vector<Row> rows{{{7}, 0},    {{3, 5}, 0}, {{3, 5}, 1}, {{2, 3, 2}, 1},
                        {{0, 3}, 0}, {{3, 0}, 0}, {{1}, 0},    {{1, 4}, 0}};
  if (table.large()) rows.insert(rows.end(), {{{1000}, 0}, {{33, 17}, 0}, {{17, 33}, 1}});
  for (const Row& row : rows)
    for (const bool reverse : {false, true}) {
      one(table, row.shape,
          [=, axis = row.axis](const Tensor& x) { return cumsum(x, axis, reverse); });
      one(table, row.shape,
          [=, axis = row.axis](const Tensor& x) { return cummax(x, axis, reverse); });
      if (is_floating(table.dtype()))
        one(table, row.shape,
            [=, axis = row.axis](const Tensor& x) { return logcumsumexp(x, axis, reverse); });
    }
}

void add_index_of(Table& table) {
  std::vector<Shape> shapes{{1}, {7}, {3, 5}, {2, 3, 4}, {0, 3}};
  if (table.large()) shapes.push_back({101, 33});
  for (const Shape& shape : shapes)
    for (int axis = 0; axis < shape.rank(); ++axis) {
      if (table.op() == Op::ArgSort)
        one(table, shape, [=](const Tensor& x) { return argsort(x, axis); });
      else if (shape[axis] > 0)
        one(table, shape, [=](const Tensor& x) { return argmax(x, axis); });
    }
}

void add_reshapes(Table& table) {
  one(table, {}, [](const Tensor& x) { return reshape(x, {1, 1}); });
  one(table, {1}, [](const Tensor& x) { return reshape(x, Shape{}); });
  one(table, {0, 3}, [](const Tensor& x) { return reshape(x, {3, 0, 2}); });
  one(table, {3, 5}, [](const Tensor& x) { return reshape(x, {5, 3}); });
  one(table, {2, 3, 5}, [](const Tensor& x) { return reshape(x, {6, 5}); });
  one(table, {6, 5}, [](const Tensor& x) { return reshape(x, {3, 2, 5, 1}); });
  if (table.large()) one(table, {33, 100}, [](const Tensor& x) { return reshape(x, {100, 33}); });
}

void add_permutes(Table& table) {
  one(table, {}, [](const Tensor& x) { return permute(x, {}); });
  one(table, {1, 1}, [](const Tensor& x) { return permute(x, {1, 0}); });
  one(table, {0, 3}, [](const Tensor& x) { return permute(x, {1, 0}); });
  one(table, {3, 5}, [](const Tensor& x) { return permute(x, {1, 0}); });
  one(table, {2, 3, 5}, [](const Tensor& x) { return permute(x, {2, 0, 1}); });
  one(table, {2, 3, 1, 2}, [](const Tensor& x) { return permute(x, {0, 3, 2, 1}); });
  if (table.large()) one(table, {33, 3, 17}, [](const Tensor& x) { return permute(x, {2, 1, 0}); });
}

void add_broadcasts(Table& table) {
  const auto to = [&](const Shape& from, const Shape& shape) {
    one(table, from, [shape](const Tensor& x) { return broadcast_to(x, shape); });
  };
  to({}, {2, 3});
  to({1}, {5});
  to({1, 1}, {1, 3});
  to({0, 1}, {0, 3});
  to({1, 3}, {0, 3});
  to({3, 1}, {3, 5});
  to({2, 1, 3}, {2, 4, 3});
  to({3}, {2, 4, 3});
  if (table.large()) to({33, 1}, {33, 100});
}

void add_slices(Table& table) {
  one(table, {}, [](const Tensor& x) { return strided_slice(x, {}, Shape{}, {}); });
  one(table, {1}, [](const Tensor& x) { return slice(x, 0, 0, 0); });
  one(table, {1, 1}, [](const Tensor& x) { return slice(x, 0, 0, 1) * full_like(x, 1); });
  one(table, {0, 3}, [](const Tensor& x) { return slice(x, 1, 1, 3); });
  one(table, {7}, [](const Tensor& x) { return slice(x, 0, 1, 7, 3); });
  one(table, {7}, [](const Tensor& x) { return strided_slice(x, {6}, Shape{7}, {-1}); });
  one(table, {7}, [](const Tensor& x) { return strided_slice(x, {5}, Shape{3}, {-2}); });
  one(table, {3, 5}, [](const Tensor& x) { return slice(x, 1, 2, 5); });
  one(table, {3, 5}, [](const Tensor& x) {
    return strided_slice(x, {2, 1}, Shape{2, 2}, {-2, 3});
  });
  one(table, {4, 2, 5}, [](const Tensor& x) {
    return strided_slice(x, {1, 0, 4}, Shape{2, 2, 3}, {2, 1, -2});
  });
  const Build moving = [](const Tensors& x) {
    return Tensors{dynamic_slice(x[0], x[1], Shape{2, 3})};
  };
  table.add("odd", {number({3, 5}), index({2}, {1, 1})}, moving);
  table.add("odd", {number({3, 5}), index({2}, {9, -4})}, moving);  // clamped
  table.add("size-1", {number({1}), index({1}, {0})},
            [](const Tensors& x) { return Tensors{dynamic_slice(x[0], x[1], Shape{1})}; });
  if (table.large()) {
    one(table, {33, 100}, [](const Tensor& x) {
      return strided_slice(x, {32, 3}, Shape{11, 30}, {-3, 3});
    });
    one(table, {1001}, [](const Tensor& x) { return slice(x, 0, 17, 1000); });
  }
}

void add_pads(Table& table) {
  one(table, {1}, [](const Tensor& x) { return pad(x, {2}, {0}); });
  one(table, {0, 3}, [](const Tensor& x) { return pad(x, {1, 0}, {1, 2}); });
  one(table, {5}, [](const Tensor& x) { return pad(x, {2}, {1}, {3}); });
  one(table, {3, 5}, [](const Tensor& x) { return pad(x, {1, 0}, {0, 2}); });
  one(table, {2, 3}, [](const Tensor& x) { return pad(x, {0, 2}, {1, 0}, {2, 1}); });
  one(table, {2, 1, 3}, [](const Tensor& x) { return pad(x, {1, 1, 0}, {0, 2, 3}, {1, 0, 2}); });
  if (table.large())
    one(table, {33, 31}, [](const Tensor& x) { return pad(x, {3, 1}, {2, 5}, {0, 1}); });
}

void add_concats(Table& table) {
  const auto join = [&](const std::vector<Shape>& shapes, int axis) {
    std::vector<Input> inputs;
    for (const Shape& shape : shapes) inputs.push_back(number(shape));
    table.add(kind_of(shapes[0]), inputs,
              [axis](const Tensors& x) { return Tensors{concat(x, axis)}; });
  };
  join({{1}, {1}}, 0);
  join({{0, 3}, {2, 3}}, 0);
  join({{3, 5}, {2, 5}}, 0);
  join({{3, 5}, {3, 1}, {3, 0}, {3, 2}}, 1);
  join({{2, 1, 3}, {2, 4, 3}, {2, 2, 3}}, 1);
  if (table.large()) join({{33, 31}, {33, 17}}, 1);
}

struct WindowRow {
  Shape shape;
  Axes axes;
  Extents size, stride, dilation;
};

void add_windows(Table& table) {
  if (table.op() == Op::Fold && table.dtype() == DType::boolean) return;
  std::vector<WindowRow> rows{
      {{1}, {0}, {1}, {1}, {1}},       {{0, 3}, {1}, {2}, {1}, {1}},
      {{7}, {0}, {3}, {1}, {1}},       {{9}, {0}, {3}, {2}, {2}},
      {{7}, {0}, {2}, {3}, {1}},       {{4, 5}, {0, 1}, {2, 2}, {1, 2}, {2, 1}},
      {{2, 5, 3}, {1}, {3}, {1}, {1}}, {{2, 1, 4, 5}, {2, 3}, {2, 3}, {2, 1}, {1, 1}}};
  if (table.large()) rows.push_back({{2, 3, 17, 16}, {2, 3}, {3, 2}, {2, 2}, {1, 1}});
  for (const WindowRow& row : rows) {
    const auto windows = [row](const Tensor& x) {
      return window(x, row.axes, row.size, row.stride, row.dilation);
    };
    if (table.op() == Op::Window) {
      one(table, row.shape, windows);
      continue;
    }
    const Shape shape = windows(zeros(row.shape)).shape();
    one(table, shape, [row](const Tensor& x) {
      return fold(x, row.shape, row.axes, row.size, row.stride, row.dilation);
    });
  }
}

void add_gathers(Table& table) {
  const auto rows = [&](const Shape& shape, const Input& indices, int axis) {
    table.add(kind_of(shape), {number(shape), indices},
              [axis](const Tensors& x) { return Tensors{gather(x[0], x[1], axis)}; });
  };
  rows({1}, index({}, {0}), 0);
  rows({7}, index({4}, {6, 0, 3, 3}), 0);
  rows({3, 5}, index({0}, {}), 0);
  rows({3, 5}, index({2, 2}, {2, 0, 1, 2}), 0);
  rows({3, 5}, index({3}, {4, 4, 0}), 1);
  rows({2, 4, 3}, index({2}, {3, 1}), 1);
  rows({2, 4, 3}, index({}, {2}), -1);
  rows({3, 0}, index({2}, {1, 1}), 0);
  if (table.large()) rows({33, 17, 5}, index({7}, {32, 1, 1, 0, 20, 5, 31}), 0);
}

void add_scatters(Table& table) {
  const auto rows = [&](const Shape& base, const Input& indices, const Shape& updates, int axis) {
    const std::vector<Input> inputs{number(base), indices, number(updates)};
    if (table.dtype() != DType::boolean)
      table.add(kind_of(base), inputs,
                [axis](const Tensors& x) { return Tensors{scatter_add(x[0], x[1], x[2], axis)}; });
    std::vector<std::int32_t> sorted = indices.indices;
    std::sort(sorted.begin(), sorted.end());
    if (std::adjacent_find(sorted.begin(), sorted.end()) == sorted.end())
      table.add(kind_of(base), inputs,
                [axis](const Tensors& x) { return Tensors{scatter_set(x[0], x[1], x[2], axis)}; });
  };
  rows({1}, index({}, {0}), {}, 0);
  rows({0, 3}, index({0}, {}), {0, 3}, 0);
  rows({7}, index({4}, {6, 0, 3, 3}), {4}, 0);
  rows({7}, index({3}, {6, 0, 3}), {3}, 0);
  rows({3, 5}, index({2, 2}, {2, 0, 2, 2}), {2, 2, 5}, 0);
  rows({3, 5}, index({2}, {4, 1}), {3, 2}, 1);
  rows({2, 4, 3}, index({2}, {3, 1}), {2, 2, 3}, 1);
  if (table.large()) rows({33, 40}, index({7}, {32, 1, 1, 0, 20, 5, 31}), {7, 40}, 0);
}

void add_slice_updates(Table& table) {
  const auto at = [&](const Shape& shape, const Shape& update, const Extents& start) {
    table.add(kind_of(shape), {number(shape), number(update)},
              [start](const Tensors& x) { return Tensors{slice_update(x[0], x[1], start)}; });
  };
  at({}, {}, {});
  at({1}, {1}, {0});
  at({3, 5}, {0, 5}, {1, 0});
  at({7}, {3}, {2});
  at({3, 5}, {2, 2}, {1, 3});
  at({2, 4, 3}, {2, 1, 2}, {0, 3, 1});
  at({0, 3}, {0, 3}, {0, 0});
  const Build moving = [](const Tensors& x) {
    return Tensors{dynamic_slice_update(x[0], x[1], x[2])};
  };
  table.add("odd", {number({3, 5}), number({2, 2}), index({2}, {1, 2})}, moving);
  table.add("odd", {number({3, 5}), number({2, 2}), index({2}, {-3, 9})}, moving);
  if (table.large()) at({33, 40}, {17, 9}, {4, 31});
}

void add_matmuls(Table& table) {
  const auto product = [&](const Shape& a, const Shape& b) {
    table.add(kind_of(a), {number(a, -1, 1), number(b, -1, 1)},
              [](const Tensors& x) { return Tensors{matmul(x[0], x[1])}; });
  };
  product({1}, {1});
  product({1, 1}, {1, 1});
  product({0, 3}, {3, 2});
  product({2, 0}, {0, 3});
  product({3}, {3, 2});
  product({2, 3}, {3});
  product({3, 5}, {5, 2});
  product({1, 5}, {5, 3});
  product({2, 3, 4}, {2, 4, 2});
  product({2, 1, 3, 2}, {3, 2, 2});
  for (const bool ta : {false, true})
    for (const bool tb : {false, true}) {
      const Shape a = ta ? Shape{2, 4, 3} : Shape{2, 3, 4};
      const Shape b = tb ? Shape{2, 5, 4} : Shape{2, 4, 5};
      table.add("odd", {number(a, -1, 1), number(b, -1, 1)}, [ta, tb](const Tensors& x) {
        return Tensors{matmul(ta ? transpose(x[0]) : x[0], tb ? transpose(x[1]) : x[1])};
      });
    }
  if (!table.large()) return;
  product({33, 100}, {100, 17});
  product({65, 300}, {300, 131});
  product({1, 257}, {257, 129});
  product({129, 257}, {257, 1});
  product({5, 17, 33}, {5, 33, 7});
}

struct ConvRow {
  Shape x, weight;
  ConvOptions options;
};

std::vector<ConvRow> conv_rows(bool large) {
  std::vector<ConvRow> rows{
      {{1, 1, 1}, {1, 1, 1}, {}},
      {{0, 2, 5}, {3, 2, 3}, {}},
      {{2, 3, 7}, {4, 3, 3}, {.stride = {2}, .pad_lo = {1}}},
      {{1, 4, 6}, {6, 2, 2}, {.dilation = {2}, .groups = 2}},
      {{2, 2, 5, 4}, {3, 2, 3, 2}, {.pad_lo = {1, 0}, .pad_hi = {1, 2}}},
      {{1, 3, 5, 6}, {2, 3, 3, 3}, {.stride = {2, 1}, .pad_lo = {1}, .dilation = {1, 2}}},
      {{2, 4, 4, 4}, {4, 1, 3, 3}, {.pad_lo = {1}, .groups = 4}},
      {{2, 4, 3, 3}, {5, 4, 1, 1}, {}},
      {{1, 2, 3, 4, 3}, {2, 2, 2, 2, 2}, {.stride = {1, 2, 1}, .pad_lo = {0, 1, 0}}},
  };
  if (large) {
    rows.push_back({{3, 5, 17, 15}, {7, 5, 3, 3}, {.stride = {2}, .pad_lo = {1}}});
    rows.push_back({{2, 16, 14, 14}, {32, 16, 5, 5}, {.pad_lo = {2}}});
    rows.push_back({{2, 1, 28, 28}, {33, 1, 4, 4}, {.stride = {2}, .pad_lo = {1}}});
    rows.push_back({{3, 8, 33}, {8, 4, 3}, {.pad_lo = {1}, .groups = 2}});
  }
  return rows;
}

void add_convs(Table& table) {
  for (const ConvRow& row : conv_rows(table.large())) {
    const Tensor like = conv(zeros(row.x), zeros(row.weight), row.options);
    const ConvAttrs out = like.node()->attrs<ConvAttrs>();
    const Shape y = like.shape();
    const auto role = [&](ConvAttrs::Role which, const Shape& first, const Shape& second,
                          const Shape& result) {
      table.add(kind_of(first), {number(first, -1, 1), number(second, -1, 1)},
                [=](const Tensors& x) {
                  ConvAttrs attrs = out;
                  attrs.role = which;
                  return Tensors{make_node(Op::Conv, {x[0], x[1]}, x[0].dtype(), result, attrs)};
                });
    };
    role(ConvAttrs::out, row.x, row.weight, y);
    role(ConvAttrs::grad_input, y, row.weight, row.x);
    role(ConvAttrs::grad_weight, row.x, y, row.weight);
  }
}

std::vector<Shape> matrix_shapes(bool large) {
  std::vector<Shape> shapes{{1, 1}, {0, 0}, {0, 2, 2}, {2, 2},
                            {3, 3}, {5, 5}, {2, 3, 3}, {2, 1, 2, 2}};
  if (large) shapes.insert(shapes.end(), {Shape{33, 33}, Shape{3, 17, 17}});
  return shapes;
}

void add_solves(Table& table) {
  for (const Shape& a : matrix_shapes(table.large()))
    for (const std::int64_t columns : {std::int64_t{1}, std::int64_t{3}})
      for (int bits = 0; bits < 8; ++bits) {
        const TriangularOptions options{.lower = (bits & 1) != 0,
                                        .transpose = (bits & 2) != 0,
                                        .unit_diagonal = (bits & 4) != 0};
        const Shape b = a.with(a.rank() - 1, columns);
        Input first = matrix(a, 3);
        if (a[a.rank() - 1] > 8)
          first.low = -0.1, first.high = 0.1;  // unit triangles grow exponentially otherwise
        table.add(
            kind_of(a), {first, number(b)},
            [options](const Tensors& x) { return Tensors{solve_triangular(x[0], x[1], options)}; },
            false);
      }
}

}  // namespace

void add_reductions(Table& table) {
  const auto numeric = [](DType dtype) { return dtype != DType::boolean; };
  switch (table.op()) {
    case Op::ReduceSum:
      return add_reduce(table, numeric, [](const Tensor& x, const Axes& axes, bool keep) {
        return sum(x, axes, keep);
      });
    case Op::ReduceMax:
      return add_reduce(table, numeric, [](const Tensor& x, const Axes& axes, bool keep) {
        return max(x, axes, keep);
      });
    case Op::Scan:
      return add_scan(table);
    case Op::ArgMax:
    case Op::ArgSort:
      return add_index_of(table);
    default:
      return;  // no generator: the suites report it
  }
}

void add_movement(Table& table) {
  switch (table.op()) {
    case Op::Reshape:
      return add_reshapes(table);
    case Op::Permute:
      return add_permutes(table);
    case Op::Broadcast:
      return add_broadcasts(table);
    case Op::Slice:
      return add_slices(table);
    case Op::Pad:
      return add_pads(table);
    case Op::Concat:
      return add_concats(table);
    case Op::Window:
    case Op::Fold:
      return add_windows(table);
    default:
      return;
  }
}

void add_index(Table& table) {
  switch (table.op()) {
    case Op::Gather:
      return add_gathers(table);
    case Op::ScatterAdd:
      return add_scatters(table);
    case Op::SliceUpdate:
      return add_slice_updates(table);
    default:
      return;
  }
}

void add_contractions(Table& table) {
  if (!is_floating(table.dtype())) return;
  if (table.op() == Op::MatMul) add_matmuls(table);
  if (table.op() == Op::Conv) add_convs(table);
}

void add_linear_algebra(Table& table) {
  if (table.dtype() != DType::f32 && table.dtype() != DType::f64) return;
  if (table.op() == Op::TriSolve) return add_solves(table);
  for (const Shape& shape : matrix_shapes(table.large())) {
    if (table.op() == Op::LU)
      for (const int turn : {0, 1})
        table.add(
            kind_of(shape), {matrix(shape, 3, turn)},
            [](const Tensors& x) {
              const auto [packed, permutation] = lu(x[0]);
              return Tensors{packed, permutation};
            },
            false);
    if (table.op() == Op::Cholesky)
      table.add(
          kind_of(shape), {matrix(shape, static_cast<double>(shape[shape.rank() - 1]) + 1)},
          [](const Tensors& x) { return Tensors{cholesky(x[0])}; }, false);
  }
}

void add_structure(Table& table) {
  for (const Shape& shape : {Shape{}, Shape{0}, Shape{1}, Shape{7}, Shape{3, 5}, Shape{33, 20}}) {
    if (shape.elements() > 500 && !table.large()) continue;
    if (table.op() == Op::Barrier) {
      one(table, shape, [](const Tensor& x) { return barrier(x); });
      table.add(kind_of(shape), {number(shape), number({2})},
                [](const Tensors& x) { return Tensors{barrier(x[0], x[1])}; });
    }
    if (table.op() != Op::Call || !is_floating(table.dtype())) continue;
    const TensorFunction body = [](const Tensors& x) {
      const Tensor product = multiply(x[0], x[1]);
      return Tensors{multiply(sin(product), x[0]), add(product, full_like(product, 0.5))};
    };
    table.add(kind_of(shape), {number(shape), number(shape)},
              [body](const Tensors& x) { return call("twisted_product", body, x); });
    table.add(kind_of(shape), {number(shape), number(shape)},
              [body](const Tensors& x) { return checkpoint(body, x); });
  }
}

}  // namespace genera::cases
