/// Element types of tensors.
#pragma once

#include <genera/export.h>

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace genera {

/// Element type. f16 and bf16 are storage types: arithmetic converts them to f32 and rounds back.
enum class DType : std::uint8_t { f32, f64, f16, bf16, i32, i64, u8, u32, boolean };
inline constexpr int dtype_count = 9;

/// IEEE 754 binary16, stored as bits. Convert with a static_cast to and from float (round to nearest even).
struct GENERA_API float16 {
  std::uint16_t bits = 0;
  float16() = default;
  explicit float16(float value);
  explicit operator float() const;
};

/// The upper half of a binary32, stored as bits. Convert with a static_cast (round to nearest even).
struct GENERA_API bfloat16 {
  std::uint16_t bits = 0;
  bfloat16() = default;
  explicit bfloat16(float value);
  explicit operator float() const;
};

/// Bytes of one element.
constexpr std::size_t size_of(DType dtype) {
  constexpr std::size_t sizes[dtype_count] = {4, 8, 2, 2, 4, 8, 1, 4, 1};
  return sizes[static_cast<int>(dtype)];
}

/// "f32", "f64", "f16", "bf16", "i32", "i64", "u8", "u32" or "bool".
constexpr std::string_view name(DType dtype) {
  constexpr std::string_view names[dtype_count] = {"f32", "f64", "f16", "bf16", "i32",
                                                   "i64", "u8",  "u32", "bool"};
  return names[static_cast<int>(dtype)];
}

constexpr bool is_floating(DType dtype) { return dtype <= DType::bf16; }
constexpr bool is_integer(DType dtype) { return dtype >= DType::i32 && dtype <= DType::u32; }

/// dtype_of<float> == DType::f32 and so on; no value for types that tensors do not hold.
template <class T>
struct dtype_of_type;
// clang-format off
template <> struct dtype_of_type<float> { static constexpr DType value = DType::f32; };
template <> struct dtype_of_type<double> { static constexpr DType value = DType::f64; };
template <> struct dtype_of_type<float16> { static constexpr DType value = DType::f16; };
template <> struct dtype_of_type<bfloat16> { static constexpr DType value = DType::bf16; };
template <> struct dtype_of_type<std::int32_t> { static constexpr DType value = DType::i32; };
template <> struct dtype_of_type<std::int64_t> { static constexpr DType value = DType::i64; };
template <> struct dtype_of_type<std::uint8_t> { static constexpr DType value = DType::u8; };
template <> struct dtype_of_type<std::uint32_t> { static constexpr DType value = DType::u32; };
template <> struct dtype_of_type<bool> { static constexpr DType value = DType::boolean; };
// clang-format on
template <class T>
inline constexpr DType dtype_of = dtype_of_type<T>::value;

}  // namespace genera
