#include <genera/checkpoint.h>
#include <genera/error.h>

#include <fmt/format.h>

#include <map>
#include <string_view>
#include <utility>

namespace genera {
namespace {

using StatesByName = std::map<std::string_view, const State*>;

StatesByName by_name(std::string_view operation, const std::vector<State>& states) {
  StatesByName named;
  for (const State& state : states) {
    if (!state) throw ArgumentError(fmt::format("[{}] got an empty State", operation));
    if (!named.emplace(state.name(), &state).second)
      throw ArgumentError(fmt::format(
          "[{}] two states are called '{}'; give their modules names with nn::named, or their "
          "optimisers with the option name",
          operation, state.name()));
  }
  return named;
}

void check_match(const std::filesystem::path& path, const io::NamedArray& tensor,
                 const State& state) {
  const io::HostArray& array = tensor.array;
  const Tensor& value = state.value();
  if (array.shape != value.shape() || array.dtype != value.dtype())
    throw DataError(
        fmt::format("[load_checkpoint] {}: '{}' is {} {}, the model's is {} {}; use the options it "
                    "was written with",
                    path.string(), tensor.name, to_string(array.shape), name(array.dtype),
                    to_string(value.shape()), name(value.dtype())));
}

}  // namespace

void save_checkpoint(const std::filesystem::path& path, const std::vector<State>& states,
                     const io::Metadata& metadata) {
  by_name("save_checkpoint", states);
  std::vector<io::NamedArray> arrays;
  arrays.reserve(states.size());
  for (const State& state : states) {
    const Tensor& value = state.value();
    io::HostArray array = io::HostArray::zeros(value.dtype(), value.shape());
    value.copy_to(array.bytes);
    arrays.push_back({state.name(), std::move(array)});
  }
  io::write_checkpoint(path, io::views(arrays), metadata);
}

io::Metadata load_checkpoint(const std::filesystem::path& path, const std::vector<State>& states,
                             const LoadOptions& options) {
  StatesByName missing = by_name("load_checkpoint", states);
  io::Checkpoint checkpoint = io::read_checkpoint(path);
  std::vector<std::pair<const State*, Tensor>> values;
  values.reserve(states.size());
  for (const io::NamedArray& tensor : checkpoint.tensors) {
    const auto found = missing.find(tensor.name);
    if (found == missing.end()) {
      if (options.ignore_other_tensors) continue;
      throw DataError(
          fmt::format("[load_checkpoint] {}: holds '{}', which the model has not; use the options "
                      "it was written with",
                      path.string(), tensor.name));
    }
    check_match(path, tensor, *found->second);
    const io::HostArray& array = tensor.array;
    values.emplace_back(found->second, Tensor::from_bytes(array.bytes, array.dtype, array.shape));
    missing.erase(found);
  }
  if (!missing.empty())
    throw DataError(
        fmt::format("[load_checkpoint] {}: lacks '{}'{}; use the options it was written with",
                    path.string(), missing.begin()->first,
                    missing.size() == 1 ? "" : fmt::format(" and {} more", missing.size() - 1)));
  for (auto& [state, value] : values) state->set(std::move(value));
  return std::move(checkpoint.metadata);
}

}  // namespace genera
