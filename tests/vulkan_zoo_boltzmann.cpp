#include "tests/vulkan_zoo.h"
#include "zoo/boltzmann/experiment.h"

namespace genera::zoo {

using namespace boltzmann;

const ZooFamily& zoo_family() {
  static const ZooFamily family{
      "genera-boltzmann",
      {{"--model rbm --hidden 12 --chains 8 --batch 8", true},
       {"--model rbm --hidden 12 --training cd --sweeps 2 --batch 8 --momentum 0.5 --gradient "
        "plain"},
       {"--model rbm --hidden 12 --training pt --chains 4 --temperatures 3 --batch 8"},
       {"--model gaussian --hidden 12 --chains 8 --batch 8"},
       {"--model dbn --hidden 12,8 --chains 8 --batch 8"},
       {"--model dbm --hidden 12,8 --chains 8 --batch 8 --mean-field 3"},
       {"--model visible --chains 8 --batch 8"},
       {"--model visible --training exact --batch 8"}},
      {},
      trainable_of<BoltzmannExperiment, BoltzmannSettings>};
  return family;
}

}  // namespace genera::zoo
