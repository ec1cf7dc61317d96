#include "zoo/boltzmann/pictures.h"

#include <genera/functions.h>
#include <genera/ops.h>

#include "zoo/boltzmann/ais.h"

namespace genera::zoo {
namespace {

io::HostArray on_host(const Tensor& images) {
  auto array = io::HostArray::zeros(DType::f32, images.shape());
  images.copy_to(array.bytes);
  return array;
}

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

}  // namespace genera::zoo
