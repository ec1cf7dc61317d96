/// Shapes: the extents of a tensor, outermost axis first. Rank 0 is a scalar; extents may be 0.
#pragma once

#include <genera/export.h>

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>

namespace genera {

/// Up to `max_rank` extents held in place (no allocation).
class GENERA_API Shape {
 public:
  static constexpr int max_rank = 8;

  Shape() = default;
  /// Throws ArgumentError for more than max_rank extents, a negative one, or more than 2^62 elements.
  Shape(std::initializer_list<std::int64_t> extents);
  explicit Shape(std::span<const std::int64_t> extents);

  int rank() const { return rank_; }
  /// Extent of `axis`, 0 <= axis < rank (unchecked).
  std::int64_t operator[](int axis) const { return extents_[static_cast<std::size_t>(axis)]; }
  /// Product of the extents; 1 for rank 0.
  std::int64_t elements() const {
    std::int64_t n = 1;
    for (int i = 0; i < rank_; ++i) n *= extents_[static_cast<std::size_t>(i)];
    return n;
  }
  std::span<const std::int64_t> extents() const {
    return {extents_.data(), static_cast<std::size_t>(rank_)};
  }
  const std::int64_t* begin() const { return extents_.data(); }
  const std::int64_t* end() const { return extents_.data() + rank_; }

  /// The same shape with `axis` set to `extent`.
  Shape with(int axis, std::int64_t extent) const;
  /// The same shape with one more (innermost) axis.
  Shape appended(std::int64_t extent) const;

  friend bool operator==(const Shape& a, const Shape& b) {
    if (a.rank_ != b.rank_) return false;
    for (int i = 0; i < a.rank_; ++i)
      if (a[i] != b[i]) return false;
    return true;
  }

 private:
  std::array<std::int64_t, max_rank> extents_{};
  int rank_ = 0;
};

/// "(8,1,28,28)", "()" for a scalar.
GENERA_API std::string to_string(const Shape& shape);

}  // namespace genera
