/// The matrix product of the CPU backend: C = A B with strided operands, packers, batches and an
/// epilogue. docs/gemm.md says how it works.
#pragma once

#include <cstdint>

namespace genera::cpu {

/// A matrix in memory: element (r, c) of batch entry i lies at data[i * batch_stride + r *
/// row_stride + c * col_stride]. A transpose is a swap of the strides, a stride of 0 repeats the
/// matrix or the line.
struct MatrixView {
  const float* data = nullptr;
  std::int64_t row_stride = 0;
  std::int64_t col_stride = 0;
  std::int64_t batch_stride = 0;
};

/// An operand that is computed while it is packed: convolution as an implicit matrix product.
///
/// The product asks for one panel at a time. A *line* is a row of A, or a column of B; a panel is
/// `count` lines, interleaved by k:
///
///     out[k * width + i] = X(line0 + i, k0 + k)   for 0 <= k < depth, 0 <= i < count
///     out[k * width + i] = 0                      for 0 <= k < depth, count <= i < width
///
/// where X(line, k) is A(line, k) or B(k, line). `width` is known only at run time: 1 to 14 for the
/// operand that becomes the tile's rows (there count == width always), the vector length or twice
/// that (16 or 32 floats on AVX-512, 8 or 16 on AVX2) for the one that becomes its columns. Either
/// operand may become either one, so a packer relies on neither. `out` is not aligned for odd
/// widths; out[0, depth * width) is all that may be written. The calls of one product come from
/// several threads at once, in any order, each panel as often as blocking wants it.
class PanelPacker {
 public:
  PanelPacker() = default;
  PanelPacker(const PanelPacker&) = delete;
  PanelPacker& operator=(const PanelPacker&) = delete;
  virtual ~PanelPacker() = default;

  virtual void pack(std::int64_t batch, std::int64_t line0, std::int64_t count, std::int64_t width,
                    std::int64_t k0, std::int64_t depth, float* out) const = 0;
};

/// One operand: a matrix in memory, or a packer that makes it.
struct GemmOperand {
  MatrixView matrix;
  const PanelPacker* packer = nullptr;  ///< when set, `matrix` is ignored
};

/// Where C goes: column n of row m of batch entry i lies at
/// data[i * batch_stride + m * row_stride + (n / group) * group_stride + n % group]. A group is
/// what is contiguous: all columns of a plain matrix (group 0 says that), the pixels of one image
/// for a convolution whose columns are (image, pixel). Elements must not overlap.
struct OutputView {
  float* data = nullptr;
  std::int64_t row_stride = 0;
  std::int64_t batch_stride = 0;
  std::int64_t group = 0;
  std::int64_t group_stride = 0;
};

/// Work on finished elements of C while they are in cache: bias, activation, residual, cast.
class GemmEpilogue {
 public:
  GemmEpilogue() = default;
  GemmEpilogue(const GemmEpilogue&) = delete;
  GemmEpilogue& operator=(const GemmEpilogue&) = delete;
  virtual ~GemmEpilogue() = default;

  /// C[row0, row1) x [col0, col1) of batch entry `batch` is final and stored: in C, or with
  /// Gemm::scratch_c in scratch memory, at C's strides from `block`, its first element, on (else
  /// nullptr). Over one product the blocks cover each element exactly once; they come from several
  /// threads at once, each from the thread that computed it.
  virtual void run(std::int64_t batch, std::int64_t row0, std::int64_t row1, std::int64_t col0,
                   std::int64_t col1, float* block) const = 0;
};

/// Which implementation multiplies.
enum class GemmEngine {
  automatic,  ///< the one that measured faster for the shape
  own,        ///< the packed core of this folder
  openblas,   ///< cblas_sgemm on fixed tiles; products that it cannot express (packers, groups, two
              ///< strides that are not 1) go to the own core
};

/// One product, or `batch` of them: C(m x n) = A(m x k) B(k x n), then the epilogue.
struct Gemm {
  std::int64_t m = 0;
  std::int64_t n = 0;
  std::int64_t k = 0;
  std::int64_t batch = 1;
  GemmOperand a;
  GemmOperand b;
  OutputView c;
  bool accumulate = false;  ///< add the product to what C holds
  const GemmEpilogue* epilogue = nullptr;
  /// Only the epilogue needs C: blocks of it may lie in scratch memory, and C stay unwritten.
  bool scratch_c = false;
  GemmEngine engine = GemmEngine::automatic;
};

/// Computes `gemm` on the engine's thread pool. C must not overlap A or B. With k = 0 C becomes 0
/// (or stays, with accumulate), and the epilogue runs. The result's bits depend on the shape, the
/// strides and the processor's SIMD target, never on the number of threads. No memory is allocated
/// from the second product of one shape on (by the same thread and thread count). Throws
/// ArgumentError for negative sizes, MemoryError without memory for scratch, and DeviceError when
/// the self-test at first use finds wrong numbers.
void gemm(const Gemm& gemm);

/// Whether OpenBLAS passed its self-test; otherwise GemmEngine::openblas means the own core.
bool openblas_works();

}  // namespace genera::cpu
