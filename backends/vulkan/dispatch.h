/// One dispatch before it is compiled: GLSL text and what it binds.
#pragma once

#include <genera/dtype.h>

#include "backends/vulkan/limits.h"

#include <cstdint>
#include <string>
#include <vector>

namespace genera::vulkan {

/// What a binding sees: a buffer of the plan (its number), or part of what the executable has besides.
struct BufferUse {
  static constexpr int scalars = -1;  ///< the run's scalars, `scalar_words` words each
  static constexpr int scratch = -2;  ///< `bytes` from `offset` of the executable's scratch memory
  static constexpr int status = -3;   ///< words that say what went wrong
  /// A scalar's words: as f32, as an integer of 64 bits (low, high), one unused.
  static constexpr int scalar_words = 4;
  int buffer = 0;
  std::int64_t offset = 0;
  std::int64_t bytes = 0;  ///< of the scratch part
  bool reads = false, writes = false;
};

/// Bytes of scratch memory for `count` words, up to where a binding may begin again.
std::int64_t scratch_part(std::int64_t count);

struct Dispatch {
  std::string text;
  std::vector<BufferUse> uses;
  std::int64_t groups = 0;  ///< wanted; kernels do with fewer
};

/// Runs `lines` for `variable` = first, first + step, … below `count`: the loop around a kernel's body, by which few workgroups do the work of many. Its condition
/// comes last, since nearly always there is one turn; where some threads may have none, `guarded` says so.
std::string strided_loop(const std::string& variable, const std::string& first,
                         const std::string& step, std::int64_t count, bool guarded,
                         const std::string& lines);
/// The same over workgroups. There are never more of them than `count`.
std::string group_loop(const std::string& variable, std::int64_t count, const std::string& lines);

/// Puts a shader's text together: bindings as they are asked for, then the body.
class ShaderText {
 public:
  /// Threads in a workgroup.
  explicit ShaderText(int threads) : threads_(threads) {}

  /// The number of the binding of `use`, with elements of `dtype`; one binding for one buffer.
  int bind(const BufferUse& use, DType dtype, bool reads, bool writes);
  /// The element at `index` as a value of its lane type, by a binding that reads.
  std::string load(int binding, const std::string& index) const;
  /// The statement that stores `value` (of the lane type).
  std::string store(int binding, const std::string& index, const std::string& value) const;

  /// Lines at the top level, before main().
  std::string declarations;
  /// Lines of main().
  std::string body;

  Dispatch finish(std::int64_t groups) const;
  /// The kernel that runs `lines` for each of `count` numbers, one thread each, in `variable`.
  Dispatch for_each(const std::string& variable, std::int64_t count, const std::string& lines);
  /// The kernel whose workgroups go over `count` numbers g; the threads of one begin `lines` together, each with its number in `lane`.
  Dispatch for_each_group(std::int64_t count, const std::string& lines);

 private:
  struct Bound {
    BufferUse use;
    DType dtype;
  };
  int threads_;
  std::vector<Bound> bound_;
};

/// "float", "int" or "uint": what elements of the type are computed as.
const char* lane_name(DType dtype);

/// Throws DeviceError unless shaders can hold elements of the type.
void check_dtype(DType dtype, const Limits& limits);

}  // namespace genera::vulkan
