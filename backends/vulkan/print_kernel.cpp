#include "backends/vulkan/print_kernel.h"

#include "backends/vulkan/loop_space.h"
#include "backends/vulkan/print_instruction.h"

#include <fmt/format.h>

#include <algorithm>

namespace genera::vulkan {
namespace {

constexpr int threads = 64;        // of every workgroup here: all devices have as many
constexpr std::int64_t part = 64;  // terms that a thread adds before it adds their sum to the total
constexpr std::int64_t few_terms = 32;
constexpr std::int64_t many_kept = 1024;
constexpr std::int64_t few_kept = 256;
constexpr std::int64_t many_terms = 8192;
constexpr std::int64_t most_chunks = 256;

bool is_reduction(KernelOp op) { return op == KernelOp::ReduceSum || op == KernelOp::ReduceMax; }

std::string indented(const std::string& lines) { return "{\n" + lines + "}\n"; }

class KernelPrinter {
 public:
  KernelPrinter(const KernelStep& step, std::span<const int> same_memory, const Limits& limits)
      : step_(step), kernel_(step.kernel), same_memory_(same_memory), space_(step) {
    for (const DType dtype : kernel_.buffers) check_dtype(dtype, limits);
    find_levels();
  }

  std::vector<Dispatch> print() {
    const std::int64_t kept = space_.kept_count(), terms = space_.reduced_count();
    if (passes_ == 0) return {map(everything())};
    if (kept < few_kept && terms > many_terms) return split();
    if (terms < few_terms || (!space_.row_form() && kept >= many_kept)) return {by_kept(false)};
    return {by_kept(true)};
  }

 private:
  using Numbers = std::vector<int>;

  // --- what depends on what ---

  const KernelInstr& at(int n) const { return kernel_.code[static_cast<std::size_t>(n)]; }

  /// By instruction: whether its value differs along the reduced dimensions, and how many passes over them come before it is known.
  void find_levels() {
    full_.resize(kernel_.code.size());
    level_.resize(kernel_.code.size());
    for (std::size_t n = 0; n < kernel_.code.size(); ++n) {
      const KernelInstr& instr = kernel_.code[n];
      bool full = space_.along_reduced(instr);
      int level = 0;
      for (const std::int16_t operand : operands_of(instr)) {
        full = full || full_[static_cast<std::size_t>(operand)];
        level = std::max(level, level_[static_cast<std::size_t>(operand)]);
      }
      full_[n] = full && !is_reduction(instr.op);
      level_[n] = level + (is_reduction(instr.op) ? 1 : 0);
      passes_ = std::max(passes_, level_[n]);
    }
  }

  Numbers reductions(int level) const {
    Numbers list;
    for (int n = 0; n < static_cast<int>(kernel_.code.size()); ++n)
      if (is_reduction(at(n).op) && level_[static_cast<std::size_t>(n)] == level) list.push_back(n);
    return list;
  }

  bool store_is_full(const KernelStore& store) const {
    return full_[static_cast<std::size_t>(store.value)] || space_.along_reduced(store.view);
  }
  std::vector<const KernelStore*> stores(bool full) const {
    std::vector<const KernelStore*> list;
    for (const KernelStore& store : kernel_.stores)
      if (store_is_full(store) == full) list.push_back(&store);
    return list;
  }
  std::vector<const KernelStore*> everything() const {
    std::vector<const KernelStore*> list;
    for (const KernelStore& store : kernel_.stores) list.push_back(&store);
    return list;
  }
  static Numbers values_of(const std::vector<const KernelStore*>& stores) {
    Numbers list;
    for (const KernelStore* store : stores) list.push_back(store->value);
    return list;
  }
  Numbers operands_of_all(const Numbers& reductions) const {
    Numbers list;
    for (const int n : reductions) list.push_back(at(n).a);
    return list;
  }

  /// What has to be computed for `wanted`, in order: all that differs along the reduced dimensions (full), or all that does not;
  /// what `known` says is there already is left out with what only it needs. Both kinds where a loop has no reduced dimensions.
  Numbers needed(const Numbers& wanted, const std::vector<bool>& known) const {
    std::vector<bool> mark(kernel_.code.size(), false);
    for (const int n : wanted) mark[static_cast<std::size_t>(n)] = true;
    for (std::size_t n = kernel_.code.size(); n-- > 0;)
      if (mark[n] && !known[n])
        for (const std::int16_t operand : operands_of(kernel_.code[n]))
          mark[static_cast<std::size_t>(operand)] = true;
    Numbers list;
    for (std::size_t n = 0; n < mark.size(); ++n)
      if (mark[n] && !known[n]) list.push_back(static_cast<int>(n));
    return list;
  }

  // --- pieces of text ---

  void print_values(ShaderText& text, const Numbers& list, std::string& out) const {
    for (const int n : list) out += print_instruction(step_, n, text, space_, same_memory_);
  }

  /// What does not differ along the reduced dimensions and is wanted now, once.
  void print_kept(ShaderText& text, const Numbers& wanted, std::vector<bool>& known,
                  std::string& out) const {
    for (const int n : needed(wanted, known)) {
      if (full_[static_cast<std::size_t>(n)]) continue;
      out += print_instruction(step_, n, text, space_, same_memory_);
      known[static_cast<std::size_t>(n)] = true;
    }
  }

  void print_stores(ShaderText& text, const std::vector<const KernelStore*>& list,
                    std::string& out) const {
    for (const KernelStore* store : list) {
      const int binding = bind_buffer(step_, store->buffer, text, same_memory_, false, true);
      out += text.store(binding, space_.index(store->view), fmt::format("v{}", store->value));
    }
  }

  std::string neutral(int n) const {
    const KernelInstr& instr = at(n);
    const bool sum = instr.op == KernelOp::ReduceSum;
    const bool none = space_.reduced_count() == 0;  // then it is the result
    switch (instr.type) {
      case LaneType::f32:
        if (sum) return none ? "0.0" : "uintBitsToFloat(0x80000000u)";
        return "uintBitsToFloat(0xff800000u)";
      case LaneType::i32:
        return sum || instr.boolean ? "0" : "int(0x80000000u)";
      default:
        return "0u";
    }
  }
  std::string joined(int n, const std::string& a, const std::string& b) const {
    return at(n).op == KernelOp::ReduceSum ? fmt::format("{} + {}", a, b)
                                           : fmt::format("g_max({}, {})", a, b);
  }

  /// Declares v<n> for each reduction and adds the terms first, first + step, … below `end` to it: parts of `part` terms, then their sum.
  void print_terms(ShaderText& text, const Numbers& list, const std::vector<bool>& known,
                   const std::string& first, std::int64_t step, const std::string& end,
                   std::string& out) const {
    std::string body = space_.reduced_indices("r");
    Numbers values = needed(operands_of_all(list), known);
    print_values(text, values, body);
    std::string before, after;
    for (const int n : list) {
      out += fmt::format("{} v{} = {};\n", lane_name(at(n).type), n, neutral(n));
      before += fmt::format("{} p{} = {};\n", lane_name(at(n).type), n, neutral(n));
      body += fmt::format("p{0} = {1};\n", n,
                          joined(n, fmt::format("p{}", n), fmt::format("v{}", at(n).a)));
      after +=
          fmt::format("v{0} = {1};\n", n, joined(n, fmt::format("v{}", n), fmt::format("p{}", n)));
    }
    out += fmt::format("for (int q = {0}; q < {1}; q += {2}) {{\n{3}", first, end, step * part,
                       before);
    out += fmt::format("int stop = min({0}, q + {1});\n", end, step * part);
    out += fmt::format("for (int r = q; r < stop; r += {}) {}", step, indented(body));
    out += after + "}\n";
  }

  /// Joins the workgroup's v<n>; afterwards every thread has the result.
  void print_tree(ShaderText& text, const Numbers& list, std::string& out) const {
    for (const int n : list) {
      text.declarations += fmt::format("shared {} s{}[{}];\n", lane_name(at(n).type), n, threads);
      out += fmt::format("s{0}[lane] = v{0};\n", n);
    }
    out += "barrier();\n";
    out += fmt::format("for (int h = {}; h > 0; h >>= 1) {{\nif (lane < h) {{\n", threads / 2);
    for (const int n : list)
      out += fmt::format("s{0}[lane] = {1};\n", n,
                         joined(n, fmt::format("s{}[lane]", n), fmt::format("s{}[lane + h]", n)));
    out += "}\nbarrier();\n}\n";
    for (const int n : list) out += fmt::format("v{0} = s{0}[0];\n", n);
    out += "barrier();\n";
  }

  static std::string per_group(const std::string& variable, std::int64_t count,
                               const std::string& body) {
    return "int lane = int(gl_LocalInvocationIndex);\n" + group_loop(variable, count, body);
  }

  // --- the forms ---

  /// One thread per loop index; nothing is reduced.
  Dispatch map(const std::vector<const KernelStore*>& list) const {
    ShaderText text(threads);
    std::string body = space_.all_indices("i");
    print_values(text, needed(values_of(list), std::vector<bool>(kernel_.code.size(), false)),
                 body);
    print_stores(text, list, body);
    return text.for_each("i", space_.count(), body);
  }

  /// One thread per kept index, which goes over all reduced ones; or a workgroup, whose threads share them.
  Dispatch by_kept(bool shared) const {
    ShaderText text(threads);
    std::vector<bool> known(kernel_.code.size(), false);
    std::string body = space_.kept_indices("k");
    const std::string first = shared ? "lane" : "0";
    const std::int64_t step = shared ? threads : 1;
    for (int pass = 1; pass <= passes_; ++pass) {
      const Numbers list = reductions(pass);
      print_kept(text, operands_of_all(list), known, body);
      print_terms(text, list, known, first, step, std::to_string(space_.reduced_count()), body);
      if (shared) print_tree(text, list, body);
      for (const int n : list) known[static_cast<std::size_t>(n)] = true;
    }
    finish_kept(text, known, body, shared ? "if (lane == 0) " : "");
    print_full_stores(text, known, body, first, step);
    if (!shared) return text.for_each("k", space_.kept_count(), body);
    text.body = per_group("k", space_.kept_count(), body);
    return text.finish(space_.kept_count());
  }

  /// Kept values that stores need, and the stores of kept values.
  void finish_kept(ShaderText& text, std::vector<bool>& known, std::string& body,
                   const std::string& condition) const {
    print_kept(text, values_of(everything()), known, body);
    std::string lines;
    print_stores(text, stores(false), lines);
    if (!lines.empty()) body += condition + indented(lines);
  }

  void print_full_stores(ShaderText& text, const std::vector<bool>& known, std::string& body,
                         const std::string& first, std::int64_t step) const {
    const auto list = stores(true);
    if (list.empty()) return;
    std::string lines = space_.reduced_indices("r");
    print_values(text, needed(values_of(list), known), lines);
    print_stores(text, list, lines);
    body += fmt::format("for (int r = {}; r < {}; r += {}) {}", first, space_.reduced_count(), step,
                        indented(lines));
  }

  /// Where in the scratch memory reduction n's results lie, and its chunks' results.
  struct Scratch {
    std::int64_t result, chunks;
  };

  /// Chunks of the reduced indices, then their sums, pass by pass; then the stores.
  std::vector<Dispatch> split() {
    const std::int64_t terms = space_.reduced_count(), kept = space_.kept_count();
    const std::int64_t chunk =
        std::max((terms + most_chunks - 1) / most_chunks, std::int64_t{threads} * 16);
    const std::int64_t chunks = (terms + chunk - 1) / chunk;
    std::int64_t offset = 0;
    const auto room = [&](std::int64_t count) {
      const std::int64_t begin = offset;
      offset += scratch_part(count);
      return begin;
    };
    scratch_.resize(kernel_.code.size());
    for (int n = 0; n < static_cast<int>(kernel_.code.size()); ++n)
      if (is_reduction(at(n).op))
        scratch_[static_cast<std::size_t>(n)] = {room(kept), room(kept * chunks)};
    std::vector<Dispatch> result;
    for (int pass = 1; pass <= passes_; ++pass) {
      result.push_back(chunk_sums(pass, chunk, chunks));
      result.push_back(chunk_totals(pass, chunks));
    }
    if (!stores(false).empty()) result.push_back(stores_of_kept());
    if (!stores(true).empty()) result.push_back(stores_of_full());
    return result;
  }

  DType scratch_type(int n) const {
    switch (at(n).type) {
      case LaneType::f32:
        return DType::f32;
      case LaneType::i32:
        return DType::i32;
      default:
        return DType::u32;
    }
  }
  int bind_results(ShaderText& text, int n, bool writes) const {
    const BufferUse use{BufferUse::scratch, scratch_[static_cast<std::size_t>(n)].result,
                        space_.kept_count() * 4};
    return text.bind(use, scratch_type(n), !writes, writes);
  }
  int bind_chunks(ShaderText& text, int n, std::int64_t chunks, bool writes) const {
    const BufferUse use{BufferUse::scratch, scratch_[static_cast<std::size_t>(n)].chunks,
                        space_.kept_count() * chunks * 4};
    return text.bind(use, scratch_type(n), !writes, writes);
  }

  /// Results of the passes before `pass` that `wanted` needs, from memory.
  void load_results(ShaderText& text, const Numbers& wanted, int pass, std::vector<bool>& known,
                    std::string& out) const {
    for (const int n : needed(wanted, known)) {
      if (!is_reduction(at(n).op) || level_[static_cast<std::size_t>(n)] >= pass) continue;
      // Only those that are reached without going through another result.
      const int binding = bind_results(text, n, false);
      out += fmt::format("{} v{} = {};\n", lane_name(at(n).type), n, text.load(binding, "k"));
      known[static_cast<std::size_t>(n)] = true;
    }
  }

  Dispatch chunk_sums(int pass, std::int64_t chunk, std::int64_t chunks) const {
    ShaderText text(threads);
    std::vector<bool> known(kernel_.code.size(), false);
    const Numbers list = reductions(pass);
    std::string body = fmt::format(
        "int k = g / {0};\nint begin = (g % {0}) * {1};\nint end = min({2}, begin + {1});\n",
        chunks, chunk, space_.reduced_count());
    body += space_.kept_indices("k");
    load_results(text, operands_of_all(list), pass, known, body);
    print_kept(text, operands_of_all(list), known, body);
    print_terms(text, list, known, "begin + lane", threads, "end", body);
    print_tree(text, list, body);
    std::string lines;
    for (const int n : list)
      lines += text.store(bind_chunks(text, n, chunks, true), "g", fmt::format("v{}", n));
    body += "if (lane == 0) " + indented(lines);
    text.body = per_group("g", space_.kept_count() * chunks, body);
    return text.finish(space_.kept_count() * chunks);
  }

  Dispatch chunk_totals(int pass, std::int64_t chunks) const {
    ShaderText text(threads);
    std::string body;
    for (const int n : reductions(pass)) {
      const int from = bind_chunks(text, n, chunks, false);
      const int to = bind_results(text, n, true);
      body += fmt::format("{} v{} = {};\n", lane_name(at(n).type), n, neutral(n));
      body += fmt::format(
          "for (int c = 0; c < {0}; ++c) v{1} = {2};\n", chunks, n,
          joined(n, fmt::format("v{}", n), text.load(from, fmt::format("k * {} + c", chunks))));
      body += text.store(to, "k", fmt::format("v{}", n));
    }
    return text.for_each("k", space_.kept_count(), body);
  }

  Dispatch stores_of_kept() const {
    ShaderText text(threads);
    std::vector<bool> known(kernel_.code.size(), false);
    std::string body = space_.kept_indices("k");
    const auto list = stores(false);
    load_results(text, values_of(list), passes_ + 1, known, body);
    print_kept(text, values_of(list), known, body);
    print_stores(text, list, body);
    return text.for_each("k", space_.kept_count(), body);
  }

  Dispatch stores_of_full() const {
    ShaderText text(threads);
    std::vector<bool> known(kernel_.code.size(), false);
    std::string body = fmt::format("int k = i / {0};\nint r = i % {0};\n", space_.reduced_count());
    body += space_.kept_indices("k") + space_.reduced_indices("r");
    const auto list = stores(true);
    load_results(text, values_of(list), passes_ + 1, known, body);
    print_values(text, needed(values_of(list), known), body);
    print_stores(text, list, body);
    return text.for_each("i", space_.count(), body);
  }

  const KernelStep& step_;
  const Kernel& kernel_;
  std::span<const int> same_memory_;
  LoopSpace space_;
  std::vector<bool> full_;
  std::vector<int> level_;
  int passes_ = 0;
  std::vector<Scratch> scratch_;
};

}  // namespace

std::vector<Dispatch> print_kernel(const KernelStep& step, std::span<const int> same_memory,
                                   const Limits& limits) {
  return KernelPrinter(step, same_memory, limits).print();
}

}  // namespace genera::vulkan
