#include "backends/vulkan/print_sort.h"

#include "backends/axis_split.h"
#include "engine/graph/attributes.h"

#include <fmt/format.h>

#include <algorithm>

namespace genera::vulkan {
namespace {

constexpr int threads = 64;
constexpr std::int64_t block = 1024;  // what one workgroup sorts, in 8 KiB of shared memory
constexpr std::int64_t few = 64;      // below, looking at all of them costs less than sorting

std::int64_t padded(std::int64_t count) {
  std::int64_t size = 2;
  while (size < count) size *= 2;
  return size;
}

/// Declares key[] and place[] of `size` (a power of two) elements, and sort(lane), which orders them: by key, then by place. `before` compares the keys x
/// and y; a place of `none` or more is behind everything (Batcher, "Sorting networks and their applications", 1968).
std::string sort_function(const char* type, std::int64_t size, const std::string& none,
                          const std::string& before) {
  std::string text = fmt::format(
      "shared {0} key[{1}];\nshared int place[{1}];\nbool precedes(int i, int j) {{\n", type, size);
  text +=
      fmt::format("if (place[i] >= {0} || place[j] >= {0}) return place[i] < place[j];\n", none);
  text += fmt::format("{0} x = key[i], y = key[j];\nif ({1}) return true;\n", type, before);
  text +=
      fmt::format("{{ {0} swap = x; x = y; y = swap; }}\nif ({1}) return false;\n", type, before);
  text += "return place[i] < place[j];\n}\n";
  text += fmt::format(
      "void sort(int lane) {{\nfor (int span = 2; span <= {0}; span *= 2)\n"
      "for (int apart = span / 2; apart > 0; apart /= 2) {{\nbarrier();\n"
      "for (int e = lane; e < {1}; e += {2}) {{\nint i = (e & ~(apart - 1)) * 2 + (e & (apart - "
      "1)), "
      "j = i + apart;\nif (precedes(j, i) == ((i & span) == 0)) {{\n{3} k = key[i]; key[i] = "
      "key[j]; "
      "key[j] = k;\nint p = place[i]; place[i] = place[j]; place[j] = "
      "p;\n}}\n}}\n}}\nbarrier();\n}}\n",
      size, size / 2, threads, type);
  return text;
}

class ScatterPrinter {
 public:
  ScatterPrinter(const PrimitiveStep& step, std::span<const int> same_memory)
      : step_(step),
        same_memory_(same_memory),
        split_(step.inputs[0].shape, step.attr<ScatterAttrs>().axis),
        count_(step.inputs[1].shape.elements()),
        adds_(step.attr<ScatterAttrs>().mode == ScatterAttrs::add) {}

  std::vector<Dispatch> print() const {
    if (step_.outputs[0].shape.elements() == 0) return {ShaderText(threads).finish(0)};
    if (count_ <= few) return {over_all()};
    const std::int64_t blocks = (count_ + block - 1) / block;
    std::vector<Dispatch> result{sorted_blocks(blocks)};
    if (blocks > 1) result.push_back(merged(blocks));
    const Part sorted = blocks > 1 ? Part::merged_keys : Part::keys;
    result.push_back(starts(sorted));
    result.push_back(sums(blocks > 1 ? Part::merged_places : Part::places));
    return result;
  }

 private:
  /// Parts of the scratch memory, each of `count` integers but the last.
  enum class Part : std::uint8_t { keys, places, merged_keys, merged_places, starts };

  int bind(ShaderText& text, Part part, bool writes) const {
    const std::int64_t own = part == Part::starts ? (split_.extent + 1) * 4 : count_ * 4;
    return text.bind(
        {BufferUse::scratch, scratch_part(count_) * static_cast<std::int64_t>(part), own},
        DType::i32, !writes, writes);
  }
  int bind(ShaderText& text, const PlanOperand& operand, bool writes) const {
    return text.bind({same_memory_[static_cast<std::size_t>(operand.buffer)]}, operand.dtype,
                     !writes, writes);
  }
  std::string load(ShaderText& text, std::size_t input, const std::string& index) const {
    return text.load(bind(text, step_.inputs[input], false), index);
  }

  /// One thread per element of the result: `before` and `after` are the loop over the positions j that are meant for it.
  Dispatch per_element(ShaderText& text, const std::string& before,
                       const std::string& after) const {
    const char* type = lane_name(step_.inputs[0].dtype);
    const std::string update =
        load(text, 2,
             fmt::format("(i / {} * {} + j) * {} + i % {}", split_.inner * split_.extent, count_,
                         split_.inner, split_.inner));
    std::string body = fmt::format("{} value = {};\nint row = i / {} % {};\n", type,
                                   load(text, 0, "i"), split_.inner, split_.extent);
    body += fmt::format("{}value = {}{};\n{}", before, adds_ ? "value + " : "", update, after);
    body += text.store(bind(text, step_.outputs[0], true), "i", "value");
    return text.for_each("i", step_.outputs[0].shape.elements(), body);
  }

  Dispatch over_all() const {
    ShaderText text(threads);
    const std::string loop =
        fmt::format("for (int j = 0; j < {}; ++j) if ({} == row) ", count_, load(text, 1, "j"));
    return per_element(text, loop, "");
  }

  Dispatch sorted_blocks(std::int64_t blocks) const {
    ShaderText text(threads);
    const std::int64_t size = std::min(block, padded(count_));
    text.declarations = sort_function("int", size, std::to_string(count_), "x < y");
    std::string body = fmt::format(
        "for (int e = lane; e < {0}; e += {1}) {{\nint at = g * {0} + e;\nplace[e] = at;\n"
        "key[e] = at < {2} ? {3} : 0;\n}}\nsort(lane);\n",
        size, threads, count_, load(text, 1, "at"));
    body += fmt::format(
        "for (int e = lane; e < {0}; e += {1}) {{\nint at = g * {0} + e;\nif (at < {2}) "
        "{{\n{3}{4}}}\n}}\n",
        size, threads, count_, text.store(bind(text, Part::keys, true), "at", "key[e]"),
        text.store(bind(text, Part::places, true), "at", "place[e]"));
    return text.for_each_group(blocks, body);
  }

  /// Declares find(wanted, begin, end): how many of the sorted keys from begin to end are below.
  void declare_find(ShaderText& text, Part keys) const {
    text.declarations += fmt::format(
        "int find(int wanted, int begin, int end) {{\nint first = begin;\nwhile (first < end) {{\n"
        "int middle = (first + end) / 2;\nif ({} < wanted) first = middle + 1; else end = "
        "middle;\n}}\n"
        "return first - begin;\n}}\n",
        text.load(bind(text, keys, false), "middle"));
  }

  /// An element's place among all is the number of those before it, of which each sorted block tells its own by bisection.
  Dispatch merged(std::int64_t blocks) const {
    ShaderText text(threads);
    declare_find(text, Part::keys);
    std::string body = fmt::format("int own = {};\nint rank = i % {};\n",
                                   text.load(bind(text, Part::keys, false), "i"), block);
    // Equal ones in earlier blocks come first.
    body += fmt::format(
        "for (int c = 0; c < {0}; ++c) if (c != i / {1}) rank += find(c < i / {1} ? own "
        "+ 1 : own, c * {1}, min(c * {1} + {1}, {2}));\n",
        blocks, block, count_);
    body += text.store(bind(text, Part::merged_keys, true), "rank", "own");
    body += text.store(bind(text, Part::merged_places, true), "rank",
                       text.load(bind(text, Part::places, false), "i"));
    return text.for_each("i", count_, body);
  }

  /// Where each row's positions begin, and behind the last row.
  Dispatch starts(Part keys) const {
    ShaderText text(threads);
    declare_find(text, keys);
    return text.for_each(
        "i", split_.extent + 1,
        text.store(bind(text, Part::starts, true), "i", fmt::format("find(i, 0, {})", count_)));
  }

  Dispatch sums(Part places) const {
    ShaderText text(threads);
    const int starts = bind(text, Part::starts, false);
    return per_element(
        text,
        fmt::format("int end = {};\nfor (int s = {}; s < end; ++s) {{\nint j = {};\n",
                    text.load(starts, "row + 1"), text.load(starts, "row"),
                    text.load(bind(text, places, false), "s")),
        "}\n");
  }

  const PrimitiveStep& step_;
  std::span<const int> same_memory_;
  AxisSplit split_;
  std::int64_t count_;
  bool adds_;
};

/// An element's place is the number of those before it.
std::string count_before(const AxisSplit& split, const char* type, const std::string& own,
                         const std::string& other, const std::string& before) {
  return fmt::format(
      "int base = i / {0} * {0} + i % {1};\nint at = i / {1} % {2};\nint rank = 0;\n{3} y = {4};\n"
      "for (int j = 0; j < {2}; ++j) {{\n{3} x = {5};\nif ({6} || (!({7}) && j < at)) "
      "++rank;\n}}\n",
      split.inner * split.extent, split.inner, split.extent, type, own, other, before,
      before == "x < y" ? "y < x" : "y < x || (g_isnan(x) && !g_isnan(y))");
}

}  // namespace

std::vector<Dispatch> print_arg_sort(const PrimitiveStep& step, std::span<const int> same_memory) {
  const PlanOperand &from = step.inputs[0], &to = step.outputs[0];
  const AxisSplit split(from.shape, step.attr<AxisAttrs>().axis);
  if (split.extent > block) return {};
  ShaderText text(threads);
  if (to.shape.elements() == 0) return {text.finish(0)};
  const int in =
      text.bind({same_memory[static_cast<std::size_t>(from.buffer)]}, from.dtype, true, false);
  const int out =
      text.bind({same_memory[static_cast<std::size_t>(to.buffer)]}, to.dtype, false, true);
  const char* type = lane_name(from.dtype);
  const std::string before =
      is_floating(from.dtype) ? "x < y || (g_isnan(y) && !g_isnan(x))" : "x < y";
  if (split.extent <= few) {
    const std::string other = text.load(in, fmt::format("base + j * {}", split.inner));
    const std::string body = count_before(split, type, text.load(in, "i"), other, before) +
                             text.store(out, fmt::format("base + rank * {}", split.inner), "at");
    return {text.for_each("i", to.shape.elements(), body)};
  }
  const std::int64_t size = padded(split.extent);
  text.declarations = sort_function(type, size, std::to_string(split.extent), before);
  std::string body = fmt::format(
      "int base = g / {0} * {1} + g % {0};\nfor (int e = lane; e < {2}; e += {3}) {{\nplace[e] = "
      "e;\n"
      "key[e] = e < {4} ? {5} : {6}(0);\n}}\nsort(lane);\n",
      split.inner, split.inner * split.extent, size, threads, split.extent,
      text.load(in, fmt::format("base + e * {}", split.inner)), type);
  body += fmt::format("for (int e = lane; e < {}; e += {}) {{\n{}}}\n", split.extent, threads,
                      text.store(out, fmt::format("base + e * {}", split.inner), "place[e]"));
  return {text.for_each_group(split.outer * split.inner, body)};
}

std::vector<Dispatch> print_scatter(const PrimitiveStep& step, std::span<const int> same_memory) {
  return ScatterPrinter(step, same_memory).print();
}

}  // namespace genera::vulkan
