/// The loops of a kernel as index arithmetic in GLSL.
#pragma once

#include "engine/plan/plan.h"

#include <cstdint>
#include <string>
#include <vector>

namespace genera::vulkan {

/// The kernel's dimensions without those of extent 1, neighbours joined where every view steps through both as through one. The variable i<d> holds the index of what
/// is left as dimension d.
class LoopSpace {
 public:
  /// Whether neighbours are joined.
  enum Joining { joined, separate };
  /// DeviceError for more than 2^30 iterations.
  explicit LoopSpace(const KernelStep& step, Joining joining = joined);

  std::int64_t kept_count() const { return kept_; }
  std::int64_t reduced_count() const { return reduced_; }
  std::int64_t count() const { return kept_ * reduced_; }
  /// Whether the innermost dimension is reduced.
  bool row_form() const { return row_form_; }

  /// Statements that declare the indices from a flat number: of all dimensions, the kept or the reduced ones.
  std::string all_indices(const std::string& flat) const { return indices(flat, true, true); }
  std::string kept_indices(const std::string& flat) const { return indices(flat, true, false); }
  std::string reduced_indices(const std::string& flat) const { return indices(flat, false, true); }

  /// Statements that declare the indices from one expression per dimension of the kernel; for a space that is not joined.
  std::string assigned(const std::vector<std::string>& expressions) const;

  /// The element number that the view gives, as an expression of the indices.
  std::string index(const AffineView& view) const;
  /// Whether the view steps along a reduced dimension.
  bool along_reduced(const AffineView& view) const;
  /// Whether the instruction itself differs along a reduced dimension.
  bool along_reduced(const KernelInstr& instr) const;

 private:
  struct Dimension {
    std::int64_t extent;
    bool reduced;
    std::size_t axis;  // the kernel's innermost one of those joined, whose stride is the joint one
  };
  std::string indices(const std::string& flat, bool kept, bool reduced) const;
  void join(const KernelStep& step);

  std::vector<Dimension> dimensions_;
  std::int64_t kept_ = 1, reduced_ = 1;
  bool row_form_ = false;
};

}  // namespace genera::vulkan
