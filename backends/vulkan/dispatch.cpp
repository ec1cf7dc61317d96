#include "backends/vulkan/dispatch.h"

#include <genera/error.h>

#include <fmt/format.h>

namespace genera::vulkan {
namespace {

const char* stored_name(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return "float";
    case DType::i32:
      return "int";
    case DType::u32:
      return "uint";
    case DType::f16:
    case DType::bf16:
      return "uint16_t";
    default:
      return "uint8_t";
  }
}

}  // namespace

const char* lane_name(DType dtype) {
  switch (dtype) {
    case DType::f32:
    case DType::f16:
    case DType::bf16:
      return "float";
    case DType::u32:
      return "uint";
    default:
      return "int";
  }
}

void check_dtype(DType dtype, const Limits& limits) {
  if (dtype == DType::f64 || dtype == DType::i64)
    throw DeviceError(
        fmt::format("[vulkan] {} is not computed on Vulkan devices; cast to {}, or use the CPU",
                    name(dtype), dtype == DType::f64 ? "f32" : "i32"));
  const bool half = dtype == DType::f16 || dtype == DType::bf16;
  const bool byte = dtype == DType::u8 || dtype == DType::boolean;
  if ((half && !limits.half_words) || (byte && !limits.bytes))
    throw DeviceError(
        fmt::format("[vulkan] this device cannot store {} elements; use the CPU", name(dtype)));
}

std::int64_t scratch_part(std::int64_t count) {
  constexpr auto unit = static_cast<std::int64_t>(binding_alignment);
  return (count * 4 + unit - 1) / unit * unit;
}

std::string strided_loop(const std::string& variable, const std::string& first,
                         const std::string& step, std::int64_t count, bool guarded,
                         const std::string& lines) {
  return fmt::format("int {0} = int({1});\n{4}do {{\n{5}}} while (({0} += {2}) < {3});\n", variable,
                     first, step, count,
                     guarded ? fmt::format("if ({} < {}) ", variable, count) : "", lines);
}

std::string group_loop(const std::string& variable, std::int64_t count, const std::string& lines) {
  return strided_loop(variable, "gl_WorkGroupID.x", "int(gl_NumWorkGroups.x)", count, false, lines);
}

int ShaderText::bind(const BufferUse& use, DType dtype, bool reads, bool writes) {
  for (std::size_t b = 0; b < bound_.size(); ++b) {
    Bound& bound = bound_[b];
    if (bound.use.buffer != use.buffer || bound.use.offset != use.offset || bound.dtype != dtype)
      continue;
    bound.use.reads = bound.use.reads || reads;
    bound.use.writes = bound.use.writes || writes;
    return static_cast<int>(b);
  }
  bound_.push_back({use, dtype});
  bound_.back().use.reads = reads;
  bound_.back().use.writes = writes;
  return static_cast<int>(bound_.size()) - 1;
}

std::string ShaderText::load(int binding, const std::string& index) const {
  const std::string element = fmt::format("b{}[{}]", binding, index);
  switch (bound_[static_cast<std::size_t>(binding)].dtype) {
    case DType::f16:
      return fmt::format("g_from_half(uint({}))", element);
    case DType::bf16:
      return fmt::format("g_from_bfloat(uint({}))", element);
    case DType::u8:
    case DType::boolean:
      return fmt::format("int(uint({}))", element);
    default:
      return element;
  }
}

std::string ShaderText::store(int binding, const std::string& index,
                              const std::string& value) const {
  const std::string element = fmt::format("b{}[{}]", binding, index);
  switch (bound_[static_cast<std::size_t>(binding)].dtype) {
    case DType::f16:
      return fmt::format("{} = uint16_t(g_to_half({}));\n", element, value);
    case DType::bf16:
      return fmt::format("{} = uint16_t(g_to_bfloat({}));\n", element, value);
    case DType::u8:
      return fmt::format("{} = uint8_t(uint({}) & 255u);\n", element, value);
    case DType::boolean:
      return fmt::format("{} = uint8_t({} != 0 ? 1u : 0u);\n", element, value);
    default:
      return fmt::format("{} = {};\n", element, value);
  }
}

Dispatch ShaderText::finish(std::int64_t groups) const {
  Dispatch dispatch;
  dispatch.groups = groups;
  dispatch.text = fmt::format("layout(local_size_x = {}) in;\n", threads_);
  for (std::size_t b = 0; b < bound_.size(); ++b) {
    const Bound& bound = bound_[b];
    dispatch.text +=
        fmt::format("layout(set = 0, binding = {0}, std430) {1}buffer B{0} {{ {2} b{0}[]; }};\n", b,
                    !bound.use.writes  ? "readonly "
                    : !bound.use.reads ? "writeonly "
                                       : "",
                    stored_name(bound.dtype));
    dispatch.uses.push_back(bound.use);
  }
  dispatch.text += declarations + "void main() {\n" + body + "}\n";
  return dispatch;
}

Dispatch ShaderText::for_each_group(std::int64_t count, const std::string& lines) {
  body =
      "int lane = int(gl_LocalInvocationIndex);\n" + group_loop("g", count, "barrier();\n" + lines);
  return finish(count);
}

Dispatch ShaderText::for_each(const std::string& variable, std::int64_t count,
                              const std::string& lines) {
  body = strided_loop(variable, "gl_GlobalInvocationID.x",
                      fmt::format("int(gl_NumWorkGroups.x) * {}", threads_), count,
                      count % threads_ != 0, lines);
  return finish((count + threads_ - 1) / threads_);
}

}  // namespace genera::vulkan
