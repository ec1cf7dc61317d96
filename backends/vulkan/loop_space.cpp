#include "backends/vulkan/loop_space.h"

#include <genera/error.h>

#include <fmt/format.h>

namespace genera::vulkan {
namespace {

constexpr std::int64_t most_iterations = std::int64_t{1} << 30;

bool has_view(KernelOp op) {
  return op == KernelOp::Load || op == KernelOp::Iota || op == KernelOp::RandomBits ||
         op == KernelOp::RandomUniform;
}

}  // namespace

LoopSpace::LoopSpace(const KernelStep& step, Joining joining) {
  const Kernel& kernel = step.kernel;
  for (std::size_t d = 0; d < static_cast<std::size_t>(kernel.rank); ++d) {
    const std::int64_t extent = kernel.extents[d];
    (kernel.reduced[d] ? reduced_ : kept_) *= extent;
    if (extent != 1) {
      dimensions_.push_back({extent, kernel.reduced[d], d});
      row_form_ = kernel.reduced[d];
    }
  }
  if (kept_ > most_iterations || reduced_ > most_iterations || count() > most_iterations)
    throw DeviceError(fmt::format(
        "[vulkan] a kernel over {} x {} elements is more than the 2^30 that one may have: use "
        "smaller batches",
        kept_, reduced_));
  if (joining == joined) join(step);
}

void LoopSpace::join(const KernelStep& step) {
  std::vector<const AffineView*> views;
  for (const KernelInstr& instr : step.kernel.code)
    if (has_view(instr.op)) views.push_back(&instr.view);
  for (const KernelStore& store : step.kernel.stores) views.push_back(&store.view);
  for (std::size_t d = dimensions_.size(); d-- > 1;) {
    const Dimension& outer = dimensions_[d - 1];
    Dimension& inner = dimensions_[d];
    if (outer.reduced != inner.reduced) continue;
    bool even = true;
    for (const AffineView* view : views)
      even = even && view->stride[outer.axis] == view->stride[inner.axis] * inner.extent;
    if (!even) continue;
    const Dimension joined{outer.extent * inner.extent, inner.reduced, inner.axis};
    dimensions_[d - 1] = joined;
    dimensions_.erase(dimensions_.begin() + static_cast<std::ptrdiff_t>(d));
  }
}

std::string LoopSpace::indices(const std::string& flat, bool kept, bool reduced) const {
  std::vector<std::size_t> wanted;
  for (std::size_t d = 0; d < dimensions_.size(); ++d)
    if (dimensions_[d].reduced ? reduced : kept) wanted.push_back(d);
  std::string text;
  std::string rest = flat;
  for (std::size_t w = wanted.size(); w-- > 0;) {
    const std::size_t d = wanted[w];
    const std::int64_t extent = dimensions_[d].extent;
    if (w == 0) {
      text += fmt::format("int i{} = {};\n", d, rest);
    } else {
      text += fmt::format("int i{} = {} % {};\nint {}{} = {} / {};\n", d, rest, extent, "rest_", d,
                          rest, extent);
      rest = fmt::format("rest_{}", d);
    }
  }
  return text;
}

std::string LoopSpace::assigned(const std::vector<std::string>& expressions) const {
  std::string text;
  for (std::size_t d = 0; d < dimensions_.size(); ++d)
    text += fmt::format("int i{} = {};\n", d, expressions[dimensions_[d].axis]);
  return text;
}

std::string LoopSpace::index(const AffineView& view) const {
  std::string text;
  for (std::size_t d = 0; d < dimensions_.size(); ++d) {
    const std::int64_t stride = view.stride[dimensions_[d].axis];
    if (stride == 0) continue;
    if (!text.empty()) text += " + ";
    text += stride == 1 ? fmt::format("i{}", d) : fmt::format("i{} * {}", d, stride);
  }
  if (text.empty()) return std::to_string(view.offset);
  return view.offset == 0 ? text : fmt::format("{} + {}", view.offset, text);
}

bool LoopSpace::along_reduced(const AffineView& view) const {
  for (const Dimension& dimension : dimensions_)
    if (dimension.reduced && view.stride[dimension.axis] != 0) return true;
  return false;
}

bool LoopSpace::along_reduced(const KernelInstr& instr) const {
  return has_view(instr.op) && along_reduced(instr.view);
}

}  // namespace genera::vulkan
