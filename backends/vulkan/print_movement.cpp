#include "backends/vulkan/print_movement.h"

#include "backends/axis_split.h"
#include "backends/vulkan/print_linear_algebra.h"
#include "backends/vulkan/print_sort.h"
#include "engine/graph/attributes.h"

#include <fmt/format.h>

#include <algorithm>

namespace genera::vulkan {
namespace {

constexpr int threads = 64;

class MovementPrinter {
 public:
  MovementPrinter(const PrimitiveStep& step, std::span<const int> same_memory)
      : step_(step), same_memory_(same_memory), text_(threads) {}

  std::vector<Dispatch> print() {
    switch (step_.op) {
      case Op::Gather:
        return gather();
      case Op::ScatterAdd:
        return print_scatter(step_, same_memory_);
      case Op::Slice:
        return slice();
      case Op::SliceUpdate:
        return slice_update();
      case Op::Fold:
        return fold();
      case Op::Scan:
        return scan();
      case Op::ArgMax:
        return arg_max();
      case Op::ArgSort:
        return print_arg_sort(step_, same_memory_);
      default:
        return print_linear_algebra(step_, same_memory_);
    }
  }

 private:
  const Shape& in(std::size_t i) const { return step_.inputs[i].shape; }
  const Shape& out() const { return step_.outputs[0].shape; }
  const char* type() const { return lane_name(step_.inputs[0].dtype); }
  bool floating() const { return is_floating(step_.inputs[0].dtype); }

  int bind(const PlanOperand& operand, bool writes) {
    return text_.bind({same_memory_[static_cast<std::size_t>(operand.buffer)]}, operand.dtype,
                      !writes, writes);
  }
  std::string load(std::size_t input, const std::string& index) {
    return text_.load(bind(step_.inputs[input], false), index);
  }
  std::string store(const std::string& index, const std::string& value) {
    return text_.store(bind(step_.outputs[0], true), index, value);
  }

  /// One thread for each of `count` numbers i.
  std::vector<Dispatch> each(std::int64_t count, const std::string& body) {
    return {text_.for_each("i", count, body)};
  }

  /// Declares <name><d>, the index along each axis of element `flat` of a tensor of `shape`.
  static std::string indices(const char* name, const std::string& flat, const Shape& shape) {
    std::string text;
    std::int64_t inner = 1;
    for (int d = shape.rank() - 1; d >= 0; --d) {
      text += fmt::format("int {}{} = {} / {} % {};\n", name, d, flat, inner,
                          std::max<std::int64_t>(shape[d], 1));
      inner *= std::max<std::int64_t>(shape[d], 1);
    }
    return text;
  }
  /// The element number of the indices <name><d> in `shape`.
  static std::string flat(const char* name, const Shape& shape) {
    std::string text = "0";
    for (int d = 0; d < shape.rank(); ++d)
      text = fmt::format("({} * {} + {}{})", text, shape[d], name, d);
    return text;
  }
  /// Declares s<d>: the start that input `input` holds, moved so that a block of `size` lies within `whole`.
  std::string starts(std::size_t input, const Shape& whole, const Shape& size) {
    std::string text;
    for (int d = 0; d < whole.rank(); ++d)
      text += fmt::format("int s{} = clamp({}, 0, {});\n", d, load(input, std::to_string(d)),
                          whole[d] - size[d]);
    return text;
  }

  std::vector<Dispatch> gather() {
    const AxisSplit split(in(0), step_.attr<GatherAttrs>().axis);
    const std::int64_t count = in(1).elements();
    if (split.extent == 0) return each(0, "");
    std::string body =
        fmt::format("int row = clamp({}, 0, {});\n",
                    load(1, fmt::format("i / {} % {}", split.inner, count)), split.extent - 1);
    const std::string from =
        load(0, fmt::format("(i / {} * {} + row) * {} + i % {}", split.inner * count, split.extent,
                            split.inner, split.inner));
    body += store("i", from);
    return each(out().elements(), body);
  }

  std::vector<Dispatch> slice() {
    std::string body = starts(1, in(0), out()) + indices("i", "i", out());
    for (int d = 0; d < out().rank(); ++d) body += fmt::format("i{0} += s{0};\n", d);
    body += store("i", load(0, flat("i", in(0))));
    return each(out().elements(), body);
  }

  std::vector<Dispatch> slice_update() {
    const Shape& update = in(1);
    std::string body;
    if (step_.inputs.size() > 2) {
      body = starts(2, out(), update);
    } else {
      const PerAxis& start = step_.attr<SliceUpdateAttrs>().start;
      for (int d = 0; d < out().rank(); ++d)
        body += fmt::format("int s{} = {};\n", d, start[static_cast<std::size_t>(d)]);
    }
    body += indices("i", "i", out());
    std::string inside = "true";
    for (int d = 0; d < out().rank(); ++d) {
      body += fmt::format("i{0} -= s{0};\n", d);
      inside += fmt::format(" && i{0} >= 0 && i{0} < {1}", d, update[d]);
    }
    body += fmt::format("{} value = {};\n", type(), load(0, "i"));
    if (update.elements() > 0)
      body += fmt::format("if ({}) value = {};\n", inside, load(1, flat("i", update)));
    body += store("i", "value");
    return each(out().elements(), body);
  }

  /// Every element of the result goes over its places in windows.
  std::vector<Dispatch> fold() {
    const auto& attrs = step_.attr<WindowAttrs>();
    const int rank = out().rank();
    std::string body = indices("i", "i", out()), loops, ends, at;
    std::string position = "0";
    body += fmt::format("{0} value = {0}(0);\n", type());
    std::vector<std::string> along(static_cast<std::size_t>(rank));
    for (int d = 0; d < rank; ++d) along[static_cast<std::size_t>(d)] = fmt::format("i{}", d);
    for (std::int64_t k = 0; k < attrs.count; ++k) {
      const auto n = static_cast<std::size_t>(k);
      const auto axis = static_cast<std::size_t>(attrs.axes[n]);
      loops += fmt::format("for (int j{0} = 0; j{0} < {1}; ++j{0}) {{\n", k, attrs.size[n]);
      loops += fmt::format("int p{0} = i{1} - j{0} * {2};\n", k, axis, attrs.dilation[n]);
      loops += fmt::format("if (p{0} < 0 || p{0} % {1} != 0 || p{0} / {1} >= {2}) continue;\n", k,
                           attrs.stride[n], in(0)[static_cast<int>(axis)]);
      along[axis] = fmt::format("p{} / {}", k, attrs.stride[n]);
      ends += "}\n";
    }
    for (int d = 0; d < rank; ++d)
      position =
          fmt::format("({} * {} + {})", position, in(0)[d], along[static_cast<std::size_t>(d)]);
    for (std::int64_t k = 0; k < attrs.count; ++k)
      position =
          fmt::format("({} * {} + j{})", position, attrs.size[static_cast<std::size_t>(k)], k);
    if (in(0).elements() > 0)
      body += loops + fmt::format("value = value + {};\n", load(0, position)) + ends;
    body += store("i", "value");
    return each(out().elements(), body);
  }

  /// One thread per line. Sums of floats carry what each addition lost (Kahan, "Further remarks on reducing truncation errors", 1965).
  std::vector<Dispatch> scan() {
    const auto& attrs = step_.attr<ScanAttrs>();
    const AxisSplit split(in(0), attrs.axis);
    if (out().elements() == 0) return each(0, "");
    std::string combine;
    if (attrs.kind == ScanAttrs::max)
      combine = "total = g_max(total, x);\n";
    else if (attrs.kind == ScanAttrs::log_add_exp)
      combine =
          "float high = g_max(total, x);\n"
          "if (!(abs(high) <= 3.4e38)) { total = high; } else {\n"
          "float low = total < x ? total : x;\nfloat y = g_log1p(g_exp(low - high)) - lost;\n"
          "float next = high + y;\nlost = (next - high) - y;\ntotal = next;\n}\n";
    else if (floating())
      combine =
          "float y = x - lost, next = total + y;\n"
          "lost = abs(next) <= 3.4e38 ? (next - total) - y : 0.0;\ntotal = next;\n";
    else
      combine = "total = total + x;\n";
    const std::string position = attrs.reverse ? fmt::format("({} - j)", split.extent - 1) : "j";
    std::string body = fmt::format(
        "int base = i / {0} * {1} + i % {0};\n{2} total = {2}(0);\nfloat lost = 0.0;\n"
        "for (int j = 0; j < {3}; ++j) {{\nint at = base + {4} * {0};\n",
        split.inner, split.inner * split.extent, type(), split.extent, position);
    body += fmt::format("{} x = {};\nif (j == 0) {{ total = x; }} else {{\n{}}}\n", type(),
                        load(0, "at"), combine);
    body += store("at", "total") + "}\n";
    return each(split.outer * split.inner, body);
  }

  std::vector<Dispatch> arg_max() {
    const std::uint64_t axes = step_.attr<ReduceAttrs>().axes;
    int axis = 0;
    while (axis < Shape::max_rank - 1 && !(axes >> axis & 1)) ++axis;
    const AxisSplit split(in(0), axis);
    if (split.extent == 0) return {};
    const std::string better =
        floating() ? "now > best || (g_isnan(now) && !g_isnan(best))" : "now > best";
    std::string body = fmt::format("int base = i / {0} * {1} + i % {0};\n", split.inner,
                                   split.inner * split.extent);
    body += fmt::format("int where = 0;\n{} best = {};\n", type(), load(0, "base"));
    body += fmt::format(
        "for (int j = 1; j < {}; ++j) {{\n{} now = {};\nif ({}) {{ best = now; where = j; }}\n}}\n",
        split.extent, type(), load(0, fmt::format("base + j * {}", split.inner)), better);
    body += store("i", "where");
    return each(split.outer * split.inner, body);
  }

  const PrimitiveStep& step_;
  std::span<const int> same_memory_;
  ShaderText text_;
};

std::int64_t indexed_extent(const PrimitiveStep& step) {
  const std::int64_t axis =
      step.op == Op::Gather ? step.attr<GatherAttrs>().axis : step.attr<ScatterAttrs>().axis;
  return step.inputs[0].shape[static_cast<int>(axis)];
}

}  // namespace

std::vector<Dispatch> print_movement(const PrimitiveStep& step, std::span<const int> same_memory) {
  return MovementPrinter(step, same_memory).print();
}

std::optional<Dispatch> print_check(const PrimitiveStep& step, std::int64_t offset,
                                    std::span<const int> same_memory) {
  if (step.op != Op::Gather && step.op != Op::ScatterAdd) return std::nullopt;
  ShaderText text(threads);
  const PlanOperand& operand = step.inputs[1];
  const std::int64_t count = operand.shape.elements();
  const int indices = text.bind({same_memory[static_cast<std::size_t>(operand.buffer)]},
                                operand.dtype, true, false);
  const int status = text.bind({BufferUse::status, offset, 8}, DType::i32, false, true);
  text.declarations = fmt::format("shared int first[{}];\n", threads);
  text.body = fmt::format(
      "int lane = int(gl_LocalInvocationIndex);\nint found = {0};\n"
      "for (int i = lane; i < {0} && found == {0}; i += {1}) {{\nint index = {2};\n"
      "if (index < 0 || index >= {3}) found = i;\n}}\nfirst[lane] = found;\nbarrier();\n",
      count, threads, text.load(indices, "i"), indexed_extent(step));
  text.body += fmt::format(
      "if (lane == 0) {{\nfor (int t = 1; t < {}; ++t) found = min(found, first[t]);\n", threads);
  text.body += text.store(status, "0", fmt::format("found < {} ? found + 1 : 0", count));
  if (count > 0)
    text.body +=
        text.store(status, "1", text.load(indices, fmt::format("min(found, {})", count - 1)));
  text.body += "}\n";
  return text.finish(1);
}

std::string bad_index(const PrimitiveStep& step, std::uint32_t position, std::int32_t index) {
  const char* caller = step.op == Op::Gather                                 ? "gather"
                       : step.attr<ScatterAttrs>().mode == ScatterAttrs::add ? "scatter_add"
                                                                             : "scatter_set";
  return fmt::format("[{}] index {} at position {} is outside [0,{})", caller, index, position,
                     indexed_extent(step));
}

}  // namespace genera::vulkan
