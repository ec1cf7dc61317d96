/// One instruction of a planner's kernel as a GLSL statement.
#pragma once

#include "backends/vulkan/dispatch.h"
#include "backends/vulkan/loop_space.h"
#include "engine/plan/plan.h"

#include <span>
#include <string>
#include <vector>

namespace genera::vulkan {

/// "float", "int" or "uint".
const char* lane_name(LaneType type);

/// The instructions that it takes values from.
std::vector<std::int16_t> operands_of(const KernelInstr& instr);

/// The binding of the kernel's buffer number `buffer`.
int bind_buffer(const KernelStep& step, int buffer, ShaderText& text,
                std::span<const int> same_memory, bool reads, bool writes);

/// Declares v<n>, the value of instruction n, which is no reduction.
std::string print_instruction(const KernelStep& step, int n, ShaderText& text,
                              const LoopSpace& space, std::span<const int> same_memory);

/// A literal with exactly these bits.
std::string literal(double value, LaneType type);

}  // namespace genera::vulkan
