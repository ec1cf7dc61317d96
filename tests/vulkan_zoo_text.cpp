#include "tests/vulkan_zoo.h"
#include "zoo/text/experiment.h"

namespace genera::zoo {

using namespace text;

const ZooFamily& zoo_family() {
  static const ZooFamily family{
      "genera-text",
      {{"--model gpt --layers 2 --width 16 --heads 2 --context 12 --batch 3", true},
       {"--model gpt --layers 1 --width 16 --heads 2 --context 12 --batch 3 --dropout 0.2 "
        "--tokenizer bpe --vocabulary 300"},
       {"--model llama --layers 2 --width 16 --heads 4 --kv-heads 2 --window 5 --context 12 "
        "--batch "
        "3"},
       {"--model lstm --layers 2 --width 16 --embedding 8 --context 6 --batch 3 --dropout 0.2"},
       {"--model gru --layers 2 --width 16 --embedding 8 --context 6 --batch 3"}},
      {"ngram"},
      trainable_of<TextExperiment, TextSettings>};
  return family;
}

}  // namespace genera::zoo
