// What a training run leaves, with a toy in place of a model: two adversaries that step one after the
// other, a chain as state, no validation loss, texts as samples.
#include <doctest/doctest.h>

#include <genera/functions.h>
#include <genera/optim.h>

#include <sys/mman.h>
#include <sys/resource.h>

#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "tests/temporary_folder.h"
#include "zoo/common/config_text.h"
#include "zoo/common/event_log.h"
#include "zoo/common/extents.h"
#include "zoo/common/failure.h"
#include "zoo/common/learning_rate.h"
#include "zoo/common/log_sum_exp.h"
#include "zoo/common/machine.h"
#include "zoo/common/markup.h"
#include "zoo/common/program.h"
#include "zoo/common/read_verbs.h"
#include "zoo/common/report.h"
#include "zoo/common/training.h"

namespace genera::zoo {
namespace {

namespace fs = std::filesystem;

using test::read_file;
using test::TemporaryFolder;

void write_file(const fs::path& path, const std::string& content) {
  std::ofstream(path, std::ios::binary) << content;
}

// Both minimise and maximise the same (x - y)^2 - 2 y^2, each in a commit of its own; the chain keeps
// the sum of all draws.
class Adversaries : public Experiment {
 public:
  explicit Adversaries(bool has_loss) : has_loss_(has_loss) {}

  std::vector<State> states() const override { return {x_, y_, chain_}; }
  std::vector<State> model_states() const override { return {x_}; }
  NamedTensors step(const StepInfo& info) override {
    const Tensor first = game();
    x_adam_.step(grad(first, x_adam_.parameters()), {.metrics = {first}});
    const Tensor second = -game();
    y_adam_.step(grad(second, y_adam_.parameters()), {.metrics = {second}});
    const Key key = Key(7).fold_in(static_cast<std::uint64_t>(info.step));
    commit({{chain_, chain_.value() + random_normal(key, {2})}});
    return {{"generator", first}, {"discriminator", second}};
  }
  std::vector<Tensor> step_graph(const StepInfo&) override { return {game()}; }
  Metrics validate() override {
    if (!has_loss_) return {};
    validated_.push_back(x_.value().item<double>());
    return {{"loss", validated_.size() == 2 ? 1.0 : 2.0}};
  }
  std::vector<std::string> plotted() const override { return {"generator", "discriminator"}; }
  std::string sample_extension() const override { return "txt"; }
  void write_samples(const fs::path& path, const std::string&) override {
    write_file(path, "x < " + std::to_string(x_.value().item<double>()) + "\nsecond line");
  }
  double x() const { return x_.value().item<double>(); }
  const std::vector<double>& validated() const { return validated_; }

 private:
  Tensor game() const { return sum(square(x_.value() - y_.value()) - 2.0 * square(y_.value())); }

  bool has_loss_;
  State x_{"x", full({1}, 3)}, y_{"y", full({1}, 1)}, chain_{"chain", zeros({2}), false};
  optim::Sgd x_adam_{{x_}, {.lr = 0.05}}, y_adam_{{y_}, {.lr = 0.05}};
  std::vector<double> validated_;
};

RunFolder new_run(const fs::path& path) {
  RunFolder folder = RunFolder::create(path.string(), "genera-toy", "adversaries");
  write_text(folder.config(), "data = \"/somewhere/secret/my data\"\nbatch = 4\n");
  write_text(folder.manifest(), R"({"program": "genera-toy", "model": "a<b", "loss": "nats",
      "data": {"name": "my data", "digest": "12ab"}, "machine": {"cpu": "Processor 3", "cores": 2}})");
  return folder;
}

TrainingOutcome run(Adversaries& toy, const RunFolder& folder, std::int64_t stop_after, bool resume,
                    std::int64_t steps = 8) {
  Console console(true);
  TrainingOptions options;
  options.steps = steps;
  options.validations = 4;
  options.stop_after = stop_after;
  return train(
      toy, folder, options, resume, [](std::int64_t) {}, console);
}

double saved_x(const fs::path& checkpoint) {
  for (const io::NamedArray& entry : io::read_checkpoint(checkpoint).tensors)
    if (entry.name == "x") return double{entry.array.as<float>()[0]};
  return std::numeric_limits<double>::quiet_NaN();
}

// ---- An independent reader of event files ----

struct Field {
  int number = 0;
  std::uint64_t value = 0;  // of numbers
  std::string_view bytes;   // of texts and messages
};

std::uint64_t number_at(std::string_view bytes, std::size_t size) {
  std::uint64_t number = 0;
  std::memcpy(&number, bytes.data(), size);  // the machines that run this are little-endian
  return number;
}

std::uint64_t take_varint(std::string_view& bytes) {
  std::uint64_t value = 0;
  for (int shift = 0;; shift += 7) {
    const auto byte = static_cast<unsigned char>(bytes.at(0));
    bytes.remove_prefix(1);
    value |= std::uint64_t{byte & 0x7fu} << shift;
    if (byte < 0x80) return value;
  }
}

std::vector<Field> fields(std::string_view message) {
  std::vector<Field> result;
  while (!message.empty()) {
    const std::uint64_t key = take_varint(message);
    Field field{static_cast<int>(key >> 3), 0, {}};
    if ((key & 7) == 0) {
      field.value = take_varint(message);
    } else {
      const std::size_t size = (key & 7) == 1   ? 8
                               : (key & 7) == 5 ? 4
                                                : static_cast<std::size_t>(take_varint(message));
      field.bytes = message.substr(0, size);
      REQUIRE(field.bytes.size() == size);
      if ((key & 7) != 2) field.value = number_at(field.bytes, size);
      message.remove_prefix(size);
    }
    result.push_back(field);
  }
  return result;
}

Field field(std::string_view message, int number) {
  for (const Field& each : fields(message))
    if (each.number == number) return each;
  FAIL("no field ", number);
  return {};
}

std::uint32_t masked(std::uint32_t crc) { return ((crc >> 15) | (crc << 17)) + 0xa282ead8u; }

std::vector<std::string_view> records(std::string_view file) {
  std::vector<std::string_view> result;
  while (!file.empty()) {
    REQUIRE(file.size() >= 16);
    const auto length = static_cast<std::size_t>(number_at(file, 8));
    CHECK(number_at(file.substr(8), 4) == masked(crc32c(file.substr(0, 8))));
    REQUIRE(file.size() >= 16 + length);
    result.push_back(file.substr(12, length));
    CHECK(number_at(file.substr(12 + length), 4) == masked(crc32c(result.back())));
    file.remove_prefix(16 + length);
  }
  return result;
}

// All events without their times.
std::string timeless(const std::string& file) {
  std::string result;
  for (const std::string_view record : records(file))
    for (const Field& each : fields(record))
      if (each.number != 1)
        result += std::to_string(each.number) + ":" + std::to_string(each.value) + ":" +
                  std::string(each.bytes) + "\n";
  return result;
}

float float_of(std::uint64_t bits) {
  const auto low = static_cast<std::uint32_t>(bits);
  float value = 0;
  std::memcpy(&value, &low, 4);
  return value;
}

TEST_CASE("crc32c: the values of RFC 3720, B.4") {
  CHECK(crc32c("123456789") == 0xe3069283);
  CHECK(crc32c(std::string(32, '\0')) == 0x8a9136aa);
  CHECK(crc32c(std::string(32, '\xff')) == 0x62a8ab43);
  CHECK(crc32c("") == 0);
}

TEST_CASE("events: scalars, pictures and texts where TensorBoard looks for them") {
  if (!has_event_log()) return;
  const TemporaryFolder scratch;
  const fs::path file = scratch / "events.out.tfevents.x";
  Console console(true);
  std::string png("\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\1\2\0\0\0\5\x8\2\0\0\0", 29);
  write_file(scratch / "a.png", png + "rest");
  write_file(scratch / "a.txt", "one\ntwo");
  {
    EventLog log(file, 0, console);
    log.add({3, "train", {{"loss", 1.5}, {"seconds", 9}, {"kl", -2}}});
    log.add_sample(4, scratch / "a.png");
    log.add_sample(5, scratch / "a.txt");
    log.add_sample(6, scratch / "none.png");
    CHECK(log.flush());
  }
  const std::string content = read_file(file);
  const auto events = records(content);
  REQUIRE(events.size() == 4);
  CHECK(field(events[0], 3).bytes == "brain.Event:2");
  CHECK(field(events[1], 2).value == 3);
  const auto values = fields(field(events[1], 5).bytes);
  REQUIRE(values.size() == 2);
  CHECK(field(values[0].bytes, 1).bytes == "loss/train");
  CHECK(float_of(field(values[0].bytes, 2).value) == 1.5f);
  CHECK(field(values[1].bytes, 1).bytes == "kl/train");
  CHECK(float_of(field(values[1].bytes, 2).value) == -2.0f);
  const std::string_view image = field(field(field(events[2], 5).bytes, 1).bytes, 4).bytes;
  CHECK(field(image, 1).value == 5);
  CHECK(field(image, 2).value == 258);
  CHECK(field(image, 3).value == 3);
  CHECK(field(image, 4).bytes == png + "rest");
  const std::string_view text = field(field(events[3], 5).bytes, 1).bytes;
  CHECK(field(field(text, 8).bytes, 1).value == 7);
  CHECK(field(field(text, 8).bytes, 8).bytes == "    one\n    two");
  CHECK(field(field(field(text, 9).bytes, 1).bytes, 1).bytes == "text");
}

TEST_CASE("events: taken up again at a step, and up to what is damaged") {
  if (!has_event_log()) return;
  const TemporaryFolder scratch;
  const fs::path file = scratch / "events";
  Console console(true);
  const auto add = [&](std::int64_t last_step, int from, int to) {
    EventLog log(file, last_step, console);
    for (int step = from; step <= to; ++step) log.add({step, "train", {{"loss", 1.0 / step}}});
    CHECK(log.flush());
  };
  add(0, 1, 5);
  const std::string whole = read_file(file);
  add(3, 4, 5);
  CHECK(timeless(read_file(file)) == timeless(whole));
  std::string damaged = whole;
  damaged[damaged.size() - 9] ^= 1;  // in the last event's data
  write_file(file, damaged);
  add(9, 5, 5);
  CHECK(timeless(read_file(file)) == timeless(whole));
  write_file(file, "no event file");
  add(9, 1, 5);
  CHECK(timeless(read_file(file)) == timeless(whole));
}

TEST_CASE("training without a validation loss: the last weights are the result") {
  const TemporaryFolder scratch;
  const RunFolder folder = new_run(scratch / "run");
  Adversaries toy(false);
  const TrainingOutcome outcome = run(toy, folder, 0, false);
  CHECK(outcome.finished);
  CHECK(outcome.best_step == 8);
  CHECK(toy.x() == saved_x(folder.best_checkpoint()));
  CHECK(saved_x(folder.best_checkpoint()) == saved_x(folder.last_checkpoint()));
  for (const MetricsLine& line : read_metrics(folder.metrics())) CHECK(line.split == "train");
}

TEST_CASE("training with a validation loss: the best weights are the result") {
  const TemporaryFolder scratch;
  const RunFolder folder = new_run(scratch / "run");
  Adversaries toy(true);
  const TrainingOutcome outcome = run(toy, folder, 0, false);
  CHECK(outcome.best_step == 4);
  REQUIRE(toy.validated().size() == 4);
  CHECK(toy.x() == toy.validated()[1]);
  CHECK(toy.x() == saved_x(folder.best_checkpoint()));
  CHECK(toy.x() != saved_x(folder.last_checkpoint()));
}

TEST_CASE("a resumed run has the same bits, log, events and samples") {
  const TemporaryFolder scratch;
  const RunFolder full = new_run(scratch / "full"), chain = new_run(scratch / "chain");
  Adversaries at_once(false);
  run(at_once, full, 0, false);
  for (bool resume : {false, true, true}) {
    Adversaries part(false);
    run(part, chain, 3, resume);
  }
  for (const char* file : {"checkpoints/last.safetensors", "checkpoints/best.safetensors",
                           "samples/step_0000008.txt", "loss.svg"})
    CHECK(read_file(full.path() / file) == read_file(chain.path() / file));
  CHECK(!read_file(full.path() / "samples/step_0000008.txt").empty());
  if (has_event_log())
    CHECK(timeless(read_file(full.events())) == timeless(read_file(chain.events())));
}

TEST_CASE("a folder whose files do not belong together is refused before a step is done") {
  const TemporaryFolder scratch;
  const RunFolder folder = new_run(scratch / "run");
  Adversaries toy(true);
  run(toy, folder, 5, false);
  const std::string before = read_file(folder.last_checkpoint());
  Adversaries shorter(true);
  CHECK_THROWS_AS(run(shorter, folder, 0, true, 4), DataError);  // has done 5 steps
  const io::HostArray other = io::HostArray::zeros(DType::f32, {7});
  io::write_checkpoint(folder.best_checkpoint(), std::vector{io::NamedView{"x", other}},
                       {{"step", "4"}, {"best_loss", "1"}});
  Adversaries again(true);
  CHECK_THROWS_AS(run(again, folder, 0, true), DataError);
  CHECK(read_file(folder.last_checkpoint()) == before);
}

// Loses the folder of its checkpoints, and is told to stop.
class Interrupting : public Adversaries {
 public:
  explicit Interrupting(fs::path lost) : Adversaries(false), lost_(std::move(lost)) {}
  NamedTensors step(const StepInfo& info) override {
    fs::remove_all(lost_);
    std::raise(SIGHUP);
    return Adversaries::step(info);
  }

 private:
  fs::path lost_;
};

TEST_CASE("a run that is stopped, and whose checkpoint cannot be written, says so") {
  const TemporaryFolder scratch;
  const RunFolder folder = new_run(scratch / "run");
  Interrupting toy(folder.path() / "checkpoints");
  std::signal(SIGHUP, SIG_DFL);  // under nohup it is ignored, and stays so
  try {
    run(toy, folder, 0, false);
    FAIL("not stopped");
  } catch (const Interrupted& error) {
    CHECK(error.exit_code() == 128 + SIGHUP);
    CHECK(std::string(error.what()).find("could not write: last") != std::string::npos);
  }
}

TEST_CASE("configuration files are small") {
  const TemporaryFolder scratch;
  write_file(scratch / "a.toml", "a = 1\n#" + std::string(1 << 20, ' '));
  CHECK_THROWS_AS(read_config(scratch / "a.toml"), UsageError);
  write_file(scratch / "a.toml", "a = 1\n");
  CHECK(read_config(scratch / "a.toml").at(0).value == "1");
  CHECK_THROWS_AS(read_config(scratch.path()), UsageError);
}

TEST_CASE("more memory than there is is refused, not granted") {
  if (available_memory() == std::numeric_limits<std::int64_t>::max()) return;
  rlimit before{};
  REQUIRE(getrlimit(RLIMIT_DATA, &before) == 0);
  constexpr std::int64_t each = std::int64_t{1} << 30;  // never touched
  const std::int64_t there = available_memory() / each + 1;
  refuse_more_than_available();
  // Mapped, as malloc does for blocks of this size, which may be told to fill them.
  std::vector<void*> blocks;
  bool refused = false;
  for (std::int64_t i = 0; i < 2 * there && !refused; ++i) {
    void* block = mmap(nullptr, each, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    refused = block == MAP_FAILED;
    if (!refused) blocks.push_back(block);
  }
  CHECK(refused);
  for (void* block : blocks) munmap(block, each);
  setrlimit(RLIMIT_DATA, &before);
}

TEST_CASE("the report shows all of a run on one page, and names no path") {
  const TemporaryFolder scratch;
  const RunFolder folder = new_run(scratch / "run");
  Adversaries toy(false);
  run(toy, folder, 0, false);
  CHECK(read_file(folder.report()).find("not finished") != std::string::npos);
  write_text(folder.summary(), to_json({{mean_figure("elbo", {1, 2}, "nats", "p > q")}, 1, 8, 9}));
  write_file(folder.path() / "samples/step_0000009.png", "\x89PNG");
  write_report(folder);
  const std::string page = read_file(folder.report());
  for (const char* part :
       {"<title>genera-toy a&lt;b on my data</title>", "<td>elbo</td><td>1.5 nats</td>", "p &gt; q",
        "generator</text>", "discriminator</text>", "step_0000005", "step_0000001", "x &lt; ",
        "src=\"data:image/png;base64,iVBORw==\"", "<td>batch</td><td>4</td>",
        "<td>data</td><td>my data</td>", "<td>machine cpu</td><td>Processor 3</td>"})
    CHECK_MESSAGE(page.find(part) != std::string::npos, std::string(part));
  CHECK(page.find("secret") == std::string::npos);
  CHECK(page.find(scratch.string()) == std::string::npos);
  // the newest, the one of half the way, the first
  for (const char* step : {"step_0000008", "step_0000002"})
    CHECK(page.find(step) == std::string::npos);
  CHECK(page.find("not finished") == std::string::npos);
}

TEST_CASE("base64: the values of RFC 4648, section 10") {
  CHECK(base64("") == "");
  CHECK(base64("f") == "Zg==");
  CHECK(base64("fo") == "Zm8=");
  CHECK(base64("foo") == "Zm9v");
  CHECK(base64("foobar") == "Zm9vYmFy");
  CHECK(base64("\xff\xfe") == "//4=");
}

TEST_CASE("the learning rate rises, and falls as its schedule says until the end of the run") {
  const auto at = [](const char* schedule, std::int64_t step, std::int64_t warm_up, double last) {
    return rate_factor(schedule, {step, 24}, warm_up, last);
  };
  for (const char* schedule : {"cosine", "linear", "constant"}) {
    CHECK(at(schedule, 0, 4, 0) == 0.25);
    CHECK(at(schedule, 3, 4, 0) == 1);
    CHECK(at(schedule, 4, 4, 0) == 1);
    CHECK(at(schedule, 0, 0, 0) == 1);
    CHECK(rate_factor(schedule, {9, 10}, 20) == 0.5);  // a run that ends while it rises
  }
  CHECK(at("constant", 23, 4, 0.2) == 1);
  CHECK(at("linear", 14, 4, 0) == 0.5);
  CHECK(at("linear", 14, 4, 0.2) == doctest::Approx(0.6));
  CHECK(at("cosine", 14, 4, 0.2) == doctest::Approx(0.6));
  CHECK(at("cosine", 9, 4, 0) == doctest::Approx(0.5 + std::sqrt(0.125)));
  for (const char* schedule : {"cosine", "linear"})
    CHECK(at(schedule, 24, 4, 0.2) == doctest::Approx(0.2));
}

TEST_CASE("sizes in a checkpoint's description may say anything") {
  const TemporaryFolder scratch;
  TrainedRun run{"prog", new_run(scratch / "run"), "file", {}, {}, ""};
  const auto sizes = [&](const std::string& text) {
    run.checkpoint.metadata["image"] = text;
    return run.extents("image", 3);
  };
  CHECK(sizes("1,28,29") == std::vector<std::int64_t>{1, 28, 29});
  CHECK(sizes(extents_text({4, 1, 4096})) == std::vector<std::int64_t>{4, 1, 4096});
  for (const char* bad : {"", "1,28", "1,28,28,1", "1,28,28,", "1,,28", "1,0,28", "1,-1,28",
                          "1,28,4097", "1,28,x", "1 28 28", "99999999999999999999,1,1"})
    CHECK_THROWS_AS(sizes(bad), DataError);
  CHECK_THROWS_AS(run.extents("other", 1), DataError);
}

TEST_CASE("samples: a picture, arrays, or a folder that can be trained on") {
  if (!io::has_png()) return;
  const TemporaryFolder scratch;
  const TrainedRun run{"prog", new_run(scratch / "run"), "file", {}, {}, "the recipe"};
  io::HostArray images = io::HostArray::zeros(DType::f32, {3, 1, 8, 8});
  images.as<float>()[64] = 1;  // the first pixel of the second image
  ReadFlags flags;
  CHECK(finish_samples(run, flags, images) == exit_done);
  CHECK(io::read_png_text(run.folder.path() / "samples.png")[1].second == "the recipe");
  flags.out = (scratch / "a.npy").string();
  finish_samples(run, flags, images, {0, 1, 1});
  CHECK(io::read_npy(scratch / "a.npy").shape == images.shape);
  CHECK(io::read_npy(scratch / "a-labels.npy").as<std::int32_t>()[2] == 1);
  flags.out = (scratch / "folder").string();
  finish_samples(run, flags, images, {0, 1, 1});
  const io::HostArray second = io::read_png(scratch / "folder/1/000001.png");
  CHECK(second.shape == Shape{8, 8, 1});
  CHECK(second.as<std::uint8_t>()[0] == 255);
  CHECK(second.as<std::uint8_t>()[1] == 0);
  CHECK(fs::exists(scratch / "folder/0/000000.png"));
  CHECK_THROWS_AS(finish_samples(run, flags, images), UsageError);  // it is there
}

}  // namespace
}  // namespace genera::zoo
