#include "backends/vulkan/shader_compiler.h"

#include <genera/error.h>

#include "backends/vulkan/disk_cache.h"

#include <fmt/format.h>
#include <glslang/build_info.h>
#include <glslang/Include/glslang_c_interface.h>
#include <glslang/Public/resource_limits_c.h>
#include <xxhash.h>

#include <atomic>
#include <memory>

namespace genera::vulkan {
namespace {

constexpr std::string_view prelude =
#include "prelude.glsl.inc"
    ;

std::atomic<std::uint64_t> compiled{0};

/// Lines with numbers, as the compiler's log counts them.
std::string numbered(std::string_view source) {
  std::string text;
  for (int line = 1; !source.empty(); ++line) {
    const std::size_t end = source.find('\n');
    text += fmt::format("{:4} {}\n", line, source.substr(0, end));
    source.remove_prefix(end == std::string_view::npos ? source.size() : end + 1);
  }
  return text;
}

[[noreturn]] void throw_log(const char* stage, const char* log, std::string_view source) {
  throw DeviceError(
      fmt::format("[vulkan] a shader does not {}: {}\n{}", stage, log, numbered(source)));
}

std::vector<std::uint32_t> translate(const std::string& source) {
  static const bool ready = glslang_initialize_process() != 0;  // 0.2 s, once
  if (!ready) throw DeviceError("[vulkan] glslang cannot be initialised");
  ++compiled;
  glslang_input_t input{};
  input.language = GLSLANG_SOURCE_GLSL;
  input.stage = GLSLANG_STAGE_COMPUTE;
  input.client = GLSLANG_CLIENT_VULKAN;
  input.client_version = GLSLANG_TARGET_VULKAN_1_2;
  input.target_language = GLSLANG_TARGET_SPV;
  input.target_language_version = GLSLANG_TARGET_SPV_1_5;
  input.code = source.c_str();
  input.default_version = 460;
  input.default_profile = GLSLANG_NO_PROFILE;
  input.messages =
      static_cast<glslang_messages_t>(GLSLANG_MSG_SPV_RULES_BIT | GLSLANG_MSG_VULKAN_RULES_BIT);
  input.resource = glslang_default_resource();
  const std::unique_ptr<glslang_shader_t, decltype(&glslang_shader_delete)> shader(
      glslang_shader_create(&input), &glslang_shader_delete);
  if (!glslang_shader_preprocess(shader.get(), &input))
    throw_log("preprocess", glslang_shader_get_info_log(shader.get()), source);
  if (!glslang_shader_parse(shader.get(), &input))
    throw_log("compile", glslang_shader_get_info_log(shader.get()), source);
  const std::unique_ptr<glslang_program_t, decltype(&glslang_program_delete)> program(
      glslang_program_create(), &glslang_program_delete);
  glslang_program_add_shader(program.get(), shader.get());
  if (!glslang_program_link(program.get(), input.messages))
    throw_log("link", glslang_program_get_info_log(program.get()), source);
  glslang_program_SPIRV_generate(program.get(), GLSLANG_STAGE_COMPUTE);
  std::vector<std::uint32_t> module(glslang_program_SPIRV_get_size(program.get()));
  glslang_program_SPIRV_get(program.get(), module.data());
  return module;
}

/// Everything that decides what translate() and made_exact() give.
std::string cache_key(std::string_view source, bool keeps_nan) {
  const XXH128_hash_t hash = XXH3_128bits(source.data(), source.size());
  return fmt::format("{:016x}{:016x}-{}-{}.{}.{}-{}", hash.high64, hash.low64, source.size(),
                     GLSLANG_VERSION_MAJOR, GLSLANG_VERSION_MINOR, GLSLANG_VERSION_PATCH,
                     keeps_nan ? "nan" : "plain");
}

// SPIR-V's numbers, from its specification.
namespace spirv {
constexpr std::uint32_t header_words = 5;
constexpr std::uint32_t op_capability = 17, op_execution_mode = 16, op_entry_point = 15,
                        op_decorate = 71;
constexpr std::uint32_t op_type_void = 19, op_type_first = 19, op_type_last = 39;
constexpr std::uint32_t no_contraction = 42;
constexpr std::uint32_t capability_keep_nan = 4466, mode_keep_nan = 4461;

/// FNegate, FAdd, FSub, FMul, FDiv, FRem, FMod, and products of vectors.
bool is_float_arithmetic(std::uint32_t op) {
  return op == 127 || op == 129 || op == 131 || op == 133 || op == 136 || op == 140 || op == 141 ||
         (op >= 142 && op <= 148);
}
}  // namespace spirv

}  // namespace

std::vector<std::uint32_t> made_exact(const std::vector<std::uint32_t>& module, bool keeps_nan) {
  using namespace spirv;
  std::vector<std::uint32_t> result(module.begin(), module.begin() + header_words);
  std::vector<std::uint32_t> decorations;
  std::size_t types = 0;  // where the first type stands
  std::uint32_t entry_point = 0;
  for (std::size_t at = header_words; at < module.size(); at += module[at] >> 16) {
    const std::uint32_t op = module[at] & 0xffffu;
    if (types == 0 && op >= op_type_first && op <= op_type_last) types = at;
    if (op == op_entry_point) entry_point = module[at + 2];
    if (is_float_arithmetic(op))
      decorations.insert(decorations.end(),
                         {3u << 16 | op_decorate, module[at + 2], no_contraction});
  }
  bool capability_done = false;
  for (std::size_t at = header_words; at < module.size(); at += module[at] >> 16) {
    const std::uint32_t op = module[at] & 0xffffu;
    if (keeps_nan && !capability_done && op == op_capability) {
      result.insert(result.end(), {2u << 16 | op_capability, capability_keep_nan});
      capability_done = true;
    }
    if (keeps_nan && op == op_execution_mode)
      result.insert(result.end(), {4u << 16 | op_execution_mode, entry_point, mode_keep_nan, 32});
    if (at == types) result.insert(result.end(), decorations.begin(), decorations.end());
    result.insert(result.end(), module.begin() + static_cast<std::ptrdiff_t>(at),
                  module.begin() + static_cast<std::ptrdiff_t>(at + (module[at] >> 16)));
  }
  return result;
}

std::vector<std::uint32_t> compile_shader(std::string_view body, const Limits& limits) {
  std::string source = "#version 460\n";
  if (limits.bytes) source += "#extension GL_EXT_shader_8bit_storage : require\n";
  if (limits.half_words) source += "#extension GL_EXT_shader_16bit_storage : require\n";
  source += prelude;
  source += body;
  const std::string key = cache_key(source, limits.keeps_nan);
  std::vector<std::uint32_t> module = DiskCache::instance().find(key);
  if (!module.empty()) return module;
  module = made_exact(translate(source), limits.keeps_nan);
  DiskCache::instance().insert(key, module);
  return module;
}

std::uint64_t shaders_compiled() { return compiled; }

}  // namespace genera::vulkan
