#include "backends/cpu/conv_step.h"

#include "backends/conv_shape.h"
#include "backends/cpu/conv_correlation.h"
#include "backends/cpu/conv_dots.h"
#include "backends/cpu/conv_weight_gradient.h"
#include "backends/cpu/conv_winograd.h"
#include "backends/cpu/conv_winograd_weight.h"
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

// Role out or grad_input by ConvCorrelation or ConvWinograd.
template <class Convolution>
class CorrelationRunner final : public StepRunner {
 public:
  CorrelationRunner(const PrimitiveStep& step, const ConvShape& shape, const ConvEpilogue* epilogue)
      : step_(step), convolution_(shape), epilogue_(epilogue) {}
  void run(std::span<void* const> addresses, std::span<const ScalarBinding>) override {
    const Operands operands(step_, addresses);
    convolution_.run(operands.first, operands.second, operands.output, epilogue_);
  }

 private:
  const PrimitiveStep& step_;
  Convolution convolution_;
  const ConvEpilogue* epilogue_;
};

// A weight gradient by one of three classes.
template <class Convolution>
class WeightRunner final : public StepRunner {
 public:
  WeightRunner(const PrimitiveStep& step, const ConvShape& shape)
      : step_(step), convolution_(shape) {}
  void run(std::span<void* const> addresses, std::span<const ScalarBinding>) override {
    const Operands operands(step_, addresses);
    convolution_.run(operands.first, operands.second, operands.output);
  }

 private:
  const PrimitiveStep& step_;
  Convolution convolution_;
};

// Whether a convolution is one matrix product: y has one pixel, or there are only 1 x 1 products.
bool is_product(const ConvShape& shape) {
  return shape.groups == 1 &&
         (shape.dense() || (shape.role != ConvAttrs::grad_weight && shape.pointwise()));
}

class ProductRunner final : public StepRunner, private GemmEpilogue {
 public:
  ProductRunner(const PrimitiveStep& step, const ConvShape& shape, const ConvEpilogue* epilogue)
      : step_(step), epilogue_(epilogue), dense_(shape.dense()) {
    if (dense_) {
      set_dense(shape);
    } else {
      set_pointwise(shape);
    }
    if (epilogue != nullptr) product_.epilogue = this;
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

  // Rows and columns are images and channels, or of each image the channels and pixels.
  void run(std::int64_t image, std::int64_t row0, std::int64_t row1, std::int64_t col0,
           std::int64_t col1, float*) const override {
    epilogue_->run(dense_ ? ConvBlock{{row0, col0, 0}, {row1, col1, 1}}
                          : ConvBlock{{image, row0, col0}, {image + 1, row1, col1}});
  }

  const PrimitiveStep& step_;
  const ConvEpilogue* epilogue_;
  bool dense_;
  Gemm product_;
  bool first_is_a_ = true;
};

}  // namespace

bool conv_takes_epilogue(const PrimitiveStep& step) {
  if (step.op != Op::Conv) return false;
  const ConvShape shape = conv_shape(step);
  if (shape.role == ConvAttrs::grad_weight) return false;
  // A dense input gradient has the pixels of all channels side by side.
  return !is_product(shape) || !shape.dense() || shape.role == ConvAttrs::out ||
         shape.in_plane() == 1;
}

std::unique_ptr<StepRunner> make_conv_runner(const PrimitiveStep& step,
                                             const ConvEpilogue* epilogue) {
  const ConvShape shape = conv_shape(step);
  if (is_product(shape)) return std::make_unique<ProductRunner>(step, shape, epilogue);
  if (shape.role != ConvAttrs::grad_weight) {
    if (ConvWinograd::suits(shape))
      return std::make_unique<CorrelationRunner<ConvWinograd>>(step, shape, epilogue);
    return std::make_unique<CorrelationRunner<ConvCorrelation>>(step, shape, epilogue);
  }
  if (ConvDots::suits(shape)) return std::make_unique<WeightRunner<ConvDots>>(step, shape);
  if (ConvWinogradWeight::suits(shape))
    return std::make_unique<WeightRunner<ConvWinogradWeight>>(step, shape);
  return std::make_unique<WeightRunner<ConvWeightGradient>>(step, shape);
}

}  // namespace genera::cpu
