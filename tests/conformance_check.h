/// One backend against the reference backend, which runs in f64 on the same inputs; integers and indices exactly.
#pragma once

#include "tests/case_tables.h"

#include <string>
#include <vector>

namespace genera::cases {

/// New graphs run on the named backend as long as this lives.
class OnBackend {
 public:
  explicit OnBackend(const char* wanted);
  ~OnBackend();
  OnBackend(const OnBackend&) = delete;
  OnBackend& operator=(const OnBackend&) = delete;

 private:
  std::string before_;
};

/// Outputs as f64 numbers.
std::vector<std::vector<double>> values(const std::vector<Tensor>& outputs);

/// Runs the case on the backend and on the reference; "" when they agree.
std::string compare(const char* backend, const Case& c, DType dtype);

inline constexpr DType dtypes[] = {DType::f32, DType::f64, DType::f16, DType::bf16,   DType::i32,
                                   DType::i64, DType::u8,  DType::u32, DType::boolean};

/// An elementwise primitive of NaN, infinities, signed zeros and extremes, in all pairs.
Case special_case(Op op);

/// Reductions, scans, sorts and products of NaN and infinities.
std::vector<Case> special_functions();

}  // namespace genera::cases
