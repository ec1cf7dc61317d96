#include "tests/vulkan_zoo.h"
#include "zoo/flow/experiment.h"

namespace genera::zoo {

using namespace flow;

const ZooFamily& zoo_family() {
  static const ZooFamily family{
      "genera-flow",
      {{"--model realnvp --layers 4 --hidden 16 --batch 16", true},
       {"--model maf --data rings --layers 3 --hidden 16 --batch 16 --clip 1"},
       {"--model spline --data circles --layers 3 --hidden 16 --bins 5 --batch 16"},
       {"--model realnvp --data sprites --layers 1 --levels 1 --hidden 8 --batch 4"},
       {"--model glow --data sprites --layers 2 --levels 2 --hidden 8 --batch 4"},
       {"--model glow --data sprites --layers 1 --levels 1 --hidden 8 --batch 4 --convolution "
        "plain "
        "--dequantisation variational --optimizer adamax"}},
      {},
      trainable_of<FlowExperiment, FlowSettings>};
  return family;
}

}  // namespace genera::zoo
