// Tensors as text: shape and dtype, then the elements in nested brackets as NumPy prints them.
#include "engine/graph/build.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace genera {
namespace {

constexpr std::int64_t most_shown = 1000;  ///< larger tensors are shortened
constexpr std::int64_t edge = 3;           ///< elements at each end of a shortened axis
constexpr std::int64_t gap = -1;           ///< stands for "..."

/// The positions of an axis that are shown.
std::vector<std::int64_t> shown_positions(std::int64_t extent, bool shorten) {
  std::vector<std::int64_t> shown;
  for (std::int64_t i = 0; i < extent; ++i) {
    if (!shorten || extent <= 2 * edge || i < edge || i >= extent - edge)
      shown.push_back(i);
    else if (shown.back() != gap)
      shown.push_back(gap);
  }
  return shown;
}

/// One format for all numbers of a tensor: all with the same decimals, or all with an exponent.
class NumberFormat {
 public:
  explicit NumberFormat(const std::vector<double>& values) {
    double largest = 0;
    double smallest = std::numeric_limits<double>::infinity();
    for (const double value : values) {
      if (!std::isfinite(value)) continue;
      whole_ = whole_ && value == std::floor(value);
      const double size = std::abs(value);
      largest = std::max(largest, size);
      if (size > 0) smallest = std::min(smallest, size);
    }
    exponent_ = largest >= 1e8 || (!whole_ && (smallest < 1e-4 || largest / smallest > 1e4));
  }

  std::string operator()(double value) const {
    if (std::isnan(value)) return "nan";
    if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
    if (exponent_) return fmt::format("{:.4e}", value);
    return whole_ ? fmt::format("{:.0f}.", value) : fmt::format("{:.4f}", value);
  }

 private:
  bool whole_ = true;
  bool exponent_ = false;
};

/// Writes rows of texts, one per shown element in row-major order, padded to one width.
class Layout {
 public:
  Layout(const Shape& shape, std::vector<std::string> texts, bool shorten)
      : shape_(shape), texts_(std::move(texts)), shorten_(shorten) {
    for (const std::string& text : texts_) width_ = std::max(width_, text.size());
  }

  std::string text() {
    write(0);
    return out_;
  }

 private:
  void write(int axis) {
    if (axis == shape_.rank()) {
      out_ += fmt::format("{:>{}}", texts_[next_++], width_);
      return;
    }
    out_ += '[';
    bool first = true;
    const bool innermost = axis == shape_.rank() - 1;
    for (const std::int64_t at : shown_positions(shape_[axis], shorten_)) {
      if (!first) separate(axis, innermost);
      first = false;
      if (at == gap)
        out_ += "...";
      else
        write(axis + 1);
    }
    out_ += ']';
  }

  void separate(int axis, bool innermost) {
    if (innermost) {
      out_ += ' ';
      return;
    }
    out_.append(static_cast<std::size_t>(shape_.rank() - 1 - axis), '\n');
    out_.append(static_cast<std::size_t>(axis + 1), ' ');
  }

  Shape shape_;
  std::vector<std::string> texts_;
  bool shorten_;
  std::size_t width_ = 0;
  std::size_t next_ = 0;
  std::string out_;
};

/// Offsets of the shown elements, row-major.
std::vector<std::int64_t> shown_offsets(const Shape& shape, bool shorten) {
  std::vector<std::int64_t> offsets{0};
  for (int axis = 0; axis < shape.rank(); ++axis) {
    std::vector<std::int64_t> longer;
    for (const std::int64_t offset : offsets)
      for (const std::int64_t at : shown_positions(shape[axis], shorten))
        if (at != gap) longer.push_back(offset * shape[axis] + at);
    offsets = std::move(longer);
  }
  return offsets;
}

template <class T>
std::vector<std::string> texts_of(const Tensor& tensor, const std::vector<std::int64_t>& offsets) {
  const std::vector<T> all = tensor.to_vector<T>();
  std::vector<std::string> texts;
  if constexpr (std::is_integral_v<T>) {
    for (const std::int64_t at : offsets) {
      const T value = all[static_cast<std::size_t>(at)];
      if constexpr (std::is_same_v<T, bool>)
        texts.push_back(value ? "true" : "false");
      else
        texts.push_back(fmt::format("{}", static_cast<std::int64_t>(value)));
    }
  } else {
    std::vector<double> shown;
    for (const std::int64_t at : offsets) {
      if constexpr (std::is_floating_point_v<T>)
        shown.push_back(static_cast<double>(all[static_cast<std::size_t>(at)]));
      else
        shown.push_back(static_cast<double>(static_cast<float>(all[static_cast<std::size_t>(at)])));
    }
    const NumberFormat format(shown);
    for (const double value : shown) texts.push_back(format(value));
  }
  return texts;
}

std::vector<std::string> texts_of(const Tensor& tensor, const std::vector<std::int64_t>& offsets) {
  switch (tensor.dtype()) {
    case DType::f32:
      return texts_of<float>(tensor, offsets);
    case DType::f64:
      return texts_of<double>(tensor, offsets);
    case DType::f16:
      return texts_of<float16>(tensor, offsets);
    case DType::bf16:
      return texts_of<bfloat16>(tensor, offsets);
    case DType::i32:
      return texts_of<std::int32_t>(tensor, offsets);
    case DType::i64:
      return texts_of<std::int64_t>(tensor, offsets);
    case DType::u8:
      return texts_of<std::uint8_t>(tensor, offsets);
    case DType::u32:
      return texts_of<std::uint32_t>(tensor, offsets);
    case DType::boolean:
      break;
  }
  return texts_of<bool>(tensor, offsets);
}

}  // namespace

std::string to_string(const Tensor& tensor) {
  if (!tensor) return "(empty tensor)";
  const Shape& shape = tensor.shape();
  const bool shorten = shape.elements() > most_shown;
  Layout layout(shape, texts_of(tensor, shown_offsets(shape, shorten)), shorten);
  const char* between = shape.rank() > 1 ? "\n" : " ";
  return fmt::format("{} {}{}{}", name(tensor.dtype()), to_string(shape), between, layout.text());
}

}  // namespace genera
