#include "backends/cpu/conv_step.h"

#include "backends/cpu/conv_correlation.h"
#include "backends/cpu/conv_dots.h"
#include "backends/cpu/conv_shape.h"
#include "backends/cpu/conv_weight_gradient.h"
#include "backends/cpu/gemm.h"

namespace genera::cpu {
namespace {

// The addresses of a convolution's operands.
struct Operands {
  const float* first;
  const float* second;
  float* output;

  Operands(const PrimitiveStep& step, std::span<void* const> addresses)
      : first(at(step.inputs[0], addresses)),
        second(at(step.inputs[1], addresses)),
        output(at(step.outputs[0], addresses)) {}

 private:
  static float* at(const PlanOperand& operand, std::span<void* const> addresses) {
    return static_cast<float*>(addresses[static_cast<std::size_t>(operand.buffer)]);
  }
};

// A convolution by ConvCorrelation, ConvWeightGradient or ConvDots.
template <class Convolution>
class ConvRunner final : public StepRunner {
 public:
  ConvRunner(const PrimitiveStep& step, const ConvShape& shape)
      : step_(step), convolution_(shape) {}
  void run(std::span<void* const> addresses, std::span<const ScalarBinding>) override {
    const Operands operands(step_, addresses);
    convolution_.run(operands.first, operands.second, operands.output);
  }

 private:
  const PrimitiveStep& step_;
  Convolution convolution_;
};

// A convolution that is one matrix product: y has one pixel, or there are only 1 x 1 products.
class ProductRunner final : public StepRunner {
 public:
  ProductRunner(const PrimitiveStep& step, const ConvShape& shape) : step_(step) {
    if (shape.dense()) {
      set_dense(shape);
    } else {
      set_pointwise(shape);
    }
  }
  void run(std::span<void* const> addresses, std::span<const ScalarBinding>) override {
    const Operands operands(step_, addresses);
    Gemm product = product_;
    product.a.matrix.data = first_is_a_ ? operands.first : operands.second;
    product.b.matrix.data = first_is_a_ ? operands.second : operands.first;
    product.c.data = operands.output;
    gemm(product);
  }

 private:
  // x (N, I), w (O, I), y (N, O).
  void set_dense(const ConvShape& shape) {
    const std::int64_t n = shape.batch;
    const std::int64_t i = shape.in_channels * shape.in_plane();
    const std::int64_t o = shape.out_channels;
    switch (shape.role) {
      case ConvAttrs::out:
        set_sizes(n, o, i);
        product_.a.matrix = {nullptr, i, 1};
        product_.b.matrix = {nullptr, 1, i};
        break;
      case ConvAttrs::grad_input:
        set_sizes(n, i, o);
        product_.a.matrix = {nullptr, o, 1};
        product_.b.matrix = {nullptr, i, 1};
        break;
      case ConvAttrs::grad_weight:
        set_sizes(o, i, n);
        product_.a.matrix = {nullptr, 1, o};
        product_.b.matrix = {nullptr, i, 1};
        first_is_a_ = false;
        break;
    }
  }

  // One product per image: y (O, P) = w (O, I) x (I, P).
  void set_pointwise(const ConvShape& shape) {
    const std::int64_t pixels = shape.out_plane();
    const bool forward = shape.role == ConvAttrs::out;
    const std::int64_t to = forward ? shape.out_channels : shape.in_channels;
    const std::int64_t from = forward ? shape.in_channels : shape.out_channels;
    set_sizes(to, pixels, from);
    product_.batch = shape.batch;
    product_.a.matrix = {nullptr, forward ? from : 1, forward ? 1 : to};
    product_.b.matrix = {nullptr, pixels, 1, from * pixels};
    product_.c.batch_stride = to * pixels;
    first_is_a_ = false;
  }

  void set_sizes(std::int64_t m, std::int64_t n, std::int64_t k) {
    product_.m = m;
    product_.n = n;
    product_.k = k;
    product_.c.row_stride = n;
  }

  const PrimitiveStep& step_;
  Gemm product_;
  bool first_is_a_ = true;
};

}  // namespace

std::unique_ptr<StepRunner> make_conv_runner(const PrimitiveStep& step) {
  const ConvShape shape = conv_shape(step);
  const bool weight = shape.role == ConvAttrs::grad_weight;
  if (shape.groups == 1 && (shape.dense() || (!weight && shape.pointwise()))) {
    return std::make_unique<ProductRunner>(step, shape);
  }
  if (!weight) return std::make_unique<ConvRunner<ConvCorrelation>>(step, shape);
  if (ConvDots::suits(shape)) return std::make_unique<ConvRunner<ConvDots>>(step, shape);
  return std::make_unique<ConvRunner<ConvWeightGradient>>(step, shape);
}

}  // namespace genera::cpu
