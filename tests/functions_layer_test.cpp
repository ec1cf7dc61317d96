// Pooling, resampling, convolution with a bias, normalisation, dropout, attention.
#include "tests/functions_harness.h"

namespace genera {
namespace {

using namespace functions_harness;

Tensor counting(const Shape& shape) { return reshape(arange(shape.elements(), DType::f64), shape); }

/// Pooling of (N,C,H,W) by loops; `combine` gets the window's elements and how many places of it
/// are padding.
Numbers pooled(const Tensor& x, int size, int stride, int padding,
               const std::function<double(const Numbers&, int)>& combine) {
  const Numbers all = list(x);
  const auto h = x.size(2), w = x.size(3);
  Numbers out;
  for (std::int64_t plane = 0; plane < x.size(0) * x.size(1); ++plane)
    for (std::int64_t r = -padding; r + size <= h + padding; r += stride)
      for (std::int64_t c = -padding; c + size <= w + padding; c += stride) {
        Numbers inside;
        for (std::int64_t i = r; i < r + size; ++i)
          for (std::int64_t j = c; j < c + size; ++j)
            if (i >= 0 && i < h && j >= 0 && j < w)
              inside.push_back(all[static_cast<std::size_t>((plane * h + i) * w + j)]);
        out.push_back(combine(inside, size * size - static_cast<int>(inside.size())));
      }
  return out;
}

TEST_CASE("pooling agrees with loops") {
  const Tensor x = noise({2, 3, 7, 6});
  struct Case {
    int size, stride, padding;
  };
  for (const auto& [size, stride, padding] :
       {Case{2, 2, 0}, Case{3, 1, 1}, Case{3, 2, 1}, Case{2, 3, 0}, Case{3, 3, 1}}) {
    CAPTURE(size);
    CAPTURE(stride);
    const PoolOptions options{.stride = {stride}, .padding = {padding}};
    const Shape shape{2, 3, (7 + 2 * padding - size) / stride + 1,
                      (6 + 2 * padding - size) / stride + 1};
    check_values(
        max_pool(x, {size}, options),
        pooled(x, size, stride, padding,
               [](const Numbers& in, int) { return *std::max_element(in.begin(), in.end()); }),
        shape);
    const auto average = [](bool count_padding) {
      return [=](const Numbers& in, int outside) {
        double total = 0;
        for (const double v : in) total += v;
        return total / static_cast<double>(in.size() +
                                           static_cast<std::size_t>(count_padding ? outside : 0));
      };
    };
    check_values(avg_pool(x, {size}, options), pooled(x, size, stride, padding, average(true)),
                 shape);
    const PoolOptions without{.stride = {stride}, .padding = {padding}, .count_padding = false};
    check_values(avg_pool(x, {size}, without), pooled(x, size, stride, padding, average(false)),
                 shape);
  }
  check_values(max_pool(counting({1, 1, 6}), {2}), {1, 3, 5}, {1, 1, 3});
  check_values(avg_pool(counting({1, 1, 2, 2, 4}), {2, 2, 2}), {6.5, 8.5}, {1, 1, 1, 1, 2});
  check_values(max_pool(counting({1, 1, 2, 4}), {1, 2}), {1, 3, 5, 7}, {1, 1, 2, 2});
  check_refused("max_pool", [&] { max_pool(x, {8}); });
  check_refused("avg_pool", [&] { avg_pool(x, {2}, {.padding = {2}}); });
  const Tensor small = noise({1, 2, 5, 4});
  check_gradients([](const auto& in) { return square(max_pool(in[0], {2})); }, {small});
  check_gradients(
      [](const auto& in) { return square(max_pool(in[0], {3}, {.stride = {2}, .padding = {1}})); },
      {small});
  check_gradients(
      [](const auto& in) { return square(avg_pool(in[0], {3}, {.stride = {2}, .padding = {1}})); },
      {small});
}

TEST_CASE("upsampling") {
  const Tensor x = counting({1, 1, 2, 2});
  check_values(upsample_nearest(x, 2), {0, 0, 1, 1, 0, 0, 1, 1, 2, 2, 3, 3, 2, 2, 3, 3},
               {1, 1, 4, 4});
  // PyTorch: interpolate(arange(4).view(1,1,2,2), scale_factor=2, mode="bilinear")
  check_values(upsample_bilinear(x, 2),
               {0, 0.25, 0.75, 1, 0.5, 0.75, 1.25, 1.5, 1.5, 1.75, 2.25, 2.5, 2, 2.25, 2.75, 3},
               {1, 1, 4, 4});
  check_values(upsample_bilinear(counting({1, 1, 3}), 3),
               {0, 0, 1. / 3, 2. / 3, 1, 4. / 3, 5. / 3, 2, 2}, {1, 1, 9});
  CHECK(upsample_nearest(noise({2, 3, 2, 3, 4}), 2).shape() == Shape{2, 3, 4, 6, 8});
  CHECK(upsample_bilinear(noise({2, 3, 2, 3, 4}), 2).shape() == Shape{2, 3, 4, 6, 8});
  check_equal(sum(upsample_nearest(noise({2, 3, 4}), 3)), sum(noise({2, 3, 4})) * 3);
  check_refused("upsample_nearest", [] { upsample_nearest(noise({2, 3}), 2); });
  check_gradients([](const auto& in) { return square(upsample_bilinear(in[0], 2)); },
                  {noise({1, 2, 2, 3})});
  check_gradients([](const auto& in) { return square(upsample_nearest(in[0], 2)); },
                  {noise({1, 2, 2, 3})});
}

TEST_CASE("pixel_shuffle and space_to_depth are each other's inverse") {
  const Tensor x = counting({1, 4, 1, 2});
  check_values(pixel_shuffle(x, 2), {0, 2, 1, 3, 4, 6, 5, 7}, {1, 1, 2, 4});
  const Tensor y = noise({2, 3, 4, 6});
  check_equal(pixel_shuffle(space_to_depth(y, 2), 2), y);
  CHECK(space_to_depth(y, 2).shape() == Shape{2, 12, 2, 3});
  check_refused("pixel_shuffle", [&] { pixel_shuffle(y, 2); });
  check_refused("space_to_depth", [&] { space_to_depth(y, 4); });
}

TEST_CASE("conv1d, conv2d, conv3d, conv_transpose2d add a bias") {
  check_values(conv1d(counting({1, 1, 4}), tensor({1, 2}, {1, 1, 2}), vector({10})), {12, 15, 18},
               {1, 1, 3});
  const Tensor x = noise({2, 3, 5, 5}), weight = noise({4, 3, 3, 3}, 1), bias = noise({4}, 2);
  check_equal(conv2d(x, weight, bias, {.pad_lo = {1}}),
              conv(x, weight, {.pad_lo = {1}}) + reshape(bias, Shape{1, 4, 1, 1}));
  check_equal(conv2d(x, weight), conv(x, weight));
  CHECK(conv3d(noise({1, 2, 3, 3, 3}), noise({4, 2, 2, 2, 2}), bias).shape() ==
        Shape{1, 4, 2, 2, 2});
  const Tensor back =
      conv_transpose2d(noise({2, 4, 3, 3}), weight, noise({3}), {.stride = {2}}, {1});
  CHECK(back.shape() == Shape{2, 3, 8, 8});
  check_refused(
      "conv2d",
      [&] {
        conv2d(x, noise({32, 2, 5, 5}));
      },
      "needs input channels 2");
  check_refused(
      "conv2d", [&] { conv2d(x, weight, noise({3})); }, "bias");
  check_refused("conv1d", [&] { conv1d(x, weight); });
  check_refused("conv_transpose2d", [&] { conv_transpose2d(x, weight); });
}

TEST_CASE("linear") {
  const Tensor weight = tensor({1, 2, 3, 4, 5, 6}, {3, 2});
  check_values(linear(tensor({1, 1}, {1, 2}), weight, vector({10, 20, 30})), {13, 27, 41}, {1, 3});
  CHECK(linear(noise({2, 3, 2}), weight).shape() == Shape{2, 3, 3});
  check_values(linear(vector({1, 1}), weight), {3, 7, 11});
  check_refused("linear", [&] { linear(noise({2, 3}), weight); });
  check_refused("linear", [&] { linear(noise({2, 2}), weight, noise({2})); });
  check_gradients([](const auto& in) { return square(linear(in[0], in[1], in[2])); },
                  {noise({3, 2}), noise({4, 2}, 1), noise({4}, 2)}, 1e-5);
}

TEST_CASE("normalisations") {
  const Tensor x = noise({2, 6, 2, 2});
  const auto is_standard = [](const Tensor& rows) {
    for (const double m : list(mean(rows, {1}))) CHECK(std::abs(m) < 1e-12);
    for (const double v : list(var(rows, {1}))) CHECK(std::abs(v - 1) < 1e-3);
  };
  is_standard(reshape(layer_norm(x), Shape{24, 2}));
  is_standard(reshape(layer_norm(x, {}, {}, 3), Shape{2, 24}));
  is_standard(reshape(group_norm(x, 3), Shape{6, 8}));
  is_standard(reshape(instance_norm(x), Shape{12, 4}));
  check_values(layer_norm(tensor({1, 3}, {1, 2}), vector({2, 3}), vector({10, 20}), 1, 0), {8, 23},
               {1, 2});
  check_values(rms_norm(tensor({3, 4}, {1, 2}), vector({1, 10}), 0),
               {3 / std::sqrt(12.5), 40 / std::sqrt(12.5)}, {1, 2});
  const Tensor weight = noise({6}, 1), bias = noise({6}, 2);
  const Shape column{1, 6, 1, 1};
  check_equal(group_norm(x, 2, weight, bias),
              group_norm(x, 2) * reshape(weight, column) + reshape(bias, column), 1e-12);
  check_refused("group_norm", [&] { group_norm(x, 4); });
  check_refused(
      "layer_norm", [&] { layer_norm(x, noise({3})); }, "weight");
  check_refused(
      "rms_norm", [&] { rms_norm(x, noise({3})); }, "weight");
  const Tensor small = noise({2, 4, 2});
  const Tensor w = noise({4}, 1), b = noise({4}, 2);
  check_gradients([](const auto& in) { return layer_norm(in[0], in[1], in[2]); },
                  {noise({3, 4}), w, b}, 1e-5);
  check_gradients([](const auto& in) { return rms_norm(in[0], in[1]); }, {noise({3, 4}), w}, 1e-5);
  check_gradients([](const auto& in) { return group_norm(in[0], 2, in[1], in[2]); }, {small, w, b},
                  1e-5);
}

TEST_CASE("dropout keeps a share of 1 - p and the mean") {
  const Tensor x = full({200, 100}, 3, DType::f32);
  const Tensor y = dropout(x, 0.3, Key(1));
  double kept = 0;
  for (const double v : list(y)) {
    CHECK((v == 0 || std::abs(v - 3 / 0.7) < 1e-5));
    kept += v != 0 ? 1 : 0;
  }
  CHECK(std::abs(kept / 20000 - 0.7) < 4 * std::sqrt(0.21 / 20000));
  check_equal(dropout(x, 0.3, Key(1)), y);
  check_equal(dropout(x, 0, Key(1)), x);
  check_refused("dropout", [&] { dropout(x, 1, Key(1)); });
}

/// Attention by loops, over one batch.
Numbers attended(const Tensor& q, const Tensor& k, const Tensor& v,
                 const std::function<bool(int, int)>& sees) {
  const int t_count = static_cast<int>(q.size(0)), s_count = static_cast<int>(k.size(0));
  const int d_count = static_cast<int>(q.size(1)), e_count = static_cast<int>(v.size(1));
  const Numbers a = list(q), b = list(k), c = list(v);
  const auto at = [](const Numbers& m, int row, int columns, int column) {
    return m[static_cast<std::size_t>(row * columns + column)];
  };
  Numbers out;
  for (int t = 0; t < t_count; ++t) {
    Numbers weights;
    double total = 0;
    for (int s = 0; s < s_count; ++s) {
      double score = 0;
      for (int d = 0; d < d_count; ++d) score += at(a, t, d_count, d) * at(b, s, d_count, d);
      weights.push_back(sees(t, s) ? std::exp(score / std::sqrt(d_count)) : 0);
      total += weights.back();
    }
    for (int e = 0; e < e_count; ++e) {
      double sum = 0;
      for (int s = 0; s < s_count; ++s)
        sum += weights[static_cast<std::size_t>(s)] * at(c, s, e_count, e);
      out.push_back(total == 0 ? 0 : sum / total);
    }
  }
  return out;
}

TEST_CASE("long causal attention, which goes in blocks, agrees with a mask") {
  for (const std::int64_t keys : {150, 163}) {  // as many as queries, and some that came before
    const Tensor q = noise({2, 150, 4}), k = noise({2, keys, 4}, 1), v = noise({2, keys, 3}, 2);
    const Tensor mask = tril(ones({150, keys}, DType::boolean), static_cast<int>(keys - 150));
    const Tensor blocks = attention(q, k, v, {.causal = true});
    const Tensor whole = attention(q, k, v, {.mask = mask});
    const auto far = [](const Tensor& a, const Tensor& b) {
      return max(abs(a - b)).item<double>();
    };
    CHECK(far(blocks, whole) < 1e-14);
    const Tensor weight = noise({2, 150, 3}, 3);
    const Gradients a = grad(sum(blocks * weight), {q, k, v});
    const Gradients b = grad(sum(whole * weight), {q, k, v});
    for (std::size_t i = 0; i < 3; ++i) {
      CHECK(max(abs(b[i])).item<double>() > 0.1);
      CHECK(far(a[i], b[i]) < 1e-13);
    }
  }
}

TEST_CASE("attention agrees with loops: plain, causal, masked") {
  const Tensor q = noise({3, 4}), k = noise({5, 4}, 1), v = noise({5, 2}, 2);
  const Shape shape{3, 2};
  check_values(attention(q, k, v), attended(q, k, v, [](int, int) { return true; }), shape);
  check_values(attention(q, k, v, {.causal = true}),
               attended(q, k, v, [](int t, int s) { return s <= t + 2; }), shape);
  const Tensor mask =
      cast(tensor({1, 0, 1, 1, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1}, {3, 5}), DType::boolean);
  const auto allowed = [&](int t, int s) {
    return list(mask)[static_cast<std::size_t>(t * 5 + s)] != 0;
  };
  check_values(attention(q, k, v, {.mask = mask}), attended(q, k, v, allowed), shape);
  check_values(attention(q, k, v, {.causal = true, .mask = mask}),
               attended(q, k, v, [&](int t, int s) { return allowed(t, s) && s <= t + 2; }), shape);
  // The first two queries of five see none of three keys: zeros, and no NaN in the gradients.
  const Tensor early = attention(k, q, noise({3, 2}, 3), {.causal = true});
  check_values(slice(early, 0, 0, 2), {0, 0, 0, 0}, {2, 2});
  const auto batched = attention(noise({2, 3, 4, 5}), noise({2, 3, 6, 5}), noise({2, 3, 6, 7}));
  CHECK(batched.shape() == Shape{2, 3, 4, 7});
  check_refused("attention", [&] { attention(q, k, noise({4, 2})); });
  check_refused(
      "attention",
      [&] {
        attention(q, k, v, {.mask = zeros({2, 5}, DType::boolean)});
      },
      "mask");
  for (const AttentionOptions& options :
       {AttentionOptions{}, AttentionOptions{.causal = true}, AttentionOptions{.mask = mask}})
    check_gradients([=](const auto& in) { return attention(in[0], in[1], in[2], options); },
                    {q, k, v}, 1e-5);
  check_gradients([=](const auto& in) { return attention(in[0], in[1], in[2], {.causal = true}); },
                  {k, q, noise({3, 2}, 3)}, 1e-5);
}

}  // namespace
}  // namespace genera
