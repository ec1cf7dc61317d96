// What the zoo's programs leave: run folder, metrics, curves, pictures, figures, records.
#include <doctest/doctest.h>

#include <genera/io.h>

#include <sys/stat.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <sstream>
#include <string>
#include <vector>

#include "tests/temporary_folder.h"
#include "zoo/common/console.h"
#include "zoo/common/curve_plot.h"
#include "zoo/common/failure.h"
#include "zoo/common/image_grid.h"
#include "zoo/common/interpolation.h"
#include "zoo/common/metrics.h"
#include "zoo/common/run_folder.h"
#include "zoo/common/summary.h"

namespace genera::zoo {
namespace {

namespace fs = std::filesystem;

using test::read_file;
using test::TemporaryFolder;

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

  CHECK(second.has_checkpoint());
  fs::remove(folder.best_checkpoint());
  CHECK(second.has_checkpoint());  // the previous one
  fs::remove(previous);
  CHECK_FALSE(second.has_checkpoint());
  REQUIRE(mkfifo(folder.metrics().c_str(), 0600) == 0);  // would be waited for
  CHECK_THROWS_WITH_AS(RunFolder::open(out), doctest::Contains("not a regular file"), DataError);

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
  // Cut off by a crash, at last between the line and its newline.
  for (const char* cut : {"{\"step\":5,\"spl", R"({"step":5,"split":"train","loss":0.2})"}) {
    std::ofstream(file, std::ios::app) << cut;
    {
      MetricsLog log(file, 9, console);
      CHECK(log.lines().size() == 4);
    }
    CHECK(read_file(file) == all);
  }
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
