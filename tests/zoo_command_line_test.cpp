// The programs' command line, configuration files, help, messages and exit codes.
#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>
#include <sstream>
#include <string>
#include <vector>

#include "tests/temporary_folder.h"
#include "zoo/common/command_line.h"
#include "zoo/common/config_text.h"
#include "zoo/common/console.h"
#include "zoo/common/duration.h"
#include "zoo/common/failure.h"
#include "zoo/common/help_page.h"
#include "zoo/common/shell.h"
#include "zoo/common/spelling.h"

namespace genera::zoo {
namespace {

namespace fs = std::filesystem;

using test::read_file;
using test::TemporaryFolder;

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

}  // namespace
}  // namespace genera::zoo
