// RealNVP (Dinh et al., 1605.08803) on 1 x 32 x 32: two checkerboard couplings, squeeze, two
// channel couplings; half of the channels are factored out; the same again on the rest.
#include "../workload.h"

namespace bench {
namespace {

struct Sizes {
  std::int64_t batch, width;
  int blocks;
};
Sizes sizes(bool small, std::int64_t batch) { return small ? Sizes{2, 4, 1} : Sizes{batch, 64, 4}; }

nn::Conv2d same_size(std::int64_t in, std::int64_t out, const Key& key) {
  return {in, out, 3, key, {.padding = 1}};
}

/// x + conv(relu(norm(conv(relu(norm(x)))))) (He et al., 1603.05027).
class ResidualBlock : public nn::Module {
 public:
  ResidualBlock(std::int64_t width, const Key& key)
      : norm1_(width),
        norm2_(width),
        conv1_(same_size(width, width, key.fold_in(0))),
        conv2_(same_size(width, width, key.fold_in(1))) {
    norm1_.set_name("norm1");
    norm2_.set_name("norm2");
    conv1_.set_name("conv1");
    conv2_.set_name("conv2");
  }
  Tensor forward(const Tensor& x, Context& context) const override {
    const Tensor inner = conv1_(relu(norm1_(x, context)), context);
    return x + conv2_(relu(norm2_(inner, context)), context);
  }
  void visit(nn::Visitor& visitor) const override { visitor(norm1_, norm2_, conv1_, conv2_); }

 private:
  nn::BatchNorm norm1_, norm2_;
  nn::Conv2d conv1_, conv2_;
};

/// y = x exp(s) + t where the mask is 0, with s and t functions of the rest (equation 9): mask a
/// checkerboard (1,1,H,W), or empty for the halves of the channels.
class Coupling : public nn::Module {
 public:
  Coupling(std::int64_t channels, const Tensor& mask, bool swapped, const Sizes& sizes,
           const Key& key)
      : mask_(mask),
        swapped_(swapped),
        scale_("scale", ones({mask ? channels : channels / 2, 1, 1})) {
    const std::int64_t seen = mask ? channels : channels / 2;
    net_.add(same_size(seen, sizes.width, key.fold_in(0)));
    for (int i = 0; i < sizes.blocks; ++i)
      net_.add(ResidualBlock(sizes.width, key.fold_in(static_cast<std::uint64_t>(1 + i))));
    net_.add(nn::BatchNorm(sizes.width)).add(nn::Relu{});
    net_.add(same_size(sizes.width, 2 * seen, key.fold_in(99)));
    net_.set_name("net");
  }

  /// y, and s where it holds: log|det| is its sum.
  std::pair<Tensor, Tensor> run(const Tensor& x, Context& context, bool inverse) const {
    if (mask_) {
      const auto [s, t] = moves(x * mask_, context);
      const Tensor open = 1.0 - mask_;
      const Tensor log_scale = s * open, shift = t * open;
      return {inverse ? (x - shift) * exp(-log_scale) : x * exp(log_scale) + shift, log_scale};
    }
    auto parts = chunk(x, 2, 1);
    if (swapped_) std::swap(parts[0], parts[1]);
    const auto [s, t] = moves(parts[0], context);
    parts[1] = inverse ? (parts[1] - t) * exp(-s) : parts[1] * exp(s) + t;
    if (swapped_) std::swap(parts[0], parts[1]);
    return {concat(parts, 1), s};
  }
  void visit(nn::Visitor& visitor) const override { visitor(scale_, net_); }

 private:
  std::pair<Tensor, Tensor> moves(const Tensor& seen, Context& context) const {
    const auto parts = chunk(net_(seen, context), 2, 1);
    return {tanh(parts[0]) * scale_, parts[1]};
  }

  Tensor mask_;
  bool swapped_;
  State scale_;
  nn::Sequential net_;
};

/// (1,1,H,W): 1 where row + column + `parity` is even.
Tensor checkerboard(std::int64_t size, int parity) {
  const Shape shape{1, 1, size, size};
  const Tensor place = iota(shape, 2) + iota(shape, 3) + static_cast<double>(parity);
  return cast(equal(remainder(place, full_like(place, 2)), 0), DType::f32).eval();
}

class RealNvp : public nn::Module {
 public:
  RealNvp(const Sizes& sizes, const Key& key) {
    std::uint64_t made = 0;
    for (std::int64_t scale = 0, channels = 1, size = 32; scale < 2; ++scale) {
      for (int i = 0; i < 2; ++i)
        couplings_.emplace_back(channels, checkerboard(size, i), false, sizes, key.fold_in(made++));
      channels *= 4;
      size /= 2;
      for (int i = 0; i < 2; ++i)
        couplings_.emplace_back(channels, Tensor(), i == 1, sizes, key.fold_in(made++));
      channels /= 2;
    }
  }
  void visit(nn::Visitor& visitor) const override { visitor.list("couplings", couplings_); }

  /// Mean negative log-likelihood of x (B,1,32,32) under the standard normal, in nats.
  Tensor loss(const Tensor& x, Context& context) const {
    const auto batch = static_cast<double>(x.size(0));
    Tensor h = x, bits = zeros({});
    for (std::size_t i = 0; i < couplings_.size(); ++i) {
      if (i % 4 == 2) h = space_to_depth(h, 2);
      const auto [y, log_scale] = couplings_[i].run(h, context, false);
      bits = bits + sum(log_scale) * (batch / static_cast<double>(log_scale.size(0)));
      h = y;
      if (i % 4 != 3) continue;
      const auto parts = chunk(h, 2, 1);
      bits = bits + sum(standard_normal_log_density(i == 3 ? parts[0] : h));
      h = parts[1];
    }
    return bits * (-1 / batch);
  }

  /// The images (B,1,32,32) of z (B,1024).
  Tensor sample(const Tensor& z) const {
    Context context;
    const std::int64_t batch = z.size(0);
    Tensor h = reshape(slice(z, 1, 512, 1024), {batch, 8, 8, 8});
    for (std::size_t i = couplings_.size(); i-- > 0;) {
      if (i == 3) h = concat({reshape(slice(z, 1, 0, 512), {batch, 2, 16, 16}), h}, 1);
      h = couplings_[i].run(h, context, true).first;
      if (i % 4 == 2) h = pixel_shuffle(h, 2);
    }
    return h;
  }

 private:
  std::vector<Coupling> couplings_;
};

}  // namespace

Workload realnvp(bool small) {
  const Sizes s = sizes(small, 32);
  return trained_on_images(std::make_shared<RealNvp>(s, Key(0)), s.batch, 1e-4);
}

Workload realnvp_sample64(bool small) {
  const Sizes s = sizes(small, 64);
  const auto model = std::make_shared<RealNvp>(s, Key(0));
  const auto step = [=](Noise& noise) {
    return model->sample(noise.normal({s.batch, 1024})).eval();
  };
  return {model->states(), {}, step};
}

}  // namespace bench
