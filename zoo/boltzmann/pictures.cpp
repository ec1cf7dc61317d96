#include "zoo/boltzmann/pictures.h"

#include <genera/functions.h>
#include <genera/ops.h>

#include <algorithm>

#include "zoo/boltzmann/ais.h"
#include "zoo/boltzmann/visible_machine.h"
#include "zoo/common/host_copy.h"

namespace genera::zoo::boltzmann {
namespace {

// Chains on their way, evaluated sweep by sweep.
class Walk {
 public:
  Walk(const Machine& machine, const SampleOptions& options)
      : machine_(machine), key_(Key(options.seed).fold_in(0)) {
    chain_ = machine.base_chain(options.count, key_.fold_in(0));
    for (double beta : ais_ladder(std::max<std::int64_t>(options.annealing, 1))) sweep(beta);
  }
  void sweep(double beta) {
    chain_ = machine_.chain_of(machine_.sweep(chain_, scalar(beta), key_.fold_in(++done_)).samples);
    eval(chain_);
    for (Tensor& layer : chain_) layer = detach(layer);
  }
  const Units& chain() const { return chain_; }

 private:
  const Machine& machine_;
  Key key_;
  Units chain_;
  std::uint64_t done_ = 0;
};

// Images whose known pixels keep their values.
class Completion {
 public:
  Completion(const Model& model, const Tensor& original, const Tensor& known, const Key& key)
      : model_(model), known_(known), key_(key) {
    const Tensor noise =
        cast(random_bernoulli(key.fold_in(0), full(original.shape(), 0.5)), DType::f32);
    v_ = detach(where(known, original, noise));
    begin_chain(key.fold_in(1));
  }
  void sweep(std::uint64_t index) {
    const Key key = key_.fold_in(index + 1);
    if (model_.below().empty()) {
      chain_ = model_.top().clamped_sweep(v_, chain_, known_, key.fold_in(0));
      means_ = model_.top().visible_means(chain_);
    } else {
      begin_chain(key.fold_in(0));
      const Machine& top = model_.top();
      chain_ = top.chain_of(top.sweep(chain_, scalar(1), key.fold_in(1)).samples);
      means_ = model_.visible_means(chain_, key.fold_in(2));
      v_ = where(known_, v_, cast(random_bernoulli(key.fold_in(3), means_), DType::f32));
    }
    std::vector<Tensor> all = chain_;
    all.insert(all.end(), {v_, means_});
    eval(all);
    for (Tensor& layer : chain_) layer = detach(layer);
    v_ = detach(v_);
    means_ = detach(means_);
  }
  const Tensor& means() const { return means_; }

 private:
  void begin_chain(const Key& key) {
    constexpr int rounds = 10;
    const Tensor x = model_.up(v_, model_.below().size(), key.fold_in(0));
    chain_ = model_.top().chain_from(model_.top().infer(x, rounds), key.fold_in(1));
  }

  const Model& model_;
  Tensor known_;
  Key key_;
  Tensor v_, means_;
  Units chain_;
};

}  // namespace

io::HostArray sample_images(const Model& model, const SampleOptions& options) {
  Walk walk(model.top(), options);
  for (std::int64_t i = 0; i < options.sweeps; ++i) walk.sweep(1);
  return on_host(model.images(model.visible_means(walk.chain(), Key(options.seed).fold_in(1))));
}

io::HostArray chain_images(const Model& model, const SampleOptions& options, std::int64_t columns) {
  Walk walk(model.top(), options);
  std::vector<Tensor> steps;
  for (std::int64_t c = 0; c < columns; ++c) {
    for (std::int64_t i = 0; c > 0 && i < options.sweeps; ++i) walk.sweep(1);
    steps.push_back(
        model.images(model.visible_means(walk.chain(), Key(options.seed).fold_in(1))).eval());
  }
  const Tensor all = stack(steps, 1);
  return on_host(flatten(all, 0, 1));
}

io::HostArray filter_images(const Model& model, std::int64_t count) {
  Tensor weights;  // (D,units)
  if (const auto* alone = dynamic_cast<const VisibleMachine*>(&model.top())) {
    const Tensor above = triu(alone->coupling(), 1);
    weights = above + transpose(above);
  } else {
    const auto& layered = model.below().empty() ? dynamic_cast<const LayeredMachine&>(model.top())
                                                : *model.below().front();
    weights = layered.weight(0);
  }
  const Tensor filters = transpose(slice(weights, 1, 0, std::min(count, weights.size(1))));
  const Tensor largest = maximum(max(abs(filters), {1}, true), 1e-12);
  return on_host(model.images(0.5 + 0.5 * filters / largest));
}

Tensor known_pixels(const ImageShape& shape, const std::string& hidden, const Key& key) {
  const std::int64_t h = shape.height / shape.shrink, w = shape.width / shape.shrink;
  const Shape extents{1, shape.channels, h, w};
  if (hidden == "random") return less(random_uniform(key, extents), 0.5);
  const Tensor row = iota(extents, 2), column = iota(extents, 3);
  const std::int64_t half_h = h / 2, half_w = w / 2;
  if (hidden == "bottom") return less(row, static_cast<double>(half_h));
  if (hidden == "top") return greater_equal(row, static_cast<double>(half_h));
  if (hidden == "left") return greater_equal(column, static_cast<double>(half_w));
  if (hidden == "right") return less(column, static_cast<double>(half_w));
  const auto inside = [](const Tensor& at, std::int64_t n) {
    const std::int64_t quarter = n / 4;
    return logical_and(greater_equal(at, static_cast<double>(quarter)),
                       less(at, static_cast<double>(n - quarter)));
  };
  return logical_not(logical_and(inside(row, h), inside(column, w)));
}

io::HostArray completed_images(const Model& model, const Tensor& images, const Tensor& known,
                               std::int64_t columns, std::int64_t sweeps, std::uint64_t seed) {
  const Key key = Key(seed).fold_in(3);
  const std::int64_t count = images.size(0);
  const Tensor original = detach(model.visible(images));
  const Tensor fixed = detach(broadcast_to(reshape(known, {1, -1}), original.shape()));
  Completion completion(model, original, fixed, key);
  Tensor sum = zeros(original.shape());
  const std::int64_t averaged = std::max<std::int64_t>(sweeps / 4, 1);
  for (std::int64_t i = 1; i <= sweeps; ++i) {
    completion.sweep(static_cast<std::uint64_t>(i));
    if (i > sweeps - averaged) sum = detach(sum + completion.means());
  }
  const Tensor found = where(fixed, original, sum / static_cast<double>(averaged));
  const Tensor masked = where(fixed, original, full_like(original, 0.5));
  std::vector<Tensor> rows;
  for (std::int64_t begin = 0; begin < count; begin += columns)
    for (const Tensor& part : {masked, found, original})
      rows.push_back(slice(part, 0, begin, std::min(begin + columns, count)));
  return on_host(model.images(concat(rows, 0)));
}

}  // namespace genera::zoo::boltzmann
