#include "backends/vulkan/print_linear_algebra.h"

#include "engine/graph/attributes.h"

#include <fmt/format.h>


namespace genera::vulkan {
namespace {

constexpr int threads = 64;             // one per row or column
constexpr std::int64_t most = threads;  // 16 KiB of shared memory, which every device has

class MatrixPrinter {
 public:
  MatrixPrinter(const PrimitiveStep& step, std::span<const int> same_memory)
      : step_(step), same_memory_(same_memory), text_(threads) {
    const Shape& shape = step.inputs[0].shape;
    n_ = shape[shape.rank() - 1];
    for (int d = 0; d < shape.rank() - 2; ++d) batches_ *= shape[d];
  }

  std::vector<Dispatch> print() {
    if (n_ > most) return {};
    if (step_.outputs[0].shape.elements() == 0) return {text_.finish(0)};
    switch (step_.op) {
      case Op::LU:
        return {text_.for_each_group(batches_, lu())};
      case Op::Cholesky:
        return {text_.for_each_group(batches_, cholesky())};
      case Op::TriSolve:
        return {tri_solve()};
      default:
        return {};
    }
  }

 private:
  int bind(const PlanOperand& operand, bool reads, bool writes) {
    return text_.bind({same_memory_[static_cast<std::size_t>(operand.buffer)]}, operand.dtype,
                      reads, writes);
  }
  std::string load(std::size_t input, const std::string& index) {
    return text_.load(bind(step_.inputs[input], true, false), index);
  }
  std::string store(std::size_t output, const std::string& index, const std::string& value) {
    return text_.store(bind(step_.outputs[output], false, true), index, value);
  }

  /// `lines` for each element e of a matrix, which lies at `at` in its buffer.
  std::string each_element(const std::string& lines) const {
    return fmt::format("for (int e = lane; e < {0}; e += {1}) {{\nint at = g * {0} + e;\n{2}}}\n",
                       n_ * n_, threads, lines);
  }

  /// Gaussian elimination with partial pivoting, each thread with a column (Golub and Van Loan, Matrix Computations, algorithm 3.4.1). a[i * n + j].
  std::string lu() {
    text_.declarations = fmt::format("shared float a[{}];\n", n_ * n_);
    const int permutation = bind(step_.outputs[1], true, true);
    const auto order = [&](const char* at) { return fmt::format("g * {} + {}", n_, at); };
    std::string body = each_element(fmt::format("a[e] = {};\n", load(0, "at")));
    body += fmt::format("if (lane == 0) for (int i = 0; i < {}; ++i) {}", n_,
                        text_.store(permutation, order("i"), "i"));
    body += fmt::format(
        "barrier();\nfor (int k = 0; k < {0}; ++k) {{\nint pivot = k;\n"
        "float best = abs(a[k * {0} + k]);\nfor (int i = k + 1; i < {0}; ++i) {{\n"
        "float other = abs(a[i * {0} + k]);\n"
        "if (!g_isnan(best) && !g_isnan(other) && other > best) {{ best = other; "
        "pivot = i; }}\n}}\nbarrier();\n",
        n_);
    body += fmt::format(
        "if (pivot != k && lane < {0}) {{\nfloat upper = a[k * {0} + lane];\n"
        "a[k * {0} + lane] = a[pivot * {0} + lane];\na[pivot * {0} + lane] = "
        "upper;\n}}\n",
        n_);
    body +=
        fmt::format("if (pivot != k && lane == 0) {{\nint row = {};\n{}{}}}\nbarrier();\n",
                    text_.load(permutation, order("k")),
                    text_.store(permutation, order("k"), text_.load(permutation, order("pivot"))),
                    text_.store(permutation, order("pivot"), "row"));
    // A column without a pivot stays as it is.
    body += fmt::format(
        "float d = a[k * {0} + k];\nif (d != 0.0 && lane > k && lane < {0}) "
        "a[lane * {0} + k] = g_div(a[lane * {0} + k], d);\nbarrier();\n"
        "if (d != 0.0 && lane > k && lane < {0}) {{\nfloat u = a[k * {0} + lane];\n"
        "for (int i = k + 1; i < {0}; ++i) a[i * {0} + lane] = fma(-a[i * {0} + k], u, a[i * {0} + "
        "lane]);\n}}\nbarrier();\n}}\n",
        n_);
    return body + each_element(store(0, "at", "a[e]"));
  }

  /// Columns of the factor one after the other, each thread with a row of what is left. a[j * n + i], so that neighbours hit different banks.
  std::string cholesky() {
    text_.declarations = fmt::format("shared float a[{}];\n", n_ * n_);
    std::string body =
        each_element(fmt::format("a[e % {0} * {0} + e / {0}] = {1};\n", n_, load(0, "at")));
    body += fmt::format(
        "barrier();\nint failed = {0};\nfor (int k = 0; k < {0}; ++k) {{\n"
        "float d = a[k * {0} + k];\nif (failed == {0} && (g_isnan(d) || !(d > 0.0))) failed = k;\n"
        "float root = g_sqrt(d);\nbarrier();\n"
        "if (lane == k) a[k * {0} + k] = root;\n"
        "if (lane > k && lane < {0}) a[k * {0} + lane] = g_div(a[k * {0} + lane], root);\n"
        "barrier();\nif (lane > k && lane < {0}) {{\nfloat l = a[k * {0} + lane];\n"
        "for (int j = k + 1; j <= lane; ++j) a[j * {0} + lane] = fma(-l, a[k * {0} + j], a[j * "
        "{0} + lane]);\n}}\nbarrier();\n}}\n",
        n_);
    // From the first row without a positive pivot on, the lower triangle is NaN.
    body += each_element(
        fmt::format("int i = e / {0};\nint j = e % {0};\nfloat l = j > i ? 0.0 : i >= failed ? "
                    "uintBitsToFloat(0x7fc00000u) : a[j * {0} + i];\n",
                    n_) +
        store(0, "at", "l"));
    return body;
  }

  /// Up to 64 columns x of op(A) X = B in shared memory: each row that is known goes from all that are not.
  Dispatch tri_solve() {
    const auto& attrs = step_.attr<TriSolveAttrs>();
    const Shape& shape = step_.outputs[0].shape;
    const std::int64_t columns = shape[shape.rank() - 1];
    std::int64_t width = 1;  // columns of a workgroup; the rest of its threads share rows
    while (width < columns && width < threads) width *= 2;
    const std::int64_t parts = (columns + width - 1) / width, rows = threads / width;
    text_.declarations = fmt::format("shared float x[{}];\n", n_ * width);
    const bool forward = (attrs.lower != 0) != (attrs.transpose != 0);
    const auto factor = [&](const char* i, const char* k) {
      return load(0, fmt::format("(g / {} * {} + {}) * {} + {}", parts, n_, attrs.transpose ? k : i,
                                 n_, attrs.transpose ? i : k));
    };
    const std::string where = fmt::format("(g / {} * {} + i) * {} + column", parts, n_, columns);
    std::string body =
        fmt::format("int j = lane % {0};\nint column = g % {1} * {0} + j;\n", width, parts);
    body += fmt::format(
        "for (int i = lane / {0}; i < {1}; i += {2}) x[i * {0} + j] = column < {3} ? "
        "{4} : 0.0;\n",
        width, n_, rows, columns, load(1, where));
    body += fmt::format("barrier();\nfor (int step = 0; step < {0}; ++step) {{\nint k = {1};\n", n_,
                        forward ? "step" : fmt::format("{} - step", n_ - 1));
    if (!attrs.unit_diagonal)
      body +=
          fmt::format("if (lane < {0}) x[k * {0} + j] = g_div(x[k * {0} + j], {1});\nbarrier();\n",
                      width, factor("k", "k"));
    body += fmt::format(
        "for (int r = step + 1 + lane / {0}; r < {1}; r += {2}) {{\nint i = {3};\n"
        "x[i * {0} + j] = fma(-{4}, x[k * {0} + j], x[i * {0} + j]);\n}}\n"
        "barrier();\n}}\n",
        width, n_, rows, forward ? "r" : fmt::format("{} - r", n_ - 1), factor("i", "k"));
    body +=
        fmt::format("for (int i = lane / {0}; i < {1}; i += {2}) if (column < {3}) {{\n{4}}}\n",
                    width, n_, rows, columns, store(0, where, fmt::format("x[i * {} + j]", width)));
    return text_.for_each_group(batches_ * parts, body);
  }

  const PrimitiveStep& step_;
  std::span<const int> same_memory_;
  ShaderText text_;
  std::int64_t n_ = 0, batches_ = 1;
};

}  // namespace

std::vector<Dispatch> print_linear_algebra(const PrimitiveStep& step,
                                           std::span<const int> same_memory) {
  if (step.op != Op::LU && step.op != Op::Cholesky && step.op != Op::TriSolve) return {};
  return MatrixPrinter(step, same_memory).print();
}

}  // namespace genera::vulkan
