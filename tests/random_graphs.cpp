#include "tests/random_graphs.h"

#include <genera/autodiff.h>
#include <genera/functions.h>
#include <genera/random.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>
#include <string_view>

#include "backends/reference/arithmetic.h"

namespace genera::random_graphs {
namespace {

constexpr double never = std::numeric_limits<double>::infinity();
constexpr double epsilon = 0x1p-22;

class Dice {
 public:
  explicit Dice(std::uint64_t seed) : state_((seed + 1) * 0xd1b54a32d192ed03u) {}
  std::uint64_t bits() {
    state_ += 0x9e3779b97f4a7c15u;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  std::int64_t below(std::int64_t n) {
    return static_cast<std::int64_t>(bits() % static_cast<std::uint64_t>(n));
  }
  double uniform(double low, double high) {
    return low + (high - low) * (static_cast<double>(bits() >> 11) * 0x1p-53);
  }
  bool chance(int one_in) { return below(one_in) == 0; }

 private:
  std::uint64_t state_;
};

/// A unary row of the table (primitives.def), with what it makes of numbers between low and high.
struct UnaryRow {
  Tensor (*function)(const Tensor&);
  double low, high;
  double bound;  ///< on the results
  double slope;  ///< by how much it may enlarge a difference; infinite where it has steps
  bool exact;    ///< it rounds nothing
};

UnaryRow measured(UnaryRow row, double (*meaning)(double)) {
  constexpr int steps = 1000;
  constexpr double margin = 1.1;  // for what lies between the points
  const double step = (row.high - row.low) / steps;
  for (int i = 0; i < steps; ++i) {
    const double x = row.low + i * step, here = meaning(x), next = meaning(x + step);
    row.bound = std::max(row.bound, margin * std::max(std::abs(here), std::abs(next)));
    row.slope = std::max(row.slope, margin * std::abs(next - here) / step);
  }
  return row;
}

const std::vector<UnaryRow>& unary_rows() {
  using namespace reference;  // for the expressions of the table
  static const std::vector<UnaryRow> rows = {
#define GENERA_UNARY(Name, function, types, reference, glsl, gradient, cost, ulp, low, high)      \
  measured({&genera::function, low, high, 0, std::string_view(#gradient) == "none()" ? never : 0, \
            ulp == 0},                                                                            \
           [](double x) -> double { return reference; }),
#include "engine/graph/primitives.def"
  };
  return rows;
}

/// A tensor with a bound on its values and on what rounding did to them.
struct Item {
  Tensor value;
  double bound = 1;
  double error = 0;
};

class Builder {
 public:
  explicit Builder(const Recipe& recipe)
      : dice_(recipe.seed), recipe_(recipe), large_(recipe.seed % 50 == 7) {}

  Graph build() {
    const std::int64_t leaves = 2 + dice_.below(3);
    for (std::int64_t i = 0; i < leaves; ++i) add_leaf(shape());
    for (const Item& leaf : pool_) leaves_.push_back(leaf.value);
    const std::int64_t count = 3 + dice_.below(large_ ? 12 : 30);
    for (std::int64_t i = 0; i < count && i < recipe_.operations; ++i) add_operation();
    return choose();
  }

 private:
  std::int64_t extent() {
    static constexpr std::int64_t extents[] = {1, 2, 3, 5, 7, 17, 33, 100};
    return extents[dice_.below(large_ ? 8 : 6)];
  }
  Shape shape() {
    std::vector<std::int64_t> extents(static_cast<std::size_t>(dice_.below(4)));
    for (std::int64_t& e : extents) e = extent();
    if (large_ && extents.size() < 2) extents = {100, 33, 17};
    return Shape(std::span<const std::int64_t>(extents));
  }
  Tensor floats(const Shape& shape) {
    std::vector<float> values(static_cast<std::size_t>(shape.elements()));
    for (float& value : values) value = static_cast<float>(dice_.uniform(-2, 2));
    return Tensor::from(values, shape);
  }
  Tensor indices(const Shape& shape, std::int64_t extent) {
    std::vector<std::int32_t> values(static_cast<std::size_t>(shape.elements()));
    for (std::int32_t& value : values) value = static_cast<std::int32_t>(dice_.below(extent));
    return Tensor::from(values, shape);
  }
  void add_leaf(const Shape& shape) { pool_.push_back({floats(shape), 2, 0}); }

  void push(const Tensor& value, double bound, double error) {
    if (value.elements() > (large_ ? 200000 : 4000) || value.rank() > 6) return;
    pool_.push_back({value, bound, error + (error == 0 ? 0 : epsilon * bound)});
  }
  void push_rounded(const Tensor& value, double bound, double error) {
    push(value, bound, error + epsilon * bound);
  }

  /// Some float of the pool, brought back to a moderate range when it left it.
  Item pick() {
    for (int tries = 0; tries < 40; ++tries) {
      Item item = pool_[static_cast<std::size_t>(
          dice_.chance(2) ? dice_.below(static_cast<std::int64_t>(pool_.size()))
                          : static_cast<std::int64_t>(pool_.size()) - 1 -
                                dice_.below(std::min<std::int64_t>(
                                    4, static_cast<std::int64_t>(pool_.size()))))];
      if (item.value.dtype() != DType::f32) continue;
      if (item.bound > 20) return {tanh(item.value), 1, item.error + epsilon};
      return item;
    }
    return {leaves_[0], 2, 0};
  }
  Item pick_of(DType dtype) {
    std::vector<std::size_t> found;
    for (std::size_t i = 0; i < pool_.size(); ++i)
      if (pool_[i].value.dtype() == dtype) found.push_back(i);
    if (!found.empty() && !dice_.chance(4))
      return pool_[found[static_cast<std::size_t>(
          dice_.below(static_cast<std::int64_t>(found.size())))]];
    const Item x = pick();
    if (dtype == DType::boolean)
      return {less(x.value, full_like(x.value, 0.25)), 1, x.error == 0 ? 0 : never};
    return {cast(floor(x.value * 3.0), DType::i32), 3 * x.bound + 1, x.error == 0 ? 0 : never};
  }
  /// Another float whose shape broadcasts with x's; x itself if need be.
  Item partner(const Item& x) {
    for (int tries = 0; tries < 6; ++tries) {
      const Item y = pick();
      bool fits = true;
      for (int d = 1; d <= std::min(x.value.rank(), y.value.rank()); ++d) {
        const std::int64_t a = x.value.size(-d), b = y.value.size(-d);
        fits = fits && (a == b || a == 1 || b == 1);
      }
      if (fits) return y;
    }
    if (dice_.chance(3)) {
      Shape part = x.value.shape();
      for (int d = 0; d < part.rank(); ++d)
        if (dice_.chance(2)) part = part.with(d, 1);
      return {floats(part), 2, 0};
    }
    return x;
  }
  int axis(const Tensor& x) { return static_cast<int>(dice_.below(x.rank())); }

  void add_operation() {
    switch (dice_.below(12)) {
      case 0:
      case 1:
      case 2:
        return add_unary();
      case 3:
      case 4:
        return add_binary();
      case 5:
      case 6:
        return add_movement();
      case 7:
        return add_reduction();
      case 8:
        return add_pattern();
      case 9:
        return add_contraction();
      case 10:
        return add_integers();
      default:
        return add_index();
    }
  }

  void add_unary() {
    const Item x = pick();
    const auto choice = static_cast<std::size_t>(dice_.below(std::ssize(unary_rows()) + 1));
    if (choice == unary_rows().size())
      return push_rounded(x.value * 0.7 - 0.3, x.bound, x.error + epsilon * x.bound);
    const UnaryRow& row = unary_rows()[choice];
    const Item argument =
        x.bound <= std::min(-row.low, row.high) ? x : squeezed(x, row.low, row.high);
    const double error = argument.error == 0 ? 0 : row.slope * argument.error;
    if (row.exact) return push(row.function(argument.value), row.bound, error);
    push_rounded(row.function(argument.value), row.bound, error);
  }
  /// x brought between low and high.
  static Item squeezed(const Item& x, double low, double high) {
    const double middle = (low + high) / 2, reach = (high - low) / 2, bound = std::max(-low, high);
    return {tanh(x.value) * reach + middle, bound, reach * x.error + 3 * epsilon * bound};
  }

  void add_binary() {
    const Item x = pick(), y = partner(x);
    const double error = x.error + y.error;
    switch (dice_.below(7)) {
      case 0:
        return push_rounded(x.value + y.value, x.bound + y.bound, error);
      case 1:
        return push_rounded(x.value - y.value, x.bound + y.bound, error);
      case 2:
        return push_rounded(x.value * y.value, x.bound * y.bound,
                            x.error * y.bound + y.error * x.bound);
      case 3: {
        const double below = y.bound * y.bound + 0.5;
        return push_rounded(
            x.value / (y.value * y.value + 0.5), 2 * x.bound,
            2 * x.error + 4 * x.bound * (2 * y.bound * y.error + 2 * epsilon * below));
      }
      case 4:
        return push(dice_.chance(2) ? maximum(x.value, y.value) : minimum(x.value, y.value),
                    std::max(x.bound, y.bound), error);
      case 5:
        return push_rounded(fma(x.value, y.value, x.value), x.bound * (y.bound + 1),
                            x.error * (y.bound + 1) + y.error * x.bound);
      default: {
        const bool exact = x.error == 0 && y.error == 0;
        const Tensor condition = dice_.chance(2) ? less(x.value, y.value) : equal(x.value, y.value);
        push(condition, 1, exact ? 0 : never);
        return push(where(condition, y.value, x.value * 1.0), std::max(x.bound, y.bound),
                    exact ? 0 : never);
      }
    }
  }

  void add_movement() {
    Item x = pick();
    if (dice_.chance(6)) x = pick_of(dice_.chance(2) ? DType::i32 : DType::boolean);
    const Tensor moved = this->moved(x.value);
    push(moved, x.bound, x.error);
  }

  Tensor moved(const Tensor& x) {
    const int rank = x.rank();
    const auto n = static_cast<std::size_t>(rank);
    std::vector<std::int64_t> a(n), b(n), c(n);
    switch (dice_.below(9)) {
      case 0:
        return reshape(x, {-1});
      case 1: {
        if (rank == 0) return reshape(x, {1, 1});
        std::vector<std::int64_t> extents(x.shape().begin(), x.shape().end());
        const auto at = static_cast<std::size_t>(axis(x));
        for (const std::int64_t factor : {2, 3, 5, 7, 17})
          if (extents[at] % factor == 0 && extents[at] > factor) {
            extents[at] /= factor;
            extents.insert(extents.begin() + static_cast<std::ptrdiff_t>(at), factor);
            break;
          }
        return reshape(x, extents);
      }
      case 2: {
        Axes axes(n);
        std::iota(axes.begin(), axes.end(), 0);
        for (std::size_t i = n; i > 1; --i)
          std::swap(axes[i - 1],
                    axes[static_cast<std::size_t>(dice_.below(static_cast<std::int64_t>(i)))]);
        return permute(x, axes);
      }
      case 3: {
        std::vector<std::int64_t> extents(n);
        for (std::size_t d = 0; d < n; ++d) {
          const std::int64_t full = x.shape()[static_cast<int>(d)];
          c[d] = dice_.chance(3) ? -1 - dice_.below(2) : 1 + dice_.below(2);
          const std::int64_t step = std::abs(c[d]);
          extents[d] = full == 0 ? 0 : 1 + dice_.below((full - 1) / step + 1);
          const std::int64_t reach = extents[d] == 0 ? 0 : (extents[d] - 1) * step;
          const std::int64_t slack = full == 0 ? 0 : dice_.below(full - reach);
          a[d] = c[d] < 0 ? slack + reach : slack;
        }
        return strided_slice(x, a, Shape(std::span<const std::int64_t>(extents)), c);
      }
      case 4:
        for (std::size_t d = 0; d < n; ++d) {
          a[d] = dice_.below(3);
          b[d] = dice_.below(2);
          c[d] = dice_.chance(3) ? 1 : 0;
        }
        return pad(x, a, b, c);
      case 5: {
        if (rank == 0) return stack({x, x});
        const int along = axis(x);
        return concat({x, slice(x, along, 0, (x.shape()[along] + 1) / 2), x}, along);
      }
      case 6:
        return broadcast_to(unsqueeze(x, 0), [&] {
          std::vector<std::int64_t> extents{dice_.below(4) + 1};
          extents.insert(extents.end(), x.shape().begin(), x.shape().end());
          return Shape(std::span<const std::int64_t>(extents));
        }());
      case 7:
        return rank == 0 ? x : flip(x, {axis(x)});
      default: {
        if (rank == 0) return barrier(x);
        const int along = axis(x);
        const std::int64_t size =
            1 + dice_.below(std::min<std::int64_t>(3, std::max<std::int64_t>(1, x.shape()[along])));
        if (size > x.shape()[along]) return x;
        return window(x, {along}, {size}, {1 + dice_.below(2)});
      }
    }
  }

  void add_reduction() {
    const Item x = pick();
    if (x.value.rank() == 0) return push_rounded(x.value * 2.0, 2 * x.bound, 2 * x.error);
    Axes axes;
    double n = 1;
    for (int d = 0; d < x.value.rank(); ++d)
      if (dice_.chance(2)) {
        axes.push_back(d);
        n *= static_cast<double>(x.value.shape()[d]);
      }
    const bool keep = dice_.chance(2);
    const int along = axis(x.value);
    const auto length = static_cast<double>(x.value.shape()[along]);
    const bool reverse = dice_.chance(2);
    switch (dice_.below(7)) {
      case 0:
        return push_rounded(sum(x.value, axes, keep), n * x.bound,
                            n * (x.error + epsilon * x.bound));
      case 1:
        return push_rounded(mean(x.value, axes, keep), x.bound, x.error + n * epsilon * x.bound);
      case 2:
        return push(max(x.value, axes, keep), x.bound, x.error);
      case 3:
        return push_rounded(cumsum(x.value, along, reverse), length * x.bound,
                            length * (x.error + length * epsilon * x.bound));
      case 4:
        return push(cummax(x.value, along, reverse), x.bound, x.error);
      case 5:
        return push_rounded(logcumsumexp(x.value, along, reverse), x.bound + std::log(length),
                            2 * x.error + length * epsilon * (x.bound + 8));
      default:
        return push(argmax(x.value, along), length, x.error == 0 ? 0 : never);
    }
  }

  /// What real models do over one axis.
  void add_pattern() {
    const Item x = pick();
    if (x.value.rank() == 0) return push_rounded(exp(tanh(x.value)), 3, 3 * x.error + epsilon);
    const int along = axis(x.value);
    const auto n = static_cast<double>(x.value.shape()[along]);
    const double error = 2 * x.error + (n + 4) * epsilon * (x.bound + 1);
    switch (dice_.below(5)) {
      case 0:
        return push_rounded(softmax(x.value, along), 1, error);
      case 1:
        return push_rounded(log_softmax(x.value, along), 2 * x.bound + std::log(n), 2 * error);
      case 2:
        return push_rounded(logsumexp(x.value, {along}), x.bound + std::log(n), error);
      case 3: {
        const Tensor centred = x.value - mean(x.value, {along}, true);
        const Tensor scaled = centred / sqrt(mean(centred * centred, {along}, true) + 0.5);
        return push_rounded(scaled, 4 * x.bound, (8 + 16 * x.bound * x.bound) * error);
      }
      default: {
        const Key key(static_cast<std::uint64_t>(dice_.below(1000)));
        return push_rounded(x.value + random_uniform(key, x.value.shape()), x.bound + 1, x.error);
      }
    }
  }

  void add_contraction() {
    const Item x = pick();
    const std::int64_t last = x.value.rank() == 0 ? 1 : x.value.size(-1);
    const auto k = static_cast<double>(last);
    if (dice_.chance(3)) {  // convolution over the elements as one line, or as a plane
      const bool plane = x.value.rank() >= 2;
      const Tensor image =
          plane ? reshape(x.value, {1, 1, -1, last}) : reshape(x.value, {1, 1, -1});
      const Tensor weight = floats(plane ? Shape{2, 1, 3, 2} : Shape{2, 1, 3});
      const ConvOptions options{.stride = {1 + dice_.below(2)}, .pad_lo = {1 + dice_.below(2)}};
      if (image.size(-1) + 2 < 3) return push_rounded(x.value * 1.5, 1.5 * x.bound, 1.5 * x.error);
      return push_rounded(conv(image, weight, options), 12 * x.bound,
                          12 * (x.error + 8 * epsilon * x.bound));
    }
    const Tensor rows =
        dice_.chance(2) && x.value.rank() >= 2 ? x.value : reshape(x.value, {-1, last});
    const double error = k * (2 * x.error + k * 2 * epsilon * x.bound);
    if (dice_.chance(3) && rows.size(-2) <= 100)
      return push_rounded(matmul(rows, transpose(rows)), k * x.bound * x.bound, error * x.bound);
    const bool turned = dice_.chance(2);
    const std::int64_t columns = extent();
    const Tensor weight = floats(turned ? Shape{columns, last} : Shape{last, columns});
    const Tensor product = matmul(rows, turned ? transpose(weight) : weight);
    if (dice_.chance(2)) return push_rounded(product, 2 * k * x.bound, error);
    push_rounded(maximum(product + floats(Shape{columns}), full_like(product, 0)),
                 2 * k * x.bound + 2, error + epsilon);
  }

  void add_integers() {
    const Item x = pick_of(DType::i32);
    const Item c = pick_of(DType::boolean);
    switch (dice_.below(7)) {
      case 0:
        return push(x.value + x.value * 3.0, 4 * x.bound, x.error);
      case 1:
        return push(less(x.value, full_like(x.value, 2)), 1, x.error);
      case 2:
        return push(cast(x.value, DType::f32), x.bound, x.error);
      case 3:
        return push(x.value / 2.0, x.bound, x.error);
      case 4:
        return push(cast(c.value, DType::f32), 1, c.error);
      case 5:
        return push(maximum(c.value, equal(c.value, full_like(c.value, 0))), 1, c.error);
      default:
        return push(where(c.value, full(c.value.shape(), 1.5), full(c.value.shape(), -0.5)), 2,
                    c.error);
    }
  }

  void add_index() {
    const Item x = pick();
    if (x.value.rank() == 0) return push(barrier(x.value), x.bound, x.error);
    const int along = axis(x.value);
    const std::int64_t n = x.value.shape()[along];
    if (n == 0) return;
    const Tensor rows = indices(Shape{1 + dice_.below(4)}, n);
    switch (dice_.below(5)) {
      case 0:
        return push(gather(x.value, rows, along), x.bound, x.error);
      case 1: {
        const Tensor updates = gather(x.value, rows, along);
        return push_rounded(scatter_add(x.value, rows, updates, along), 5 * x.bound, 5 * x.error);
      }
      case 2: {
        const std::int64_t half = (n + 1) / 2;
        std::vector<std::int64_t> start(static_cast<std::size_t>(x.value.rank()));
        start[static_cast<std::size_t>(along)] = n - half;
        return push(slice_update(x.value, slice(x.value, along, 0, half), start), x.bound, x.error);
      }
      case 3: {
        const Tensor order = argsort(x.value, along);
        return push(order, static_cast<double>(n), x.error == 0 ? 0 : never);
      }
      default: {
        const Tensor start = indices(Shape{x.value.rank()}, 4);
        Shape part = x.value.shape();
        part = part.with(along, (n + 1) / 2);
        return push(dynamic_slice(x.value, start, part), x.bound, x.error);
      }
    }
  }

  Graph choose() {
    Graph graph;
    const auto take = [&](std::vector<Tensor>& into, const Item& item) {
      into.push_back(item.value);
    };
    std::vector<double> held_error;
    const std::int64_t roots = 1 + dice_.below(3);
    Tensor loss;
    for (std::int64_t i = 0; i < roots; ++i) {
      const auto n = static_cast<std::int64_t>(pool_.size());
      const Item& item =
          pool_[static_cast<std::size_t>(n - 1 - dice_.below(std::min<std::int64_t>(n, 5)))];
      take(graph.roots, item);
      graph.error.push_back(item.error);
      if (item.value.dtype() == DType::f32)
        loss = loss ? loss + sum(tanh(item.value)) : sum(tanh(item.value));
    }
    if (loss && dice_.chance(3))
      for (const Tensor& g : grad(loss, leaves_).values) {
        graph.roots.push_back(g);
        graph.error.push_back(never);
      }
    const std::int64_t held = dice_.below(3);
    for (std::int64_t i = 0; i < held; ++i) {
      const Item& item =
          pool_[static_cast<std::size_t>(dice_.below(static_cast<std::int64_t>(pool_.size())))];
      take(graph.held, item);
      held_error.push_back(item.error);
    }
    graph.error.insert(graph.error.end(), held_error.begin(), held_error.end());
    return graph;
  }

  Dice dice_;
  Recipe recipe_;
  bool large_;
  std::vector<Item> pool_;
  std::vector<Tensor> leaves_;
};

}  // namespace

Graph build(const Recipe& recipe) { return Builder(recipe).build(); }

}  // namespace genera::random_graphs
