#include "backends/vulkan/print_instruction.h"

#include <fmt/format.h>

#include <bit>
#include <cctype>
#include <cmath>

namespace genera::vulkan {
namespace {

/// The `glsl` column of primitives.def; empty for what is no elementwise primitive.
std::string_view expression_of(KernelOp op) {
  switch (op) {
#define GENERA_UNARY(Name, function, types, reference, glsl, ...) \
  case KernelOp::Name:                                            \
    return glsl;
#define GENERA_BINARY(Name, function, types, reference, glsl, ...) \
  case KernelOp::Name:                                             \
    return glsl;
#define GENERA_TERNARY(Name, function, types, reference, glsl, ...) \
  case KernelOp::Name:                                              \
    return glsl;
#include "engine/graph/primitives.def"
    default:
      return {};
  }
}

/// The expression with its operands' names in place of x, a, b and c.
std::string with_operands(std::string_view expression, const KernelInstr& instr) {
  const auto in_word = [](char ch) {
    return std::isalnum(static_cast<unsigned char>(ch)) != 0 || ch == '_';
  };
  std::string text;
  for (std::size_t i = 0; i < expression.size(); ++i) {
    const char ch = expression[i];
    const bool alone = (i == 0 || !in_word(expression[i - 1])) &&
                       (i + 1 == expression.size() || !in_word(expression[i + 1]));
    if (alone && (ch == 'x' || ch == 'a'))
      text += instr.op == KernelOp::Select ? fmt::format("(v{} != 0)", instr.a)
                                           : fmt::format("v{}", instr.a);
    else if (alone && ch == 'b')
      text += fmt::format("v{}", instr.b);
    else if (alone && ch == 'c')
      text += fmt::format("v{}", instr.c);
    else
      text += ch;
  }
  return text;
}

std::string cast_of(const KernelInstr& from, const KernelInstr& to) {
  const std::string x = fmt::format("v{}", to.a);
  if (to.boolean && to.type != LaneType::f32) {
    if (from.boolean) return x;
    return fmt::format("int({} != {})", x,
                       from.type == LaneType::f32   ? "0.0"
                       : from.type == LaneType::u32 ? "0u"
                                                    : "0");
  }
  if (from.type == to.type) return x;
  if (from.type == LaneType::f32)
    return (to.type == LaneType::i32 ? "g_to_int(" : "g_to_uint(") + x + ")";
  return fmt::format("{}({})", lane_name(to.type), x);
}

std::string scalar(const KernelStep& step, const KernelInstr& instr, ShaderText& text) {
  const int binding = text.bind({BufferUse::scalars}, DType::u32, true, false);
  const int number = step.scalars[static_cast<std::size_t>(instr.imm)];
  const std::string word = text.load(
      binding,
      std::to_string(BufferUse::scalar_words * number + (instr.type == LaneType::f32 ? 0 : 1)));
  if (instr.boolean) return fmt::format("int({} != 0u)", word);
  switch (instr.type) {
    case LaneType::f32:
      return fmt::format("uintBitsToFloat({})", word);
    case LaneType::i32:
      return fmt::format("int({})", word);
    default:
      return word;
  }
}

std::string random_word(const KernelStep& step, const KernelInstr& instr, ShaderText& text,
                        const LoopSpace& space) {
  const int binding = text.bind({BufferUse::scalars}, DType::u32, true, false);
  const int word = BufferUse::scalar_words * step.scalars[static_cast<std::size_t>(instr.imm)] + 1;
  return fmt::format("g_random(uvec2({}, {}), uint({}))", text.load(binding, std::to_string(word)),
                     text.load(binding, std::to_string(word + 1)), space.index(instr.view));
}

std::string value_of(const KernelStep& step, const KernelInstr& instr, ShaderText& text,
                     const LoopSpace& space, std::span<const int> same_memory) {
  switch (instr.op) {
    case KernelOp::Load:
      return text.load(bind_buffer(step, instr.imm, text, same_memory, true, false),
                       space.index(instr.view));
    case KernelOp::Const:
      return literal(instr.constant, instr.type);
    case KernelOp::Scalar:
      return scalar(step, instr, text);
    case KernelOp::Iota:
      return fmt::format("{}({})", lane_name(instr.type), space.index(instr.view));
    case KernelOp::RandomBits:
      return random_word(step, instr, text, space);
    case KernelOp::RandomUniform:
      return fmt::format("g_uniform({})", random_word(step, instr, text, space));
    case KernelOp::Cast:
      return cast_of(step.kernel.code[static_cast<std::size_t>(instr.a)], instr);
    default: {
      const std::string expression = with_operands(expression_of(instr.op), instr);
      const bool compares = instr.op == KernelOp::Less || instr.op == KernelOp::Equal;
      return compares ? fmt::format("int({})", expression) : expression;
    }
  }
}

std::uint32_t bits_of(double value, LaneType type) {
  if (type == LaneType::f32) return std::bit_cast<std::uint32_t>(static_cast<float>(value));
  if (std::isnan(value)) return 0;
  // Through 64 bits, so that -1 and 2^32 - 1 are the same.
  if (value >= 9.2e18 || value <= -9.2e18) return value > 0 ? 0x7fffffffu : 0x80000000u;
  return static_cast<std::uint32_t>(static_cast<std::int64_t>(value));
}

}  // namespace

const char* lane_name(LaneType type) {
  return type == LaneType::f32 ? "float" : type == LaneType::i32 ? "int" : "uint";
}

std::vector<std::int16_t> operands_of(const KernelInstr& instr) {
  switch (instr.op) {
#define GENERA_UNARY(Name, ...) case KernelOp::Name:
#include "engine/graph/primitives.def"
    case KernelOp::Cast:
    case KernelOp::ReduceSum:
    case KernelOp::ReduceMax:
      return {instr.a};
#define GENERA_BINARY(Name, ...) case KernelOp::Name:
#include "engine/graph/primitives.def"
      return {instr.a, instr.b};
#define GENERA_TERNARY(Name, ...) case KernelOp::Name:
#include "engine/graph/primitives.def"
      return {instr.a, instr.b, instr.c};
    default:
      return {};
  }
}

std::string literal(double value, LaneType type) {
  const std::uint32_t bits = bits_of(value, type);
  switch (type) {
    case LaneType::f32:
      return fmt::format("uintBitsToFloat({:#x}u)", bits);
    case LaneType::i32:
      return fmt::format("int({:#x}u)", bits);
    default:
      return fmt::format("{:#x}u", bits);
  }
}

int bind_buffer(const KernelStep& step, int buffer, ShaderText& text,
                std::span<const int> same_memory, bool reads, bool writes) {
  const auto number = static_cast<std::size_t>(step.buffers[static_cast<std::size_t>(buffer)]);
  return text.bind({same_memory[number]}, step.kernel.buffers[static_cast<std::size_t>(buffer)],
                   reads, writes);
}

std::string print_instruction(const KernelStep& step, int n, ShaderText& text,
                              const LoopSpace& space, std::span<const int> same_memory) {
  const KernelInstr& instr = step.kernel.code[static_cast<std::size_t>(n)];
  return fmt::format("{} v{} = {};\n", lane_name(instr.type), n,
                     value_of(step, instr, text, space, same_memory));
}

}  // namespace genera::vulkan
