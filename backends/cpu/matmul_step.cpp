#include "backends/cpu/matmul_step.h"

#include "backends/cpu/gemm.h"

#include <array>

namespace genera::cpu {
namespace {

/// A batch axis with its strides in a, b and c.
struct BatchAxis {
  std::int64_t extent;
  std::int64_t a, b, c;
};

class MatMulRunner final : public StepRunner {
 public:
  MatMulRunner(const PrimitiveStep& step, const GemmEpilogue* epilogue) : step_(step) {
    const int rank = step.outputs[0].shape.rank();
    const auto row = static_cast<std::size_t>(rank - 2), col = static_cast<std::size_t>(rank - 1);
    const AffineView a = step.inputs[0].layout(), b = step.inputs[1].layout(),
                     c = step.outputs[0].layout();
    a_offset_ = a.offset;
    b_offset_ = b.offset;
    product_.m = step.outputs[0].shape[rank - 2];
    product_.n = step.outputs[0].shape[rank - 1];
    product_.k = step.inputs[0].shape[rank - 1];
    product_.a.matrix.row_stride = a.stride[row];
    product_.a.matrix.col_stride = a.stride[col];
    product_.b.matrix.row_stride = b.stride[row];
    product_.b.matrix.col_stride = b.stride[col];
    product_.c.row_stride = product_.n;
    product_.epilogue = epilogue;
    product_.scratch_c = epilogue != nullptr;
    merge_batch(a, b, c, rank - 2);
  }

  void run(std::span<void* const> addresses, std::span<const ScalarBinding>) override {
    const auto* a =
        static_cast<const float*>(addresses[static_cast<std::size_t>(step_.inputs[0].buffer)]) +
        a_offset_;
    const auto* b =
        static_cast<const float*>(addresses[static_cast<std::size_t>(step_.inputs[1].buffer)]) +
        b_offset_;
    auto* c = static_cast<float*>(addresses[static_cast<std::size_t>(step_.outputs[0].buffer)]);
    if (step_.outputs[0].shape.elements() == 0) return;
    std::array<std::int64_t, Shape::max_rank> index{};
    for (;;) {
      Gemm product = product_;
      product.a.matrix.data = a;
      product.b.matrix.data = b;
      product.c.data = c;
      for (std::size_t d = 0; d < outer_count_; ++d) {
        product.a.matrix.data += index[d] * outer_[d].a;
        product.b.matrix.data += index[d] * outer_[d].b;
        product.c.data += index[d] * outer_[d].c;
      }
      gemm(product);
      std::size_t d = 0;
      while (d < outer_count_ && ++index[d] == outer_[d].extent) index[d++] = 0;
      if (d == outer_count_) return;
    }
  }

 private:
  /// Batch axes that step evenly become one; the longest of what is left is the core's batch, the others are loops.
  void merge_batch(const AffineView& a, const AffineView& b, const AffineView& c, int batch_rank) {
    const Shape& shape = step_.outputs[0].shape;
    for (int d = batch_rank - 1; d >= 0; --d) {
      const auto at = static_cast<std::size_t>(d);
      if (shape[d] == 1) continue;
      const BatchAxis axis{shape[d], a.stride[at], b.stride[at], c.stride[at]};
      if (outer_count_ > 0) {
        BatchAxis& inner = outer_[outer_count_ - 1];
        if (axis.a == inner.a * inner.extent && axis.b == inner.b * inner.extent &&
            axis.c == inner.c * inner.extent) {
          inner.extent *= axis.extent;
          continue;
        }
      }
      outer_[outer_count_++] = axis;
    }
    if (outer_count_ == 0) return;
    std::size_t longest = 0;
    for (std::size_t d = 1; d < outer_count_; ++d)
      if (outer_[d].extent > outer_[longest].extent) longest = d;
    product_.batch = outer_[longest].extent;
    product_.a.matrix.batch_stride = outer_[longest].a;
    product_.b.matrix.batch_stride = outer_[longest].b;
    product_.c.batch_stride = outer_[longest].c;
    outer_[longest] = outer_[--outer_count_];
  }

  const PrimitiveStep& step_;
  Gemm product_;
  std::int64_t a_offset_ = 0, b_offset_ = 0;
  std::array<BatchAxis, Shape::max_rank> outer_{};
  std::size_t outer_count_ = 0;
};

}  // namespace

std::unique_ptr<StepRunner> make_matmul_runner(const PrimitiveStep& step,
                                               const GemmEpilogue* epilogue) {
  return std::make_unique<MatMulRunner>(step, epilogue);
}

}  // namespace genera::cpu
