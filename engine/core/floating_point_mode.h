/// How a thread's floating-point instructions round and what they do with subnormal numbers.
#pragma once

#include <cstdint>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace genera {

#if defined(__x86_64__)
using FloatingPointMode = std::uint32_t;                          // MXCSR
inline constexpr FloatingPointMode flush_bits = 0x8000 | 0x0040;  // results, operands
inline FloatingPointMode floating_point_mode() { return _mm_getcsr(); }
inline void set_floating_point_mode(FloatingPointMode mode) { _mm_setcsr(mode); }
#elif defined(__aarch64__)
using FloatingPointMode = std::uint64_t;  // FPCR
inline constexpr FloatingPointMode flush_bits = FloatingPointMode{1} << 24;
inline FloatingPointMode floating_point_mode() {
  FloatingPointMode mode;
  asm volatile("mrs %0, fpcr" : "=r"(mode));
  return mode;
}
inline void set_floating_point_mode(FloatingPointMode mode) {
  asm volatile("msr fpcr, %0" : : "r"(mode));
}
#else
using FloatingPointMode = int;
inline constexpr FloatingPointMode flush_bits = 0;
inline FloatingPointMode floating_point_mode() { return 0; }
inline void set_floating_point_mode(FloatingPointMode) {}
#endif

/// While one lives, this thread, and the pool's threads in its calls, read subnormal numbers (below 2^-126 in f32) as zero
/// and give zero for them, sign kept. A processor takes some 150 cycles for each otherwise, and training makes many:
/// moments of parameters that get no gradient any more decay through them.
class FlushSubnormals {
 public:
  FlushSubnormals() : before_(floating_point_mode()) {
    set_floating_point_mode(before_ | flush_bits);
  }
  ~FlushSubnormals() { set_floating_point_mode(before_); }
  FlushSubnormals(const FlushSubnormals&) = delete;
  FlushSubnormals& operator=(const FlushSubnormals&) = delete;

 private:
  FloatingPointMode before_;
};

}  // namespace genera
