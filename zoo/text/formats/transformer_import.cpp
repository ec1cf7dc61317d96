#include <fmt/format.h>
#include <genera/error.h>

#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "zoo/common/machine.h"
#include "zoo/text/formats/weight_map.h"

namespace genera::zoo::text {
namespace {

constexpr std::int64_t element_bytes = sizeof(float);

std::int64_t columns_of(const Shape& state) { return state.rank() == 1 ? 1 : state[1]; }

// The shape that a part has in the file.
Shape shape_in_file(const Shape& state, const WeightPart& part) {
  const std::int64_t rows = part.rows == 0 ? state[0] : part.rows;
  if (state.rank() == 1) return {rows};
  return part.layout == Layout::transposed ? Shape{state[1], rows} : Shape{rows, state[1]};
}

[[noreturn]] void missing(const Weights& weights, const std::string& name) {
  weights.fail(
      fmt::format("there is no tensor '{}'; the file is of another kind of model, or not "
                  "all of it",
                  name));
}

void check_tensors(const Shape& state, const WeightSource& source, const Weights& weights) {
  for (const WeightPart& part : source.parts) {
    const auto found = weights.find(part.name);
    const Shape wanted = shape_in_file(state, part);
    if (*found != wanted)
      weights.fail(
          fmt::format("tensor '{}' is {}, and the configuration makes it {}; do the files "
                      "belong together?",
                      part.name, to_string(*found), to_string(wanted)));
  }
}

std::string megabytes(std::int64_t bytes) {
  return fmt::format("{:.1f} MB", 1e-6 * static_cast<double>(bytes));
}

// `elements` to keep and `more` while it is loaded, all of them f32.
void check_memory(const Weights& weights, const char* what, std::int64_t elements,
                  std::int64_t more) {
  const std::int64_t available = available_memory();
  if (elements + more > available / element_bytes)
    throw MemoryError(fmt::format(
        "[open_model_file] {}: {} {} take {} as f32 and {} more while the model is loaded, and {} "
        "are available; use a smaller model",
        weights.file_name(), elements, what, megabytes(element_bytes * elements),
        megabytes(element_bytes * more), megabytes(available)));
}

// The largest state is there three times: as it comes from the file, in its order, as a tensor.
void check_memory(const Weights& weights, const std::vector<State>& states) {
  std::int64_t elements = 0;
  std::int64_t largest = 0;
  for (const State& state : states) {
    elements += state.shape().elements();
    largest = std::max(largest, state.shape().elements());
  }
  check_memory(weights, "weights", elements, 2 * largest);
}

// Row r of a head in the file -> its row in the state.
std::int64_t unpaired(std::int64_t row, std::int64_t head_width) {
  const std::int64_t head = row / head_width;
  const std::int64_t inside = row % head_width;
  return head * head_width + inside / 2 + (inside % 2) * (head_width / 2);
}

// Copies a part, (rows, columns) or transposed, to its rows of the state.
void place(const std::vector<float>& values, const WeightPart& part, std::int64_t columns,
           std::int64_t head_width, float* out) {
  const std::int64_t rows = static_cast<std::int64_t>(values.size()) / columns;
  const float* in = values.data();
  if (part.layout == Layout::transposed) {
    for (std::int64_t row = 0; row < rows; ++row)
      for (std::int64_t column = 0; column < columns; ++column)
        out[row * columns + column] = in[column * rows + row];
    return;
  }
  for (std::int64_t row = 0; row < rows; ++row) {
    const std::int64_t to = part.layout == Layout::pairs ? unpaired(row, head_width) : row;
    std::copy_n(in + row * columns, columns, out + to * columns);
  }
}

std::vector<float> finite(const Weights& weights, const std::string& name) {
  std::vector<float> values = weights.load(name);
  if (!std::all_of(values.begin(), values.end(), [](float value) { return std::isfinite(value); }))
    weights.fail(
        fmt::format("tensor '{}' holds NaN or infinity; the file is damaged, fetch it "
                    "again",
                    name));
  return values;
}

Tensor loaded(const Shape& state, const WeightSource& source, const Weights& weights,
              std::int64_t head_width) {
  if (source.parts.size() == 1 && source.parts[0].layout == Layout::same)
    return Tensor::from(finite(weights, source.parts[0].name), state);
  std::vector<float> values(static_cast<std::size_t>(state.elements()));
  float* out = values.data();
  for (const WeightPart& part : source.parts) {
    const std::vector<float> tensor = finite(weights, part.name);
    place(tensor, part, columns_of(state), head_width, out);
    out += tensor.size();
  }
  return Tensor::from(values, state);
}

}  // namespace

std::shared_ptr<const Transformer> import_transformer(const TransformerShape& shape,
                                                      const Weights& weights,
                                                      const WeightMap& map) {
  // First what a file's numbers could make too large, then the model, whose states cost nothing
  // before they are set.
  for (const WeightSource& source : map)
    for (const WeightPart& part : source.parts)
      if (!weights.find(part.name)) missing(weights, part.name);
  if (shape.positions == Positions::rotary)
    check_memory(weights, "values of rotary positions", shape.context * shape.head_width,
                 shape.context * shape.head_width);
  auto model = std::make_shared<Transformer>(shape, Key(0));
  const std::vector<State> states = model->states();
  std::unordered_map<std::string_view, const WeightSource*> sources;
  for (const WeightSource& source : map) sources.emplace(source.state, &source);
  for (const State& state : states)
    check_tensors(state.shape(), *sources.at(state.name()), weights);
  check_memory(weights, states);
  for (const State& state : states)
    state.set(loaded(state.shape(), *sources.at(state.name()), weights, shape.head_width));
  return model;
}

}  // namespace genera::zoo::text
