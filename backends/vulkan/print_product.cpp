#include "backends/vulkan/print_product.h"

#include <genera/error.h>

#include "backends/vulkan/loop_space.h"
#include "backends/vulkan/print_instruction.h"
#include "backends/vulkan/product_loaders.h"

#include <fmt/format.h>

#include <algorithm>

namespace genera::vulkan {
namespace {

constexpr int threads = 64;  // a grid of 8 x 8, each with some rows and columns of the tile
constexpr int grid = 8;
constexpr int depth = 16;  // of the operands' parts in shared memory: 8 KiB for the largest tile

/// How the work is cut; a function of the shape alone.
struct Cut {
  int rows, columns;  ///< of one thread
  std::int64_t row_tiles, column_tiles;
  std::int64_t chunks, chunk;  ///< of k
  int tile_rows() const { return grid * rows; }
  int tile_columns() const { return grid * columns; }
};

std::int64_t chunk_count(const Product& p) {
  constexpr std::int64_t few = 128 * 128, long_k = 4096, most = 64;
  if (p.batch * p.m * p.n > few || p.k < long_k) return 1;
  return std::min(most, p.k / 1024);
}

Cut cut_of(const Product& p) {
  constexpr std::int64_t enough_tiles = 32;
  const bool small = p.batch * ((p.m + 63) / 64) * ((p.n + 63) / 64) < enough_tiles;
  const auto per_thread = [&](std::int64_t extent) {
    return extent <= 8 ? 1 : extent <= 32 || small ? 4 : 8;
  };
  Cut cut{};
  cut.rows = per_thread(p.m);
  cut.columns = per_thread(p.n);
  cut.row_tiles = (p.m + cut.tile_rows() - 1) / cut.tile_rows();
  cut.column_tiles = (p.n + cut.tile_columns() - 1) / cut.tile_columns();
  cut.chunks = chunk_count(p);
  cut.chunk = ((p.k + cut.chunks - 1) / cut.chunks + depth - 1) / depth * depth;
  return cut;
}

void check_size(const PrimitiveStep& step) {
  constexpr std::int64_t most = std::int64_t{1} << 30;
  for (const auto* list : {&step.inputs, &step.outputs})
    for (const PlanOperand& operand : *list)
      if (operand.shape.elements() > most)
        throw DeviceError(fmt::format("[vulkan] {} of {}: a tensor may have 2^30 elements",
                                      name(step.op), to_string(operand.shape)));
}

class ProductPrinter {
 public:
  ProductPrinter(const PlanStep& step, std::span<const int> same_memory)
      : step_(step), same_memory_(same_memory), type_(lane_name(step.primitive.outputs[0].dtype)) {
    check_size(step.primitive);
  }

  std::vector<Dispatch> print() {
    ShaderText text(threads);
    const Product p = product_of(step_.primitive, text, same_memory_);
    const Cut cut = cut_of(p);
    const std::int64_t tiles = p.batch * cut.row_tiles * cut.column_tiles * cut.chunks;
    text.declarations = fmt::format(
        "shared {0} sa[{1}];\nshared {0} sb[{2}];\n"
        "{0} load_a(int g, int m, int k) {{\n{3}\n}}\n{0} load_b(int g, int k, int n) "
        "{{\n{4}\n}}\n",
        type_, depth * cut.tile_rows(), depth * cut.tile_columns(), typed(p.load_a),
        typed(p.load_b));
    std::string body = tile_position(p, cut) + accumulators(cut) + inner_loop(p, cut);
    body += results(p, cut, text);
    text.body = fmt::format(
        "int lane = int(gl_LocalInvocationIndex);\nint x = lane % {0};\nint y = lane / {0};\n"
        "for (int tile = int(gl_WorkGroupID.x); tile < {1}; tile += int(gl_NumWorkGroups.x)) "
        "{{\n{2}}}\n",
        grid, tiles, body);
    std::vector<Dispatch> result{text.finish(tiles)};
    if (cut.chunks > 1) result.push_back(totals(p, cut));
    return result;
  }

 private:
  /// Loaders say "return 0.0" for what lies outside.
  std::string typed(std::string loader) const {
    const std::string zero = "return 0.0;";
    const std::string typed_zero = fmt::format("return {}(0);", type_);
    for (std::size_t at = loader.find(zero); at != std::string::npos;
         at = loader.find(zero, at + 1))
      loader.replace(at, zero.size(), typed_zero);
    return loader;
  }

  std::string tile_position(const Product& p, const Cut& cut) const {
    return fmt::format(
        "int chunk = tile % {0};\nint n0 = tile / {0} % {1} * {2};\nint m0 = tile / {3} % {4} * "
        "{5};\nint g = tile / {6};\nint k_begin = chunk * {7};\nint k_end = min({8}, k_begin + "
        "{7});\n",
        cut.chunks, cut.column_tiles, cut.tile_columns(), cut.chunks * cut.column_tiles,
        cut.row_tiles, cut.tile_rows(), cut.chunks * cut.column_tiles * cut.row_tiles, cut.chunk,
        p.k);
  }

  std::string accumulators(const Cut& cut) const {
    std::string text;
    for (int r = 0; r < cut.rows; ++r)
      for (int c = 0; c < cut.columns; ++c)
        text += fmt::format("{0} c{1}_{2} = {0}(0);\n", type_, r, c);
    return text;
  }

  /// Loads parts of both operands into shared memory, multiplies them, and so on along k.
  std::string inner_loop(const Product& p, const Cut& cut) const {
    std::string text = fmt::format(
        "for (int k0 = k_begin; k0 < k_end; k0 += {0}) {{\nbarrier();\n"
        "for (int e = lane; e < {1}; e += {2}) {{\nint m = m0 + e / {0}, k = k0 + e % {0};\n"
        "sa[e % {0} * {3} + e / {0}] = m < {4} && k < k_end ? load_a(g, m, k) : {5}(0);\n}}\n",
        depth, depth * cut.tile_rows(), threads, cut.tile_rows(), p.m, type_);
    text += fmt::format(
        "for (int e = lane; e < {0}; e += {1}) {{\nint n = n0 + e % {2}, k = k0 + e / {2};\n"
        "sb[e] = n < {3} && k < k_end ? load_b(g, k, n) : {4}(0);\n}}\nbarrier();\n",
        depth * cut.tile_columns(), threads, cut.tile_columns(), p.n, type_);
    text += fmt::format("for (int q = 0; q < {}; ++q) {{\n", depth);
    for (int r = 0; r < cut.rows; ++r)
      text += fmt::format("{} a{} = sa[q * {} + y + {}];\n", type_, r, cut.tile_rows(), r * grid);
    for (int c = 0; c < cut.columns; ++c)
      text +=
          fmt::format("{} b{} = sb[q * {} + x + {}];\n", type_, c, cut.tile_columns(), c * grid);
    const bool floating = type_ == "float";
    for (int r = 0; r < cut.rows; ++r)
      for (int c = 0; c < cut.columns; ++c)
        text += fmt::format(fmt::runtime(floating ? "c{0}_{1} = fma(a{0}, b{1}, c{0}_{1});\n"
                                                  : "c{0}_{1} += a{0} * b{1};\n"),
                            r, c);
    return text + "}\n}\n";
  }

  /// What becomes of each finished element.
  std::string results(const Product& p, const Cut& cut, ShaderText& text) const {
    std::string arguments, lines;
    if (cut.chunks > 1) {
      const int binding = text.bind(partial(p, cut), lane_dtype(), false, true);
      lines = text.store(
          binding, fmt::format("((chunk * {} + g) * {} + m) * {} + n", p.batch, p.m, p.n), "value");
    } else if (step_.kind == PlanStep::Kind::epilogue) {
      lines = epilogue(p, text);
    } else {
      lines = text.store(bind_output(text), p.place, "value");
    }
    text.declarations += fmt::format(
        "void finish(int g, int chunk, int m, int n, {} value) {{\nif (m >= {} || n >= {}) "
        "return;\n{}}}\n",
        type_, p.m, p.n, lines);
    std::string calls;
    for (int r = 0; r < cut.rows; ++r)
      for (int c = 0; c < cut.columns; ++c)
        calls += fmt::format("finish(g, chunk, m0 + y + {}, n0 + x + {}, c{}_{});\n", r * grid,
                             c * grid, r, c);
    return calls;
  }

  int bind_output(ShaderText& text) const {
    const PlanOperand& output = step_.primitive.outputs[0];
    return text.bind({same_memory_[static_cast<std::size_t>(output.buffer)]}, output.dtype, false,
                     true);
  }

  /// The step's kernel at (g, m, n), with `value` for what it loads of the product.
  std::string epilogue(const Product& p, ShaderText& text) const {
    const KernelStep& kernel = step_.kernel;
    const LoopSpace space(kernel, LoopSpace::separate);
    std::string lines = space.assigned(p.loops);
    for (int n = 0; n < static_cast<int>(kernel.kernel.code.size()); ++n) {
      const KernelInstr& instr = kernel.kernel.code[static_cast<std::size_t>(n)];
      const bool product =
          instr.op == KernelOp::Load &&
          kernel.buffers[static_cast<std::size_t>(instr.imm)] == step_.primitive.outputs[0].buffer;
      lines += product ? fmt::format("float v{} = value;\n", n)
                       : print_instruction(kernel, n, text, space, same_memory_);
    }
    for (const KernelStore& store : kernel.kernel.stores)
      lines += text.store(bind_buffer(kernel, store.buffer, text, same_memory_, false, true),
                          space.index(store.view), fmt::format("v{}", store.value));
    return lines;
  }

  DType lane_dtype() const {
    return type_ == "float" ? DType::f32 : type_ == "int" ? DType::i32 : DType::u32;
  }
  static BufferUse partial(const Product& p, const Cut& cut) {
    return {BufferUse::scratch, 0, cut.chunks * p.batch * p.m * p.n * 4};
  }

  /// Adds the chunks' results in order.
  Dispatch totals(const Product& p, const Cut& cut) const {
    ShaderText text(threads);
    const std::int64_t count = p.batch * p.m * p.n;
    const int from = text.bind(partial(p, cut), lane_dtype(), true, false);
    const std::string add =
        fmt::format("{} total = {}(0);\nfor (int c = 0; c < {}; ++c) total = total + {};\n", type_,
                    type_, cut.chunks, text.load(from, fmt::format("c * {} + i", count)));
    const std::string where = fmt::format(
        "int n = i % {0};\nint m = i / {0} % {1};\nint g = i / {2};\n", p.n, p.m, p.n * p.m);
    text.body = fmt::format(
        "for (int i = int(gl_GlobalInvocationID.x); i < {}; i += int(gl_NumWorkGroups.x) * {}) "
        "{{\n{}{}{}}}\n",
        count, threads, add, where, text.store(bind_output(text), p.place, "total"));
    return text.finish((count + threads - 1) / threads);
  }

  const PlanStep& step_;
  std::span<const int> same_memory_;
  std::string type_;
};

}  // namespace

std::vector<Dispatch> print_product(const PlanStep& step, std::span<const int> same_memory) {
  return ProductPrinter(step, same_memory).print();
}

bool takes_epilogue(const PrimitiveStep& step) {
  if (step.outputs[0].dtype != DType::f32) return false;
  ShaderText text(threads);
  std::size_t most = 0;
  for (const PlanOperand& operand : step.inputs)
    most = std::max(most, static_cast<std::size_t>(operand.buffer) + 1);
  const std::vector<int> any(most, 0);
  const Product product = product_of(step, text, any);
  return !product.loops.empty() && chunk_count(product) == 1;
}

}  // namespace genera::vulkan
