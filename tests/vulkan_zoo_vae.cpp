#include "tests/vulkan_zoo.h"
#include "zoo/vae/experiment.h"

namespace genera::zoo {

using namespace vae;

const ZooFamily& zoo_family() {
  static const ZooFamily family{
      "genera-vae",
      {{"--model mlp --hidden 16 --latent 3 --batch 8", true},
       {"--model mlp --hidden 16 --latent 3 --batch 8 --iwae-train 3"},
       {"--model mlp --hidden 16 --latent 3 --batch 8 --binarize dynamic --beta 2 --kl-warmup 3"},
       {"--model conv --width 4 --hidden 16 --latent 3 --batch 4"},
       {"--model conv --width 4 --hidden 16 --latent 3 --batch 4 --likelihood logistic --clip 1"},
       {"--model cvae --width 4 --hidden 16 --latent 3 --batch 4"},
       {"--model ladder --layers 3 --hidden 16 --latent 6 --batch 8"},
       {"--model vqvae --width 4 --hidden 4 --latent 3 --codes 8 --layers 2 --batch 4"}},
      {},
      trainable_of<VaeExperiment, VaeSettings>};
  return family;
}

}  // namespace genera::zoo
