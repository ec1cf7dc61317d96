#include "backends/vulkan/print_product.h"

#include <genera/error.h>

#include "backends/vulkan/loop_space.h"
#include "backends/vulkan/print_instruction.h"
#include "backends/vulkan/product_loaders.h"

#include <fmt/format.h>

#include <algorithm>

namespace genera::vulkan {
namespace {

/// How the work is cut; chunks by the shape alone, since they decide the order of sums.
struct Cut {
  Tile tile;
  std::int64_t row_tiles, column_tiles;
  std::int64_t chunks, chunk;  ///< of k
};

/// Products of few elements have too few tiles for a GPU: then k is cut as well.
std::int64_t chunk_count(const Product& p) {
  constexpr std::int64_t few = 128 * 128, long_k = 1024, shortest = 256, most = 64;
  if (p.batch * p.m * p.n > few || p.k < long_k) return 1;
  return std::min(most, p.k / shortest);
}

Cut cut_of(const Product& p, const Tiles& tiles, const Limits& limits) {
  constexpr std::int64_t unit = 32;  // a multiple of every tile's depth
  Cut cut{};
  cut.chunks = chunk_count(p);
  cut.chunk = ((p.k + cut.chunks - 1) / cut.chunks + unit - 1) / unit * unit;
  cut.tile = tiles.choose(p.batch, p.m, p.n, cut.chunks, limits);
  cut.row_tiles = (p.m + cut.tile.tile_rows() - 1) / cut.tile.tile_rows();
  cut.column_tiles = (p.n + cut.tile.tile_columns() - 1) / cut.tile.tile_columns();
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
  ProductPrinter(const PlanStep& step, std::span<const int> same_memory, const Tiles& tiles,
                 const Limits& limits)
      : step_(step),
        same_memory_(same_memory),
        tiles_(tiles),
        limits_(limits),
        type_(lane_name(step.primitive.outputs[0].dtype)) {
    check_size(step.primitive);
  }

  std::vector<Dispatch> print() {
    ShaderText inputs(1);  // finds the extents, which decide the number of threads
    const Cut cut = cut_of(product_of(step_.primitive, inputs, same_memory_), tiles_, limits_);
    ShaderText text(cut.tile.threads());
    const Product p = product_of(step_.primitive, text, same_memory_);
    const std::int64_t tiles = p.batch * cut.row_tiles * cut.column_tiles * cut.chunks;
    text.declarations = fmt::format(
        "shared {5} sa[{1}];\nshared {6} sb[{2}];\n"
        "{0} load_a(int g, int m, int k) {{\n{3}\n}}\n{0} load_b(int g, int k, int n) "
        "{{\n{4}\n}}\n",
        type_, cut.tile.depth * cut.tile.row_pitch(), cut.tile.depth * cut.tile.column_pitch(),
        typed(p.load_a), typed(p.load_b), vector_type(Tile::vector_width(cut.tile.rows)),
        vector_type(Tile::vector_width(cut.tile.columns)));
    std::string body = tile_position(p, cut) + accumulators(cut) + inner_loop(p, cut);
    body += results(p, cut, text);
    text.body = fmt::format(
                    "int lane = int(gl_LocalInvocationIndex);\nint x = lane % {0};\nint y = lane / "
                    "{0};\n",
                    cut.tile.grid_columns) +
                group_loop("tile", tiles, body);
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
        cut.chunks, cut.column_tiles, cut.tile.tile_columns(), cut.chunks * cut.column_tiles,
        cut.row_tiles, cut.tile.tile_rows(), cut.chunks * cut.column_tiles * cut.row_tiles,
        cut.chunk, p.k);
  }

  std::string accumulators(const Cut& cut) const {
    std::string text;
    for (int r = 0; r < cut.tile.rows; ++r)
      for (int c = 0; c < cut.tile.columns; ++c)
        text += fmt::format("{0} c{1}_{2} = {0}(0);\n", type_, r, c);
    return text;
  }

  /// The part of an operand that a tile sees: `extent` rows of A or columns of B, of which a thread has `own`, in groups of `width` neighbours
  /// which are one vector in shared memory.
  struct Side {
    bool of_a, along_k;
    int extent, grid, own, width, pitch;
    const char* letter() const { return of_a ? "a" : "b"; }
  };
  static Side side_of(const Product& p, const Tile& tile, bool of_a) {
    return of_a ? Side{true,
                       p.a_along_k,
                       tile.tile_rows(),
                       tile.grid_rows,
                       tile.rows,
                       Tile::vector_width(tile.rows),
                       tile.row_pitch()}
                : Side{false,
                       p.b_along_k,
                       tile.tile_columns(),
                       tile.grid_columns,
                       tile.columns,
                       Tile::vector_width(tile.columns),
                       tile.column_pitch()};
  }
  /// Of a thread's `own` rows or columns the one of that number, counted from its first.
  static int placed(const Side& side, int own) {
    return own / side.width * side.width * side.grid + own % side.width;
  }

  std::string vector_type(int width) const {
    if (width == 1) return type_;
    return fmt::format("{}vec{}", type_ == "float" ? "" : type_ == "int" ? "i" : "u", width);
  }

  /// One operand's part into shared memory. Neighbouring threads take what are neighbours in memory; comparisons are left out where every tile is whole.
  std::string load_part(const Product& p, const Cut& cut, const Side& side) const {
    const int depth = cut.tile.depth, vectors = side.extent / side.width;
    const int inner = side.along_k ? depth : vectors;
    const std::int64_t whole = side.of_a ? p.m : p.n;
    std::string text = fmt::format("for (int e = lane; e < {}; e += {}) {{\n", depth * vectors,
                                   cut.tile.threads());
    text += fmt::format("int v = e {} {}, q = e {} {};\n", side.along_k ? "/" : "%", inner,
                        side.along_k ? "%" : "/", inner);
    std::string elements;
    for (int i = 0; i < side.width; ++i) {
      const std::string at = fmt::format("v * {} + {}", side.width, i);
      std::string inside;
      if (whole % side.extent != 0)
        inside = fmt::format("{}0 + {} < {}", side.of_a ? "m" : "n", at, whole);
      if (p.k % depth != 0) inside += fmt::format("{}k0 + q < k_end", inside.empty() ? "" : " && ");
      const std::string value = side.of_a ? fmt::format("load_a(g, m0 + {}, k0 + q)", at)
                                          : fmt::format("load_b(g, k0 + q, n0 + {})", at);
      elements += i > 0 ? ", " : "";
      elements += inside.empty() ? value : fmt::format("{} ? {} : {}(0)", inside, value, type_);
    }
    return text + fmt::format("s{}[q * {} + v] = {}({});\n}}\n", side.letter(), side.pitch,
                              vector_type(side.width), elements);
  }

  /// Declares <letter>0, <letter>1, …: the thread's elements at q.
  std::string read_part(const Side& side, const char* thread) const {
    std::string text;
    for (int i = 0; i < side.own / side.width; ++i)
      text += fmt::format("{0} {1}{2} = s{1}[q * {3} + {4} + {5}];\n", vector_type(side.width),
                          side.letter(), i, side.pitch, thread, i * side.grid);
    return text;
  }
  static std::string element(const Side& side, int own) {
    const std::string vector = fmt::format("{}{}", side.letter(), own / side.width);
    return side.width == 1 ? vector : fmt::format("{}.{}", vector, "xyzw"[own % side.width]);
  }

  /// Loads parts of both operands into shared memory, multiplies them, and so on along k.
  std::string inner_loop(const Product& p, const Cut& cut) const {
    const Side a = side_of(p, cut.tile, true), b = side_of(p, cut.tile, false);
    std::string text = fmt::format("for (int k0 = k_begin; k0 < k_end; k0 += {}) {{\nbarrier();\n",
                                   cut.tile.depth);
    text += load_part(p, cut, a) + load_part(p, cut, b) + "barrier();\n";
    text += fmt::format("for (int q = 0; q < {}; ++q) {{\n", cut.tile.depth);
    text += read_part(a, "y") + read_part(b, "x");
    const bool floating = type_ == "float";
    for (int r = 0; r < a.own; ++r)
      for (int c = 0; c < b.own; ++c)
        text += fmt::format(fmt::runtime(floating ? "c{0}_{1} = fma({2}, {3}, c{0}_{1});\n"
                                                  : "c{0}_{1} += {2} * {3};\n"),
                            r, c, element(a, r), element(b, c));
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
    const Side a = side_of(p, cut.tile, true), b = side_of(p, cut.tile, false);
    std::string calls;
    for (int r = 0; r < a.own; ++r)
      for (int c = 0; c < b.own; ++c)
        calls += fmt::format("finish(g, chunk, m0 + y * {} + {}, n0 + x * {} + {}, c{}_{});\n",
                             a.width, placed(a, r), b.width, placed(b, c), r, c);
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
    ShaderText text(64);
    const std::int64_t count = p.batch * p.m * p.n;
    const int from = text.bind(partial(p, cut), lane_dtype(), true, false);
    const std::string add =
        fmt::format("{} total = {}(0);\nfor (int c = 0; c < {}; ++c) total = total + {};\n", type_,
                    type_, cut.chunks, text.load(from, fmt::format("c * {} + i", count)));
    const std::string where = fmt::format(
        "int n = i % {0};\nint m = i / {0} % {1};\nint g = i / {2};\n", p.n, p.m, p.n * p.m);
    return text.for_each("i", count, add + where + text.store(bind_output(text), p.place, "total"));
  }

  const PlanStep& step_;
  std::span<const int> same_memory_;
  const Tiles& tiles_;
  const Limits& limits_;
  std::string type_;
};

}  // namespace

std::vector<Dispatch> print_product(const PlanStep& step, std::span<const int> same_memory,
                                    const Tiles& tiles, const Limits& limits) {
  return ProductPrinter(step, same_memory, tiles, limits).print();
}

bool takes_epilogue(const PrimitiveStep& step) {
  if (step.outputs[0].dtype != DType::f32) return false;
  ShaderText text(1);
  std::size_t most = 0;
  for (const PlanOperand& operand : step.inputs)
    most = std::max(most, static_cast<std::size_t>(operand.buffer) + 1);
  const std::vector<int> any(most, 0);
  const Product product = product_of(step, text, any);
  return !product.loops.empty() && chunk_count(product) == 1;
}

}  // namespace genera::vulkan
