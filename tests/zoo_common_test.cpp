// What the zoo's programs share, as far as it needs no training: command line, run folder,
// pictures, curves, figures.
#include <doctest/doctest.h>

#include <genera/io.h>

#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "tests/temporary_folder.h"
#include "zoo/common/command_line.h"
#include "zoo/common/config_text.h"
#include "zoo/common/console.h"
#include "zoo/common/curve_plot.h"
#include "zoo/common/duration.h"
#include "zoo/common/failure.h"
#include "zoo/common/help_page.h"
#include "zoo/common/image_grid.h"
#include "zoo/common/interpolation.h"
#include "zoo/common/metrics.h"
#include "zoo/common/run_folder.h"
#include "zoo/common/shell.h"
#include "zoo/common/spelling.h"
#include "zoo/common/summary.h"

namespace genera::zoo {
namespace {

namespace fs = std::filesystem;

using test::TemporaryFolder;

std::string read_file(const fs::path& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

class Environment {
 public:
  Environment(const char* name, const char* value) : name_(name) { setenv(name, value, 1); }
  ~Environment() { unsetenv(name_); }

 private:
  const char* name_;
};

// A small program's command line, with the values that a parse left.
struct Program {
  CommandLine line{"prog", "A program"};
  std::string data = "fashion-mnist", model = "mlp", config, time, run, resume;
  std::int64_t batch = 128, steps = 0;
  std::uint64_t seed = 0;
  double lr = 1e-3;
  bool quiet = false, smoke = false;
  Verb* train = nullptr;

  Program() {
    train = &line.verb("train", "Trains");
    train->option("data", data, "Data")
        .not_in_environment("data")
        .choice("model", model, {"mlp", "conv"}, "Model")
        .option("batch", batch, "Batch", Range{1, 1e6})
        .option("seed", seed, "Seed", Range{0, 1.8e19}, Kept::changeable)
        .option("lr", lr, "Rate", Range{0, 10})
        .option("steps", steps, "Steps", Range{1, 1e12})
        .option("time", time, "Time")
        .exclusive({"steps", "time"})
        .flag("quiet", quiet, "Quiet")
        .flag("smoke", smoke, "Smoke", Kept::in_config)
        .option("config", config, "File", Kept::nowhere);
    line.verb("eval", "Evaluates").argument("RUN", run, "a run folder");
  }

  Verb* parse(std::vector<std::string> arguments) {
    std::vector<const char*> argv = {"prog"};
    for (const std::string& argument : arguments) argv.push_back(argument.c_str());
    return line.parse(static_cast<int>(argv.size()), argv.data());
  }
};

std::string usage_error(std::vector<std::string> arguments) {
  Program program;
  try {
    program.parse(std::move(arguments));
  } catch (const UsageError& error) {
    return error.what();
  }
  return "no error";
}

TEST_CASE("command line: flag over environment over file over default") {
  const TemporaryFolder scratch;
  std::ofstream(scratch / "c.toml") << "# a comment\nbatch = 9\nlr = 0.5\nmodel = \"conv\"\n";
  const std::string config = (scratch / "c.toml").string();
  {
    Program p;
    CHECK(p.parse({"train"}) == p.train);
    CHECK(p.batch == 128);
    CHECK(p.train->source("batch") == Source::unset);
  }
  {
    Program p;
    p.parse({"train", "--config", config});
    CHECK(p.batch == 9);
    CHECK(p.lr == 0.5);
    CHECK(p.model == "conv");
    CHECK(p.train->source("batch") == Source::config);
  }
  const Environment batch("GENERA_BATCH", "7");
  {
    Program p;
    p.parse({"train", "--config", config});
    CHECK(p.batch == 7);  // CLI11 alone would take the file's 9
    CHECK(p.lr == 0.5);
    CHECK(p.train->source("batch") == Source::environment);
  }
  {
    Program p;
    p.parse({"train", "--config", config, "--batch", "3"});
    CHECK(p.batch == 3);
    CHECK(p.train->source("batch") == Source::flag);
  }
  const Environment data("GENERA_DATA", "/somewhere");  // a folder of data sets, not one
  Program p;
  p.parse({"train"});
  CHECK(p.data == "fashion-mnist");
}

TEST_CASE("command line: of options that exclude each other the strongest source counts") {
  const TemporaryFolder scratch;
  std::ofstream(scratch / "c.toml") << "steps = 40\n";
  const std::string config = (scratch / "c.toml").string();
  {
    Program p;
    p.parse({"train", "--config", config});
    CHECK(p.steps == 40);
  }
  {
    Program p;
    p.parse({"train", "--config", config, "--time", "2m"});
    CHECK(p.time == "2m");
    CHECK(p.train->source("steps") == Source::unset);
    CHECK(p.train->resolved().find("steps") == std::string::npos);
  }
  {
    const Environment steps("GENERA_STEPS", "5");
    Program p;
    p.parse({"train", "--time", "2m"});
    CHECK(p.time == "2m");
    CHECK(p.steps == 0);
    CHECK(p.train->source("steps") == Source::unset);
  }
  {
    const Environment time("GENERA_TIME", "1h");
    Program p;
    p.parse({"train", "--config", config});
    CHECK(p.time == "1h");
    CHECK(p.steps == 0);
  }
  {
    const Environment time("GENERA_TIME", "1h");  // a resumed run keeps its length
    Program p;
    p.parse({"train"});
    p.train->restore(config);
    CHECK(p.steps == 40);
    CHECK(p.time.empty());
  }
  CHECK(usage_error({"train", "--steps", "3", "--time", "2m"}).find("exclude") !=
        std::string::npos);
}

TEST_CASE("command line: what is unknown is an error with a suggestion") {
  CHECK(usage_error({"train", "--bacth", "3"}) == "unknown flag --bacth; did you mean --batch?");
  CHECK(usage_error({"train", "--bacth=3"}) == "unknown flag --bacth=3; did you mean --batch?");
  CHECK(usage_error({"train", "--zzzzzz"}) == "unknown flag --zzzzzz");
  CHECK(usage_error({"trian"}) == "unknown verb 'trian'; did you mean train?");
  CHECK(usage_error({"train", "extra"}) == "unexpected argument 'extra'");
  CHECK(usage_error({"eval"}).find("needs RUN") != std::string::npos);
  CHECK(usage_error({}).find("train, eval") != std::string::npos);
  CHECK(usage_error({"train", "--model", "cnov"}).find("did you mean conv?") != std::string::npos);
  CHECK(usage_error({"train", "--batch", "0"}).find("not between") != std::string::npos);
  CHECK(usage_error({"train", "--batch", "many"}).find("no number") != std::string::npos);
  CHECK(usage_error({"train", "--batch", "1e3"}).find("no whole number") != std::string::npos);
  CHECK(usage_error({"train", "--lr", "nan"}).find("not between") != std::string::npos);

  {
    const Environment batch("GENERA_BATCH", "many");
    CHECK(usage_error({"train"}).find("GENERA_BATCH in the environment") == 0);
    CHECK(usage_error({"train", "--batch", "3"}) == "no error");
    CHECK(usage_error({"eval", "x"}) == "no error");
  }

  const TemporaryFolder scratch;
  const std::string config = (scratch / "c.toml").string();
  const auto with_config = [&](const std::string& text) {
    std::ofstream(config) << text;
    return usage_error({"train", "--config", config});
  };
  CHECK(with_config("bacth = 3\n").find("unknown key 'bacth'; did you mean batch?") !=
        std::string::npos);
  CHECK(with_config("[train]\nbatch = 3\n").find("line 1: '[train]' is not") != std::string::npos);
  CHECK(with_config("quiet = true\n").find("unknown key") != std::string::npos);
  CHECK(with_config("batch = many\n").find("no number") != std::string::npos);
  CHECK(with_config("batch = [1, 2]\n").find("needs one value") != std::string::npos);
  CHECK(with_config(std::string("\0\1\2 nonsense", 12)).find("'??? nonsense' is not") !=
        std::string::npos);
  CHECK(usage_error({"train", "--config", (scratch / "none").string()}).find("cannot be read") !=
        std::string::npos);
}

TEST_CASE("command line: the resolved configuration gives the same run again") {
  const TemporaryFolder scratch;
  const std::string config = (scratch / "config.toml").string();
  {
    Program p;
    p.parse({"train", "--time", "2m", "--lr", "0.02", "--smoke", "--quiet"});
    p.train->unset("time");
    p.train->set("steps", "1234");
    std::ofstream(config) << p.train->resolved();
  }
  const std::string text = read_file(config);
  CHECK(text.find("steps = 1234\n") != std::string::npos);
  CHECK(text.find("batch = 128\n") != std::string::npos);
  CHECK(text.find("time") == std::string::npos);
  CHECK(text.find("quiet") == std::string::npos);
  {
    Program p;
    p.parse({"train", "--config", config});
    CHECK(p.steps == 1234);
    CHECK(p.lr == 0.02);
    CHECK(p.smoke);
  }
  {
    const Environment batch("GENERA_BATCH", "7");  // a resumed run keeps its settings
    Program p;
    p.parse({"train", "--seed", "5"});
    p.train->restore(config);
    CHECK(p.batch == 128);
    CHECK(p.steps == 1234);
    CHECK(p.seed == 5);  // may be changed
  }
  {
    Program p;
    p.parse({"train", "--batch", "7"});
    CHECK_THROWS_AS(p.train->restore(config), UsageError);
  }
  std::ofstream(config) << "no = 1\n";
  Program p;
  p.parse({"train"});
  CHECK_THROWS_AS(p.train->restore(config), DataError);
}

TEST_CASE("command line: a value of any bytes outlives its configuration file") {
  const TemporaryFolder scratch;
  const std::string config = (scratch / "config.toml").string();
  for (const std::string value :
       {"#", "a#b", "data #1", "a, b", "[x]", "\"quoted\"", "it's", "'", "\"'#", "C:\\new\\",
        "a\nb = 1", "\t\r\x01\x7f", " spaced ", "größer", "true", "12", "-", "="}) {
    CAPTURE(value);
    {
      Program p;
      p.parse({"train", "--data=" + value});
      std::ofstream(config) << p.train->resolved();
    }
    Program p;
    p.parse({"train"});
    p.train->restore(config);
    CHECK(p.data == value);
  }
}

TEST_CASE("parse_config") {
  const auto value_of = [](const std::string& text) {
    return parse_config("key = " + text + "\n", "file").at(0).value;
  };
  CHECK(parse_config("", "file").empty());
  CHECK(parse_config("\n  # only = a comment\r\n\n", "file").empty());
  CHECK(parse_config("a=1\n b-c = 2 # two", "file").at(1).name == "b-c");
  CHECK(value_of("12 # months") == "12");
  CHECK(value_of("'a \\ # \"b\"' # literal") == "a \\ # \"b\"");
  CHECK(value_of(R"("\" \\ \u00e9 \U0001F600" # basic)") == "\" \\ é 😀");
  CHECK(value_of("\"\"").empty());
  for (const char* bad :
       {"", "# nothing", "one two", "\"open", "'open", "\"a\" b", "\"\\x\"", "\"\\u12\"",
        "\"\\U00110000\"", "\"\\", "[1, 2]", "{a = 1}", "\"\\u+123\""}) {
    CAPTURE(bad);
    CHECK_THROWS_AS(value_of(bad), UsageError);
  }
  for (const char* bad : {"key", "= 1", "two words = 1", "[table]", "a = 1\na = 2"}) {
    CAPTURE(bad);
    CHECK_THROWS_AS(parse_config(bad, "file"), UsageError);
  }
}

TEST_CASE("nearest_name") {
  const std::vector<std::string> known = {"batch", "beta", "seed", "steps"};
  CHECK(nearest_name("bacth", known) == "batch");
  CHECK(nearest_name("sede", known) == "seed");
  CHECK(nearest_name("ste", known) == "steps");
  CHECK(nearest_name("xyz", known).empty());
  CHECK(nearest_name("", known).empty());
  CHECK(edit_distance("ab", "ba") == 1);
  CHECK(edit_distance("", "abc") == 3);
  CHECK(edit_distance("kitten", "sitting") == 3);
}

TEST_CASE("shell_word") {
  CHECK(shell_word("runs/a-1.x") == "runs/a-1.x");
  CHECK(shell_word("") == "''");
  CHECK(shell_word("my run") == "'my run'");
  CHECK(shell_word("it's $HOME") == "'it'\\''s $HOME'");
  CHECK(shell_word("B\xC3\xBC") == "'B\xC3\xBC'");
  CHECK(shell_word("a\xC3'\n") == "$'a\\xc3\\'\\x0a'");  // no UTF-8: bash's own escapes
}

TEST_CASE("run_flags: what is not the default, without paths") {
  Program p;
  p.parse({"train", "--lr", "0.001", "--data", "/some/where/my data", "--smoke", "--seed", "3",
           "--steps", "7"});
  CHECK(p.train->run_flags() == "--data 'my data' --steps 7 --smoke");
}

TEST_CASE("parse_duration") {
  CHECK(parse_duration("90") == 90);
  CHECK(parse_duration("90s") == 90);
  CHECK(parse_duration("2m") == 120);
  CHECK(parse_duration("1h30m") == 5400);
  CHECK(parse_duration("1.5h") == 5400);
  for (const char* bad : {"", "m", "2x", "-2m", "0", "2m x", "1m2h", "1m2m", "nan", "inf", "1e99h"})
    CHECK_THROWS_AS(parse_duration(bad), UsageError);
}

TEST_CASE("run_program: every class of error has its exit code") {
  const auto code = [](auto error) { return run_program("test", [&]() -> int { throw error; }); };
  CHECK(run_program("test", [] { return 0; }) == 0);
  CHECK(code(Error("a failure")) == 1);
  CHECK(code(std::runtime_error("another")) == 1);
  CHECK(code(UsageError("usage")) == 2);
  CHECK(code(DataError("data")) == 3);
  CHECK(code(NumericError("nan")) == 4);
  CHECK(code(DeviceError("device")) == 5);
  CHECK(code(MemoryError("memory")) == 6);
  CHECK(code(std::bad_alloc()) == 6);
  CHECK(code(DiskError("disk")) == 7);
  CHECK(code(Interrupted(2, "stopped")) == 130);
  CHECK(code(Interrupted(15, "stopped")) == 143);
}

TEST_CASE("printable and duration_text") {
  CHECK(printable("a\033[31mb\r\nc\x7f") == "a?[31mb?\nc?");
  CHECK(printable("größer") == "größer");
  CHECK(duration_text(0.25) == "0.2 s");
  CHECK(duration_text(59) == "59 s");
  CHECK(duration_text(200) == "3 min 20 s");
  CHECK(duration_text(3720) == "1 h 02 min");
  CHECK(duration_text(std::numeric_limits<double>::infinity()) == "?");
}

TEST_CASE("progress_line: one layout that fits") {
  const auto bar_of = [](const std::string& line) {
    int cells = 0;
    for (std::size_t at = 0; (at = line.find("\xe2\x96", at)) != std::string::npos; at += 3)
      ++cells;
    return cells;
  };
  for (const int width : {20, 60, 80, 120, 300}) {
    const int bar = bar_of(progress_line({}, width, false));
    for (const std::int64_t done : {0, 9, 80000, 100000}) {
      for (const char* text : {"loss 240.12", "loss 240.12  val 241.55"}) {
        const std::string line =
            progress_line({done, 100000, text, "12345 images/s", "12 min 34 s left"}, width, false);
        CHECK(bar_of(line) == bar);
        CHECK(static_cast<int>(line.size()) - 2 * bar < width);  // a cell has three bytes
      }
    }
  }
  const std::string usual = progress_line(
      {12345, 20000, "loss 240.12  val 241.55", "9876 images/s", "48 s left"}, 80, false);
  CHECK(bar_of(usual) == 8);
  CHECK(usual.find("48 s left") != std::string::npos);
  CHECK(usual.find("9876 images/s") != std::string::npos);
}

TEST_CASE("help: long descriptions are broken at blanks") {
  CHECK(wrapped("ab cd ef", 5) == "ab cd\nef");
  CHECK(wrapped("ab cd ef", 4) == "ab\ncd\nef");
  CHECK(wrapped("abcdefgh i", 4) == "abcdefgh\ni");
  CHECK(wrapped("", 4).empty());
}

TEST_CASE("run folder: made once, never overwritten, found again") {
  const TemporaryFolder scratch;
  const std::string out = (scratch / "deep/run/").string();
  const RunFolder folder = RunFolder::create(out, "prog", "mlp");
  CHECK(fs::is_directory(folder.path() / "samples"));
  CHECK(fs::is_directory(folder.path() / "checkpoints"));
  CHECK_THROWS_AS(RunFolder::create(out, "prog", "mlp"), UsageError);
  CHECK_THROWS_AS(RunFolder::open((scratch / "none").string()), DataError);
  CHECK_THROWS_AS(RunFolder::open(out), DataError);  // no config.toml yet
  write_text(folder.config(), "steps = 1\n");
  CHECK(RunFolder::open(out).checkpoint_to_read() ==
        folder.path() / "checkpoints/last.safetensors");
  write_text(folder.best_checkpoint(), "x");
  CHECK(RunFolder::open(out).checkpoint_to_read().filename() == "best.safetensors");
  const fs::path previous = folder.path() / "checkpoints/last.safetensors.prev";
  write_text(previous, "x");
  RunFolder from_file = RunFolder::open(previous.string());
  CHECK(from_file.checkpoint_to_resume() == previous);
  CHECK(fs::equivalent(from_file.path(), folder.path()));

  const fs::path leftover = folder.path() / "checkpoints" /
                            (".last.safetensors." + std::to_string(getpid()) + "-0-0.tmp");
  write_text(leftover, "x");
  CHECK(fs::exists(leftover));
  from_file.claim();
  CHECK_FALSE(fs::exists(leftover));
  CHECK(fs::exists(previous));
  RunFolder second = RunFolder::open(folder.path().string());
  CHECK_THROWS_WITH_AS(second.claim(), doctest::Contains("another process"), Error);
  second.check_program("prog");  // there is no manifest that says otherwise
  write_text(folder.manifest(), R"({"program": "genera-gan"})");
  second.check_program("genera-gan");
  CHECK_THROWS_WITH_AS(second.check_program("genera-vae"), doctest::Contains("a run of genera-gan"),
                       DataError);

  write_text(scratch / "file", "x");
  CHECK_THROWS_AS(RunFolder::create((scratch / "file").string(), "prog", "mlp"), UsageError);
  CHECK_THROWS_AS(RunFolder::create((scratch / "file/below").string(), "prog", "mlp"), DiskError);

  const fs::path before = fs::current_path();
  fs::current_path(scratch.path());
  CHECK(RunFolder::create("", "prog", "mlp").path() == "runs/prog-mlp-1");
  CHECK(RunFolder::create("", "prog", "mlp").path() == "runs/prog-mlp-2");
  CHECK(RunFolder::create("", "prog", "conv").path() == "runs/prog-conv-1");
  fs::current_path(before);
}

TEST_CASE("metrics log: appended, taken up again at a step, kept when the disk refuses") {
  const TemporaryFolder scratch;
  const fs::path file = scratch / "metrics.jsonl";
  Console console(true);
  {
    MetricsLog log(file, 0, console);
    for (int step = 1; step <= 4; ++step) log.add({step, "train", {{"loss", 1.0 / step}}});
    CHECK(log.flush());
  }
  const std::string all = read_file(file);
  CHECK(all.substr(0, all.find('\n')) == R"({"step":1,"split":"train","loss":1.0})");
  {
    MetricsLog log(file, 2, console);  // resumed from the checkpoint of step 2
    CHECK(log.lines().size() == 2);
    CHECK(value_of(log.lines()[1].metrics, "loss") == 0.5);
    CHECK(std::isnan(value_of(log.lines()[1].metrics, "none")));
    for (int step = 3; step <= 4; ++step) log.add({step, "train", {{"loss", 1.0 / step}}});
    CHECK(log.flush());
  }
  CHECK(read_file(file) == all);
  std::ofstream(file, std::ios::app) << "{\"step\":5,\"spl";  // cut off by a crash
  {
    MetricsLog log(file, 9, console);
    CHECK(log.lines().size() == 4);
  }
  CHECK(read_file(file) == all);
  MetricsLog log("/dev/full/none/metrics.jsonl", 0, console);
  log.add({1, "train", {{"loss", 1}}});
  CHECK_FALSE(log.flush());
}

TEST_CASE("round_ticks are round, ascending and inside") {
  CHECK(round_ticks(0, 10, 5) == std::vector<double>{0, 2, 4, 6, 8, 10});
  CHECK(round_ticks(238, 262, 6) == std::vector<double>{240, 245, 250, 255, 260});
  CHECK(round_ticks(1, 1, 5).empty());
  for (double tick : round_ticks(-0.37, 0.91, 7)) {
    CHECK(tick >= -0.37);
    CHECK(tick <= 0.91);
  }
}

TEST_CASE("plot_svg: the average keeps its window at the end, an axis its unit") {
  Curve noisy{"train", {}, true};
  for (int i = 0; i < 400; ++i) noisy.points.emplace_back(25 * i, i % 2 == 0 ? 10 : 20);
  noisy.points.emplace_back(10000, 0);
  const Curve curves[] = {noisy};
  const std::string svg = plot_svg(curves, {"t", "step", "nats"});
  const std::size_t bold = svg.rfind("<polyline");
  const std::string path = svg.substr(bold, svg.find(" \" fill", bold) - bold);
  const auto height_of = [&](const std::string& points) {
    return std::stod(points.substr(points.rfind(',') + 1));
  };
  const std::string before = path.substr(0, path.rfind(' '));
  CHECK(height_of(path) == doctest::Approx(height_of(before)).epsilon(0.02));
  CHECK(svg.find(">8k<") != std::string::npos);
  CHECK(svg.find(">10k<") != std::string::npos);
  CHECK(svg.find(">8000<") == std::string::npos);
}

TEST_CASE("plot_svg draws every curve, and what is not finite nowhere") {
  Curve train{"train", {}, true}, validation{"validation", {}, false};
  for (int i = 0; i < 5000; ++i) train.points.emplace_back(i, 240 + 300 * std::exp(-i / 100.0));
  train.points.emplace_back(5000, std::numeric_limits<double>::quiet_NaN());
  validation.points = {{1000, 250}, {5000, 241}};
  const Curve curves[] = {train, validation, {"empty", {}, false}, {"point", {{3, 250}}, false}};
  const std::string svg = plot_svg(curves, {"a < b & c", "step", "nats"});
  CHECK(svg.starts_with("<svg"));
  CHECK(svg.ends_with("</svg>\n"));
  CHECK(svg.find("a &lt; b &amp; c") != std::string::npos);
  CHECK(svg.find("validation") != std::string::npos);
  CHECK(svg.find("nan") == std::string::npos);
  CHECK(svg.find("inf") == std::string::npos);
  CHECK(svg.size() < 100'000);
  std::size_t lines = 0;
  for (std::size_t at = svg.find("<polyline"); at != std::string::npos;
       at = svg.find("<polyline", at + 1))
    ++lines;
  CHECK(lines == 3);  // the noisy curve twice
  CHECK(plot_svg({}, {}).ends_with("</svg>\n"));
}

TEST_CASE("interpolation keeps its ends, and on the sphere its length") {
  const std::vector<float> a = {2, 0, 0}, b = {0, 2, 0};
  for (bool spherical : {false, true}) {
    CHECK(interpolate(a, b, 0, spherical) == std::vector<double>{2, 0, 0});
    const auto end = interpolate(a, b, 1, spherical);
    CHECK(end[1] == doctest::Approx(2));
    CHECK(end[0] == doctest::Approx(0));
  }
  const auto middle = interpolate(a, b, 0.5, true);
  CHECK(std::hypot(middle[0], middle[1], middle[2]) == doctest::Approx(2));
  CHECK(interpolate(a, b, 0.5, false)[0] == 1);
  for (const std::vector<float>& c : {a, std::vector<float>{-2, 0, 0}, std::vector<float>{0, 0, 0}})
    for (double value : interpolate(a, c, 0.3, true)) CHECK(std::isfinite(value));
  std::vector<float> path = {7};
  append_path(path, a, b, 3, false);
  CHECK(path == std::vector<float>{7, 2, 0, 0, 1, 1, 0, 0, 2, 0});
  path.clear();
  append_path(path, a, b, 1, false);
  CHECK(path == std::vector<float>{1, 1, 0});
}

TEST_CASE("sample_grid puts every image in its place") {
  std::vector<float> values;  // 3 images of 1x2: (0, 1), (0.5, -3), (nan, 7)
  for (float v : {0.f, 1.f, .5f, -3.f, std::nanf(""), 7.f}) values.push_back(v);
  const auto images = io::HostArray::of<float>({3, 1, 1, 2}, values);
  const auto grid = sample_grid(images, {.columns = 2, .padding = 1, .scale = 1, .background = 9});
  REQUIRE(grid.shape == Shape{5, 7, 1});
  const auto p = grid.as<std::uint8_t>();
  const std::vector<std::uint8_t> expected = {9, 9, 9,   9, 9,   9, 9,  //
                                              9, 0, 255, 9, 128, 0, 9,  //
                                              9, 9, 9,   9, 9,   9, 9,  //
                                              9, 0, 255, 9, 9,   9, 9,  //
                                              9, 9, 9,   9, 9,   9, 9};
  CHECK(std::vector<std::uint8_t>(p.begin(), p.end()) == expected);

  const auto colour = io::HostArray::zeros(DType::f32, {5, 3, 4, 4});
  CHECK(sample_grid(colour).shape == Shape{2 * 10 + 2, 3 * 10 + 2, 3});
  CHECK_THROWS_AS(sample_grid(io::HostArray::zeros(DType::f32, {0, 1, 4, 4})), ArgumentError);
  CHECK_THROWS_AS(sample_grid(io::HostArray::zeros(DType::f32, {2, 2, 4, 4})), ArgumentError);
  CHECK_THROWS_AS(sample_grid(io::HostArray::zeros(DType::f32, {4, 4})), ArgumentError);
  CHECK_THROWS_AS(sample_grid(io::HostArray::zeros(DType::u8, {1, 1, 4, 4})), ArgumentError);
}

TEST_CASE("write_grid keeps the recipe in the file") {
  if (!io::has_png()) return;
  const TemporaryFolder scratch;
  write_grid(scratch / "grid.png", io::HostArray::zeros(DType::f32, {4, 1, 8, 8}),
             "prog sample --seed 3");
  const auto text = io::read_png_text(scratch / "grid.png");
  REQUIRE(text.size() == 2);
  CHECK(text[1].second == "prog sample --seed 3");
  CHECK(io::read_png(scratch / "grid.png").shape[2] == 1);
}

TEST_CASE("figures: mean, standard error, and the same object in and out") {
  const Figure figure = mean_figure("elbo", {1, 2, 3, 4}, "nats", "four numbers");
  CHECK(figure.value == 2.5);
  CHECK(figure.standard_error == doctest::Approx(std::sqrt(5.0 / 3) / 2));
  CHECK(mean_figure("x", {7}, "", "").standard_error == 0);
  const std::string text =
      to_text({{figure, {"exact", 2, 0, "", "counted"}, {"train.elbo", 3, 0, "", ""}}});
  CHECK(text.find("2.500 nats  standard error 0.645  (four numbers)") != std::string::npos);
  CHECK(text.find("2.000       (counted)") != std::string::npos);
  CHECK(text.find("train") == std::string::npos);

  const TemporaryFolder scratch;
  const Summary summary{{figure}, 12.34, 100, 7};
  write_text(scratch / "summary.json", to_json(summary));
  const Summary read = read_summary(scratch / "summary.json");
  REQUIRE(read.figures.size() == 1);
  CHECK(read.figures[0].value == 2.5);
  CHECK(read.figures[0].protocol == "four numbers");
  CHECK(read.steps == 100);
  CHECK(read.seconds == 12.3);
  write_text(scratch / "damaged.json", "{\"elbo\": [");
  CHECK(read_summary(scratch / "damaged.json").figures.empty());
  CHECK(read_summary(scratch / "none.json").figures.empty());
}

TEST_CASE("a record names no path and no host") {
  const TemporaryFolder scratch;
  const RunFolder folder = RunFolder::create((scratch / "run").string(), "prog", "mlp");
  write_text(folder.manifest(), R"({"commit": "abc", "command": "prog train --steps 3", "seed": 4,
                                   "secret": "/home/somebody", "model": "mlp"})");
  write_record(scratch / "record.json", folder,
               {{mean_figure("elbo", {1, 2}, "nats", "p")}, 1, 3, 9});
  const std::string text = read_file(scratch / "record.json");
  CHECK(text.find("\"command\": \"prog train --steps 3\"") != std::string::npos);
  CHECK(text.find("\"elbo\"") != std::string::npos);
  CHECK(text.find("secret") == std::string::npos);
  CHECK(text.find('/' + std::string("home")) == std::string::npos);
}

}  // namespace
}  // namespace genera::zoo
