#include "tests/vulkan_zoo.h"
#include "zoo/gan/experiment.h"

namespace genera::zoo {

using namespace gan;

const ZooFamily& zoo_family() {
  static const ZooFamily family{
      "genera-gan",
      {{"--model gan --data grid --width 16 --batch 16 --pack 2", true},
       {"--model dcgan --data grid --width 16 --batch 16"},
       {"--model lsgan --data grid --width 16 --batch 16"},
       {"--model sngan --data grid --width 16 --batch 16"},
       {"--model wgan-gp --data grid --width 16 --batch 16 --critic-steps 2"},
       {"--model gan --width 16 --latent 4 --batch 8"},
       {"--model dcgan --width 4 --latent 4 --batch 4"},
       {"--model lsgan --width 4 --latent 4 --batch 4"},
       {"--model sngan --width 4 --latent 4 --batch 4 --conditional"},
       {"--model wgan-gp --width 4 --latent 4 --batch 4 --critic-steps 2"}},
      {},
      trainable_of<GanExperiment, GanSettings>};
  return family;
}

}  // namespace genera::zoo
