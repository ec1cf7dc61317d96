// genera-flow's data, models and figures against what theory says of them.
#include <doctest/doctest.h>
#include <genera/error.h>
#include <genera/functions.h>

#include <cmath>
#include <fstream>
#include <numbers>
#include <numeric>
#include <string>
#include <vector>

#include "tests/temporary_folder.h"
#include "zoo/common/failure.h"
#include "zoo/flow/evaluation.h"
#include "zoo/flow/experiment.h"
#include "zoo/flow/pictures.h"
#include "zoo/flow/table.h"

namespace genera::zoo::flow {
namespace {

void scatter(const FlowModel& model, double deviation) {
  std::uint64_t use = 0;
  for (const State& state : model.parameters())
    state.set(
        detach(state.value() + deviation * random_normal(Key(9).fold_in(use++), state.shape())));
}

FlowSettings settings_for(const std::string& model, const std::string& data) {
  FlowSettings settings;
  settings.model = model;
  settings.train.data = data;
  settings.train.smoke = true;
  settings.train.batch = 16;
  settings.layers = 2;
  settings.hidden = 8;
  settings.bins = 4;
  settings.lr_warmup = 2;
  return settings;
}

TEST_CASE("densities integrate to 1, and their entropies are the known ones") {
  const std::vector<std::pair<std::string, double>> known = {{"8-gaussians", 2.832},
                                                             {"moons", 2.394},
                                                             {"rings", 2.623},
                                                             {"circles", 3.268},
                                                             {"checkerboard", 3.466}};
  REQUIRE(densities().size() == known.size());
  for (const auto& [name, nats] : known) {
    CAPTURE(name);
    const Density2d* density = find_density(name);
    REQUIRE(density != nullptr);
    CHECK(entropy(*density, 240) == doctest::Approx(nats).epsilon(0.0007));
    const Box& box = density->box;
    constexpr int cells = 240;
    double mass = 0;
    for (int i = 0; i < cells; ++i)
      for (int k = 0; k < cells; ++k)
        mass += std::exp(
            density->log_density(box.x_low + (k + 0.5) * (box.x_high - box.x_low) / cells,
                                 box.y_low + (i + 0.5) * (box.y_high - box.y_low) / cells));
    mass *= (box.x_high - box.x_low) * (box.y_high - box.y_low) / (cells * cells);
    CHECK(mass == doctest::Approx(1).epsilon(1e-3));
  }
  CHECK(find_density("seven-gaussians") == nullptr);
}

TEST_CASE("the samplers draw from the densities") {
  for (const Density2d& density : densities()) {
    CAPTURE(density.name);
    constexpr std::int64_t count = 4000, cells = 24;
    const std::vector<float> points = density.sample(Key(5), count).to_vector<float>();
    // The mean of -log p over draws is the entropy, within 4 standard errors.
    std::vector<double> nats;
    for (std::size_t i = 0; i < points.size(); i += 2)
      nats.push_back(-density.log_density(points[i], points[i + 1]));
    const Figure mean = mean_figure("nats", nats, "nats", "");
    CHECK(std::abs(mean.value - entropy(density, 240)) <= 4 * mean.standard_error + 1e-3);
    // As many in each part of the plane as the density says (chi-squared of coarse cells).
    const std::vector<double> shares = histogram(points, density.box, cells);
    const std::vector<float> centres = cell_centres(density.box, cells * 8);
    std::vector<double> expected(shares.size(), 0.0);
    for (std::int64_t row = 0; row < cells * 8; ++row)
      for (std::int64_t column = 0; column < cells * 8; ++column) {
        const auto at = static_cast<std::size_t>(2 * (row * cells * 8 + column));
        expected[static_cast<std::size_t>(row / 8 * cells + column / 8)] +=
            std::exp(density.log_density(centres[at], centres[at + 1])) / 64;
      }
    const Box& box = density.box;
    const double area = (box.x_high - box.x_low) * (box.y_high - box.y_low) / (cells * cells);
    double chi_squared = 0;
    int used = 0;
    for (std::size_t i = 0; i < shares.size(); ++i) {
      const double want = expected[i] * area * count, got = shares[i] * area * count;
      if (want < 5) continue;
      chi_squared += (got - want) * (got - want) / want;
      ++used;
    }
    CHECK(used > 30);
    CHECK(chi_squared < used + 5 * std::sqrt(2.0 * used));
  }
}

TEST_CASE("a model's density integrates to 1") {
  for (const std::string name : {"realnvp", "maf", "spline"}) {
    CAPTURE(name);
    const auto model = make_flow(settings_for(name, "moons"), Shape{2});
    scatter(*model, 0.15);
    model->standardise({0.3, -0.2}, {1.5, 0.7});
    constexpr std::int64_t cells = 300;
    const Box box{-14, 14, -10, 10};
    const Tensor x = Tensor::from(cell_centres(box, cells), Shape{cells * cells, 2});
    const double mass = sum(exp(model->log_likelihood(x, Key(0)))).item<double>();
    CHECK(mass * 28 * 20 / (cells * cells) == doctest::Approx(1).epsilon(0.01));
  }
}

TEST_CASE("bits per dimension, number by number") {
  // A flow that is the identity: the log-likelihood of bytes is that of N(0,1) at (x+u)/256, less log
  // 256 for each of them.
  FlowShape shape;
  shape.example = {1, 4, 4};
  shape.levels = 1;
  const FlowModel model(shape, std::make_shared<Flattened>(shape.example), Key(0));
  const Tensor bytes = floor(random_uniform(Key(1), {5, 1, 4, 4}) * 256.0);
  const auto claimed = model.log_likelihood(bytes, Key(2)).to_vector<float>();
  const auto noisy = model.continuous(bytes, Key(2)).to_vector<float>();
  const auto x = bytes.to_vector<float>();
  for (std::size_t i = 0; i < 5; ++i) {
    double expected = 0;
    for (std::size_t k = 16 * i; k < 16 * (i + 1); ++k) {
      CHECK(noisy[k] * 256 >= x[k]);
      CHECK(noisy[k] * 256 <= x[k] + 1);
      expected +=
          -0.5 * (double{noisy[k]} * noisy[k] + std::log(2 * std::numbers::pi)) - std::log(256.0);
    }
    CHECK(claimed[i] == doctest::Approx(expected).epsilon(1e-5));
  }
  // With noise of a density q its logarithm is subtracted.
  shape.variational = 2;
  const FlowModel variational(shape, std::make_shared<Flattened>(shape.example), Key(0));
  const VariationalDequantiser dequantiser(1, shape.hidden / 2, 2, Key(0));
  Context inference;
  const Dequantised dequantised = dequantiser.dequantise(bytes, Key(2), inference);
  const Tensor log_p = sum_of_example(standard_normal_log_density(dequantised.value)) -
                       dequantised.log_density - 16 * std::log(256.0);
  CHECK(max(abs(variational.log_likelihood(bytes, Key(2)) - log_p)).item<double>() < 1e-3);
}

TEST_CASE("draws of noise are averaged") {
  // Under N(0,1) the noise of 1/256 hardly matters: as many draws as there may be give the same.
  FlowSettings settings = settings_for("glow", "sprites");
  const auto examples = open_examples(settings);
  FlowShape shape;
  shape.example = examples->shape();
  const FlowModel model(shape, std::make_shared<Flattened>(shape.example), Key(0));
  const ExampleList few = split_of(*examples, data::Split::test, 3);
  Console console(true);
  const auto one = log_likelihoods(model, few, 1, console);
  const auto eight = log_likelihoods(model, few, 8, console);
  for (std::size_t i = 0; i < one.size(); ++i) CHECK(std::abs(eight[i] - one[i]) < 0.5);
}

TEST_CASE("evaluation says its figures, and more draws of noise tighten the bound") {
  Console console(true);
  for (const std::string dequantisation : {"uniform", "variational"}) {
    FlowSettings settings = settings_for("glow", "sprites");
    settings.dequantisation = dequantisation;
    const auto examples = open_examples(settings);
    const auto model = make_flow(settings, examples->shape());
    model->initialise(examples->training_batch(0), Key(1));
    scatter(*model, 0.02);
    const auto one =
        log_likelihoods(*model, split_of(*examples, data::Split::test, 20), 1, console);
    const auto ten =
        log_likelihoods(*model, split_of(*examples, data::Split::test, 20), 10, console);
    CHECK(mean_of(ten) > mean_of(one));
    CHECK(log_likelihoods(*model, split_of(*examples, data::Split::test, 20), 10, console) == ten);
    CHECK(inverse_error(*model, *examples, 20) < 1e-4);
  }
  const FlowSettings settings = settings_for("realnvp", "rings");
  const auto examples = open_examples(settings);
  const auto figures = evaluate(*make_flow(settings, {2}), *examples, 1, console);
  REQUIRE(figures.size() == 4);
  CHECK(figures[0].name == "nats");
  CHECK(figures[1].name == "entropy");
  CHECK(figures[2].name == "excess");
  // Two estimates of one number: within 4 standard errors of the noisier one.
  CHECK(std::abs(figures[2].value - (figures[0].value - figures[1].value)) <
        4 * figures[0].standard_error);
  CHECK(figures[2].value > 4 * figures[2].standard_error);
  CHECK(figures[3].name == "inverse_error");
}

TEST_CASE("samples do not depend on how many there are, and temperature 0 gives one of them") {
  for (const std::string model_name : {"maf", "glow"}) {
    const bool image = model_name == "glow";
    const auto model = make_flow(settings_for(model_name, image ? "sprites" : "moons"),
                                 image ? Shape{1, 8, 8} : Shape{4});
    scatter(*model, 0.05);
    const io::HostArray few = sample_examples(*model, 3, 1, 1),
                        many = sample_examples(*model, 9, 1, 1);
    CHECK(many.shape[0] == 9);
    const auto a = few.as<float>(), b = many.as<float>();
    for (std::size_t i = 0; i < a.size(); ++i) CHECK(a[i] == doctest::Approx(b[i]).epsilon(1e-5));
    const io::HostArray cold = sample_examples(*model, 2, 1, 0);
    const auto c = cold.as<float>();
    for (std::size_t i = 0; i < c.size() / 2; ++i) CHECK(c[i] == c[i + c.size() / 2]);
  }
}

TEST_CASE("interpolation begins and ends at the examples") {
  const FlowSettings settings = settings_for("glow", "sprites");
  const auto examples = open_examples(settings);
  const auto model = make_flow(settings, examples->shape());
  const io::HostArray path = interpolated_examples(*model, *examples, {3, 5}, 4);
  CHECK(path.shape == Shape{4, 1, 28, 28});
  const auto got = path.as<float>();
  const auto first = examples->at(data::Split::test, 3, 1).to_vector<float>();
  const auto last = examples->at(data::Split::test, 5, 1).to_vector<float>();
  for (std::size_t i = 0; i < first.size(); ++i) {  // the noise may round to a neighbour
    CHECK(std::abs(got[i] * 255 - first[i]) <= 1.01);
    CHECK(std::abs(got[3 * 784 + i] * 255 - last[i]) <= 1.01);
  }
}

TEST_CASE("training starts ActNorm once, lowers the loss, and steps depend on the states alone") {
  for (const std::string model : {"spline", "glow"}) {
    FlowSettings settings = settings_for(model, model == "glow" ? "sprites" : "circles");
    settings.train.batch = 64;
    settings.lr = 0.01;
    constexpr int steps = 24, first_part = 5;
    FlowExperiment whole(settings), other(settings);
    const auto loss = [](FlowExperiment& experiment, int step) {
      return experiment.step({step, steps}).front().second.item<double>();
    };
    std::vector<double> losses;
    for (int i = 0; i < steps; ++i) losses.push_back(loss(whole, i));
    CHECK(losses.back() < losses.front());
    for (int i = 0; i < first_part; ++i) loss(other, i);
    for (const State& state : other.states())
      if (state.name().ends_with("initialised")) CHECK(state.value().item<int>() == 1);
    FlowExperiment resumed(settings);
    const std::vector<State> from = other.states(), to = resumed.states(), all = whole.states();
    for (std::size_t i = 0; i < to.size(); ++i) to[i].set(detach(from[i].value()));
    for (int i = first_part; i < steps; ++i)
      CHECK(loss(resumed, i) == losses[static_cast<std::size_t>(i)]);
    for (std::size_t i = 0; i < all.size(); ++i)
      if (all[i].value().dtype() == DType::f32)
        CHECK(all[i].value().to_vector<float>() == to[i].value().to_vector<float>());
  }
}

TEST_CASE("what does not fit is refused with a reason") {
  CHECK_THROWS_WITH_AS(on_images(settings_for("maf", "fashion-mnist")),
                       doctest::Contains("is for vectors"), UsageError);
  FlowSettings glow = settings_for("glow", "moons");
  glow.train.smoke = false;
  CHECK_THROWS_WITH_AS(on_images(glow), doctest::Contains("is for images"), UsageError);
  glow.levels = 3;
  CHECK_THROWS_WITH_AS(make_flow(glow, Shape{1, 28, 28}), doctest::Contains("multiples of 8"),
                       UsageError);
}

// --- Tables ---------------------------------------------------------------------------------------

Table read(const test::TemporaryFolder& folder, const std::string& text) {
  const auto path = folder / "table.csv";
  std::ofstream(path, std::ios::binary) << text;
  return read_csv(path);
}

TEST_CASE("CSV: separators, headers, quotes, line ends") {
  const test::TemporaryFolder folder;
  for (const std::string text : {"a,b\n1,2\n3,-4.5e1\n", "a;b\r\n1;2\r\n3;-45\r\n",
                                 "\xEF\xBB\xBF"
                                 "a\tb\n1\t2\n\n3\t-45",
                                 "\"a\",\"b\"\n\"1\", 2 \n+3,-45.0\n"}) {
    CAPTURE(text);
    const Table table = read(folder, text);
    CHECK(table.names == std::vector<std::string>{"a", "b"});
    CHECK(table.rows() == 2);
    CHECK(table.columns == std::vector<std::vector<float>>{{1, 3}, {2, -45}});
  }
  const Table plain = read(folder, "1,2\n3,4\n");
  CHECK(plain.names == std::vector<std::string>{"1", "2"});
  CHECK(plain.rows() == 2);
  CHECK(read(folder, "\"a,\"\"b\"\"\",c\n1,2\n").names == std::vector<std::string>{"a,\"b\"", "c"});
}

TEST_CASE("CSV: what is wrong is said with its place") {
  const test::TemporaryFolder folder;
  const std::vector<std::pair<std::string, std::string>> wrong = {
      {"", "holds no lines"},
      {"a,b\n", "no rows"},
      {"a,b\n1,2\n3\n", "line 3 (byte 8): 1 fields where the first line has 2"},
      {"a,b\n1,2,3\n", "line 2 (byte 4): 3 fields"},
      {"a,b\n1,x\n", "line 2 (byte 4): column 2 ('b'): 'x' is not a number"},
      {"a,b\n1,\n", "column 2 ('b'): the value is missing"},
      {"a,b\n1,nan\n", "not a finite"},
      {"a,b\n1,1e39\n", "not a finite"},
      {"a,b\n1,1e999\n", "not a number"},
      {"a,b\n1,0x10\n", "not a number"},
      {"a,b\n1,\"2\n", "does not end"},
      {std::string("a,b\n1,\0"
                   "2\n",
                   9),
       "not a number"},
  };
  for (const auto& [text, reason] : wrong) {
    CAPTURE(text);
    CHECK_THROWS_WITH_AS(read(folder, text), doctest::Contains(reason.c_str()), DataError);
  }
  std::string wide(5000, ',');
  wide.push_back('\n');
  CHECK_THROWS_WITH_AS(read(folder, wide), doctest::Contains("more than 4096 columns"), DataError);
  CHECK_THROWS_WITH_AS(read_csv(folder / "none.csv"), doctest::Contains("no such file"), DataError);
  CHECK_THROWS_WITH_AS(read_csv(folder.path()), doctest::Contains("is not a file"), DataError);
}

TEST_CASE("CSV: bytes of any kind give a table or a DataError") {
  const test::TemporaryFolder folder;
  const std::string letters = "0123456789.,,,;\n\n\r\"\t-+eEnaif \xff";
  const auto draws = random_uniform(Key(8), {300, 12}).to_vector<float>();
  int tables = 0;
  for (std::size_t i = 0; i < 300; ++i) {
    std::string text;
    for (std::size_t k = 0; k < 2 + i % 10; ++k)
      text +=
          letters[static_cast<std::size_t>(draws[12 * i + k] * static_cast<float>(letters.size()))];
    try {
      const Table table = read(folder, text);
      for (const auto& column : table.columns)
        CHECK(static_cast<std::int64_t>(column.size()) == table.rows());
      ++tables;
    } catch (const DataError&) {
    }
  }
  CHECK(tables > 0);
  CHECK(tables < 300);
}

TEST_CASE("a table's text is read back") {
  const test::TemporaryFolder folder;
  const std::vector<float> rows = {1.5f, -2e-20f, 3.4e38f, 0.1f};
  const Table table = read(folder, csv_text({"plain", "odd,\"name"}, rows));
  CHECK(table.names == std::vector<std::string>{"plain", "odd,\"name"});
  CHECK(table.columns == std::vector<std::vector<float>>{{1.5f, 3.4e38f}, {-2e-20f, 0.1f}});
  CHECK(read(folder, csv_text({"a;b;c", "d"}, rows)).names ==
        std::vector<std::string>{"a;b;c", "d"});
  const Table headless = read(folder, "1.5,2\n3,4\n");
  const Table again = read(folder, csv_text(headless.names, {1.5f, 2.0f, 3.0f, 4.0f}));
  CHECK(again.names == headless.names);
  CHECK(again.columns == headless.columns);
}

TEST_CASE("rows: each is in one split, moments are of the training rows, batches cover an epoch") {
  const test::TemporaryFolder folder;
  std::string text = "id,square\n";
  for (int i = 0; i < 50; ++i) text += std::to_string(i) + "," + std::to_string(i * i) + "\n";
  std::ofstream(folder / "rows.csv") << text;
  TrainFlags flags;
  flags.data = (folder / "rows.csv").string();
  flags.batch = 8;
  const auto examples = open_examples(flags);
  CHECK(examples->shape() == Shape{2});
  CHECK(examples->names() == std::vector<std::string>{"id", "square"});
  std::vector<int> seen(50, 0);
  double sum = 0;
  for (const auto split : {data::Split::train, data::Split::validation, data::Split::test}) {
    const auto rows = examples->at(split, 0, examples->size(split)).to_vector<float>();
    for (std::size_t i = 0; i < rows.size(); i += 2) {
      ++seen[static_cast<std::size_t>(rows[i])];
      CHECK(rows[i + 1] == rows[i] * rows[i]);
      if (split == data::Split::train) sum += rows[i];
    }
  }
  CHECK(seen == std::vector<int>(50, 1));
  CHECK(examples->size(data::Split::test) == 5);
  CHECK(examples->moments().mean[0] == doctest::Approx(sum / 40));
  CHECK(examples->steps_per_epoch() == 5);
  std::vector<int> drawn(50, 0);
  for (int step = 5; step < 10; ++step) {
    const auto batch = examples->training_batch(step).to_vector<float>();
    for (std::size_t i = 0; i < batch.size(); i += 2) ++drawn[static_cast<std::size_t>(batch[i])];
  }
  CHECK(std::accumulate(drawn.begin(), drawn.end(), 0) == 40);
  CHECK(*std::max_element(drawn.begin(), drawn.end()) == 1);
  const auto again = open_examples(flags);
  CHECK(again->training_batch(7).to_vector<float>() ==
        examples->training_batch(7).to_vector<float>());
  CHECK(again->digest() == examples->digest());
  const ExampleList in_order = rows_of(flags.data, 2);
  CHECK(in_order.count == 50);
  CHECK(in_order.at(3, 2).to_vector<float>() == std::vector<float>{3, 9, 4, 16});
  CHECK_THROWS_WITH_AS(rows_of(flags.data, 3), doctest::Contains("trained on 3"), DataError);

  std::string constant = "a,b\n";
  for (int i = 0; i < 50; ++i) constant += std::to_string(i) + ",7\n";
  std::ofstream(folder / "rows.csv") << constant;
  CHECK_THROWS_WITH_AS(open_examples(flags), doctest::Contains("column 2 ('b') hardly changes"),
                       DataError);
  std::ofstream(folder / "rows.csv") << "a,b\n1,2\n3,4\n";
  CHECK_THROWS_WITH_AS(open_examples(flags), doctest::Contains("too few"), DataError);
}

}  // namespace
}  // namespace genera::zoo::flow
