#include "backends/vulkan/product_loaders.h"

#include "backends/conv_shape.h"

#include <fmt/format.h>

namespace genera::vulkan {
namespace {

/// offset + the sum of strides times the batch axes' indices, which g counts.
std::string batch_offset(const AffineView& view, const Shape& shape) {
  std::string text = std::to_string(view.offset);
  std::int64_t inner = 1;
  for (int d = shape.rank() - 3; d >= 0; --d) {
    const std::int64_t stride = view.stride[static_cast<std::size_t>(d)];
    if (shape[d] != 1 && stride != 0)
      text += fmt::format(" + g / {} % {} * {}", inner, shape[d], stride);
    inner *= shape[d];
  }
  return text;
}

int bind(const PlanOperand& operand, ShaderText& text, std::span<const int> same_memory) {
  return text.bind({same_memory[static_cast<std::size_t>(operand.buffer)]}, operand.dtype, true,
                   false);
}

Product matrix_product(const PrimitiveStep& step, ShaderText& text,
                       std::span<const int> same_memory) {
  const Shape& out = step.outputs[0].shape;
  const int rank = out.rank();
  const auto row = static_cast<std::size_t>(rank - 2), column = static_cast<std::size_t>(rank - 1);
  Product product;
  product.m = out[rank - 2];
  product.n = out[rank - 1];
  product.k = step.inputs[0].shape[rank - 1];
  for (int d = 0; d < rank - 2; ++d) product.batch *= out[d];
  const AffineView a = step.inputs[0].layout(), b = step.inputs[1].layout();
  const int a_binding = bind(step.inputs[0], text, same_memory);
  const int b_binding = bind(step.inputs[1], text, same_memory);
  product.load_a = "return " +
                   text.load(a_binding, fmt::format("{} + m * {} + k * {}", batch_offset(a, out),
                                                    a.stride[row], a.stride[column])) +
                   ";";
  product.load_b = "return " +
                   text.load(b_binding, fmt::format("{} + k * {} + n * {}", batch_offset(b, out),
                                                    b.stride[row], b.stride[column])) +
                   ";";
  product.a_along_k = a.stride[row] != 1 || a.stride[column] == 1;
  product.b_along_k = b.stride[column] != 1 && b.stride[row] == 1;
  product.place = fmt::format("(g * {} + m) * {} + n", product.m, product.n);
  product.loops = {"m", "n"};
  return product;
}

/// Statements that declare <name>0, <name>1, <name>2: the parts of `flat` along axes.
std::string split(const char* name, const std::string& flat, const ConvShape::Axes& axes) {
  return fmt::format(
      "int {0}2 = ({1}) % {2}; int {0}1 = ({1}) / {2} % {3}; int {0}0 = ({1}) / {4};\n", name, flat,
      axes[2], axes[1], axes[1] * axes[2]);
}

/// Loads x at output pixel o and tap t (each three variables) of channel `channel` of image `image`.
std::string load_input(const ConvShape& s, ShaderText& text, int binding, const std::string& image,
                       const std::string& channel) {
  std::string lines, inside;
  for (std::size_t d = 0; d < 3; ++d) {
    lines += fmt::format("int i{0} = o{0} * {1} + t{0} * {2} - {3};\n", d, s.stride[d],
                         s.dilation[d], s.pad[d]);
    inside += fmt::format("{0}i{1} >= 0 && i{1} < {2}", d == 0 ? "" : " && ", d, s.in[d]);
  }
  lines += fmt::format("if (!({})) return 0.0;\n", inside);
  return lines + "return " +
         text.load(binding, fmt::format("(({} * {} + g * {} + {}) * {} + i0) * {} + i1) * {} + i2",
                                        "(" + image, s.groups * s.in_channels, s.in_channels,
                                        channel, s.in[0], s.in[1], s.in[2])) +
         ";";
}

/// Loads y where input pixel i and tap t meet, if they do.
std::string load_output(const ConvShape& s, ShaderText& text, int binding, const std::string& image,
                        const std::string& channel) {
  std::string lines;
  for (std::size_t d = 0; d < 3; ++d) {
    lines += fmt::format("int q{0} = i{0} + {1} - t{0} * {2};\n", d, s.pad[d], s.dilation[d]);
    lines += fmt::format("if (q{0} < 0 || q{0} % {1} != 0 || q{0} / {1} >= {2}) return 0.0;\n", d,
                         s.stride[d], s.out[d]);
  }
  return lines + "return " +
         text.load(binding,
                   fmt::format("((({} * {} + g * {} + {}) * {} + q0 / {}) * {} + q1 / {}) * "
                               "{} + q2 / {}",
                               image, s.groups * s.out_channels, s.out_channels, channel, s.out[0],
                               s.stride[0], s.out[1], s.stride[1], s.out[2], s.stride[2])) +
         ";";
}

/// Rows are channels of each group, columns the pixels of all images, `plane` of one.
void write_images(const ConvShape& s, Product& p, std::int64_t plane) {
  p.place =
      fmt::format("(n / {0} * {1} + g * {2} + m) * {0} + n % {0}", plane, s.groups * p.m, p.m);
  p.loops = {fmt::format("n / {}", plane), fmt::format("g * {} + m", p.m),
             fmt::format("n % {}", plane)};
}

/// y: rows are output channels, columns the pixels of all images, depth the taps of the input channels.
void set_forward(const ConvShape& s, Product& p, ShaderText& text, int x, int w) {
  const std::int64_t taps = s.taps(), plane = s.out_plane();
  p.m = s.out_channels;
  p.n = s.batch * plane;
  p.k = s.in_channels * taps;
  p.load_a = "return " + text.load(w, fmt::format("(g * {} + m) * {} + k", p.m, p.k)) + ";";
  p.load_b = split("o", fmt::format("n % {}", plane), s.out) +
             split("t", fmt::format("k % {}", taps), s.kernel) +
             load_input(s, text, x, fmt::format("n / {}", plane), fmt::format("k / {}", taps));
  write_images(s, p, plane);
}

/// x: rows are input channels, columns the pixels of all images, depth the taps of the output channels.
void set_input_gradient(const ConvShape& s, Product& p, ShaderText& text, int y, int w) {
  const std::int64_t taps = s.taps(), plane = s.in_plane();
  p.m = s.in_channels;
  p.n = s.batch * plane;
  p.k = s.out_channels * taps;
  p.a_along_k = taps > 1;
  p.load_a = "return " +
             text.load(w, fmt::format("((g * {} + k / {}) * {} + m) * {} + k % {}", s.out_channels,
                                      taps, p.m, taps, taps)) +
             ";";
  p.load_b = split("i", fmt::format("n % {}", plane), s.in) +
             split("t", fmt::format("k % {}", taps), s.kernel) +
             load_output(s, text, y, fmt::format("n / {}", plane), fmt::format("k / {}", taps));
  write_images(s, p, plane);
}

/// w: rows are output channels, columns the taps of the input channels, depth the pixels of all images.
void set_weight_gradient(const ConvShape& s, Product& p, ShaderText& text, int x, int y) {
  const std::int64_t taps = s.taps(), plane = s.out_plane();
  p.m = s.out_channels;
  p.n = s.in_channels * taps;
  p.k = s.batch * plane;
  p.b_along_k = true;
  p.load_a = "return " +
             text.load(y, fmt::format("(k / {0} * {1} + g * {2} + m) * {0} + k % {0}", plane,
                                      s.groups * p.m, p.m)) +
             ";";
  p.load_b = split("o", fmt::format("k % {}", plane), s.out) +
             split("t", fmt::format("n % {}", taps), s.kernel) +
             load_input(s, text, x, fmt::format("k / {}", plane), fmt::format("n / {}", taps));
  p.place = fmt::format("(g * {} + m) * {} + n", p.m, p.n);
}

}  // namespace

Product product_of(const PrimitiveStep& step, ShaderText& text, std::span<const int> same_memory) {
  if (step.op == Op::MatMul) return matrix_product(step, text, same_memory);
  const ConvShape shape = conv_shape(step);
  const int first = bind(step.inputs[0], text, same_memory);
  const int second = bind(step.inputs[1], text, same_memory);
  Product product;
  product.batch = shape.groups;
  switch (shape.role) {
    case ConvAttrs::out:
      set_forward(shape, product, text, first, second);
      break;
    case ConvAttrs::grad_input:
      set_input_gradient(shape, product, text, first, second);
      break;
    case ConvAttrs::grad_weight:
      set_weight_gradient(shape, product, text, first, second);
      break;
  }
  return product;
}

}  // namespace genera::vulkan
