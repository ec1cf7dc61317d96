#include <doctest/doctest.h>
#include <genera/error.h>
#include <genera/io.h>

#include <cmath>

#include "tests/io_files.h"
#include "tests/tests_folder.h"
#include "zoo/text/formats/model_file.h"
#include "zoo/text/formats/model_formats.h"

using namespace genera;
using namespace genera::zoo;
using namespace genera::zoo::text;

namespace {

std::filesystem::path golden(const std::string& name) {
  return test::tests_folder() / "golden/text" / name;
}

// The largest difference from the logits that PyTorch computed; of each position every seventh.
double largest_difference(const Transformer& model, const std::string& name) {
  const io::SafetensorsFile file(golden("logits.safetensors"));
  const io::HostArray tokens = file.load("tokens." + name);
  const io::HostArray expected = file.load("logits." + name);
  const std::int64_t count = tokens.shape[0];
  const std::int64_t columns = expected.shape[1];
  Context context;
  const Tensor logits =
      model.logits(Tensor::from_bytes(tokens.bytes, DType::i32, {1, count}), context);
  const std::vector<float> values = logits.to_vector<float>();
  double largest = 0;
  double size = 0;
  for (std::int64_t t = 0; t < count; ++t)
    for (std::int64_t c = 0; c < columns; ++c) {
      const auto at = static_cast<std::size_t>(t * model.vocabulary() + 7 * c);
      const float wanted = expected.as<float>()[static_cast<std::size_t>(t * columns + c)];
      largest = std::max(largest, std::abs(static_cast<double>(values[at]) - wanted));
      size = std::max(size, std::abs(static_cast<double>(wanted)));
    }
  CHECK(size > 1);  // logits near zero would prove nothing
  return largest;
}

}  // namespace

TEST_CASE("models of transformers give its logits") {
  for (const std::string name : {"gpt2", "llama", "mistral"}) {
    CAPTURE(name);
    const double difference = largest_difference(*import_hugging_face(golden(name)).model, name);
    CAPTURE(difference);
    CHECK(difference < 2e-5);
  }
}

TEST_CASE("GGUF models give the logits of the weights in them") {
  for (const std::string name : {"llama.gguf", "gpt2.gguf"}) {
    CAPTURE(name);
    const io::GgufFile file(golden(name));
    const double difference = largest_difference(*import_gguf(file).model, name);
    CAPTURE(difference);
    CHECK(difference < 2e-5);
  }
}

TEST_CASE("llama2.c's models give the logits of the model that was exported") {
  const double difference =
      largest_difference(*import_llama2c(golden("llama.bin")).model, "llama.bin");
  CAPTURE(difference);
  CHECK(difference < 2e-5);
}

TEST_CASE("GPT-2's own file has names without a prefix, and masks among its tensors") {
  const io_test::TemporaryFolder folder;
  std::filesystem::copy(golden("gpt2/config.json"), folder / "config.json");
  const io::SafetensorsFile file(golden("gpt2/model.safetensors"));
  std::vector<io::NamedArray> tensors;
  for (const io::SafetensorsEntry& entry : file.entries())
    tensors.push_back({entry.name.substr(std::string("transformer.").size()), file.load(entry)});
  tensors.push_back({"h.0.attn.bias", io::HostArray::zeros(DType::boolean, {1, 1, 24, 24})});
  io::write_safetensors(folder / "model.safetensors", io::views(tensors));
  CHECK(largest_difference(*import_hugging_face(folder / "model.safetensors").model, "gpt2") <
        2e-5);
}

TEST_CASE("configurations of old name the base of rotary positions elsewhere") {
  const std::string modern =
      R"({"model_type":"llama","vocab_size":9,"max_position_embeddings":8,"num_hidden_layers":1,)"
      R"("hidden_size":8,"num_attention_heads":2,"intermediate_size":8)";
  const auto base = [&](const std::string& more) {
    return hugging_face_shape(JsonFile(modern + more + "}", "config.json")).rope_base;
  };
  CHECK(base("") == 10000);
  CHECK(base(R"(,"rope_theta":500)") == 500);
  CHECK(base(R"(,"rope_theta":500,"rope_scaling":null)") == 500);
  CHECK(base(R"(,"rope_parameters":{"rope_type":"default","rope_theta":700.5})") == 700.5);
  CHECK_THROWS_AS(base(R"(,"rope_scaling":{"type":"dynamic","factor":2.0})"), DataError);
  CHECK_THROWS_AS(base(R"(,"rope_scaling":{"type":"linear","factor":0})"), DataError);
  const JsonFile linear(modern + R"(,"rope_scaling":{"type":"linear","factor":2.5}})",
                        "config.json");
  CHECK(hugging_face_shape(linear).rope_divisors == std::vector<double>{2.5, 2.5});
}

TEST_CASE("what is a model file and what a run") {
  const io_test::TemporaryFolder folder;
  CHECK(is_model_file(golden("llama.gguf")));
  CHECK(is_model_file(golden("gpt2")));
  CHECK(is_model_file(golden("gpt2/model.safetensors")));
  CHECK_FALSE(is_model_file(folder.path()));
  CHECK_FALSE(is_model_file(folder / "nowhere"));
  io_test::write_plain(folder / "last.safetensors", {});
  CHECK_FALSE(is_model_file(folder / "last.safetensors"));
}
