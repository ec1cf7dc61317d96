#include "zoo/common/saved_states.h"

#include <fmt/core.h>
#include <genera/error.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "zoo/common/host_copy.h"

namespace genera::zoo {
namespace {

template <class T>
bool all_finite(const io::HostArray& array) {
  const auto values = array.as<T>();
  return std::all_of(values.begin(), values.end(), [](T value) { return std::isfinite(value); });
}

std::map<std::string_view, const io::HostArray*> named(const std::vector<io::NamedArray>& arrays) {
  std::map<std::string_view, const io::HostArray*> by_name;
  for (const io::NamedArray& entry : arrays) by_name[entry.name] = &entry.array;
  return by_name;
}

}  // namespace

std::vector<State> joined(std::initializer_list<std::vector<State>> lists) {
  std::vector<State> all;
  for (const std::vector<State>& list : lists) all.insert(all.end(), list.begin(), list.end());
  return all;
}

std::vector<io::NamedArray> snapshot(const std::vector<State>& states) {
  std::vector<Tensor> values;
  values.reserve(states.size());
  for (const State& state : states) values.push_back(state.value());
  eval(values);
  std::vector<io::NamedArray> arrays;
  arrays.reserve(states.size());
  for (const State& state : states) arrays.push_back({state.name(), on_host(state.value())});
  return arrays;
}

void check_fits(const std::vector<State>& states, const std::vector<io::NamedArray>& arrays,
                const std::string& source) {
  const auto by_name = named(arrays);
  for (const State& state : states) {
    const auto found = by_name.find(state.name());
    if (found == by_name.end())
      throw DataError(fmt::format("{}: tensor {} is missing; was it made by another model?", source,
                                  state.name()));
    const io::HostArray& array = *found->second;
    if (array.shape != state.shape() || array.dtype != state.value().dtype())
      throw DataError(fmt::format("{}: tensor {} is {} {}, the model needs {} {}", source,
                                  state.name(), name(array.dtype), to_string(array.shape),
                                  name(state.value().dtype()), to_string(state.shape())));
  }
}

void restore(const std::vector<State>& states, const std::vector<io::NamedArray>& arrays,
             const std::string& source) {
  check_fits(states, arrays, source);
  const auto by_name = named(arrays);
  for (const State& state : states) {
    const io::HostArray& array = *by_name.at(state.name());
    state.set(Tensor::from_bytes(array.bytes, array.dtype, array.shape));
  }
}

std::string first_non_finite(const std::vector<io::NamedArray>& arrays) {
  for (const auto& [name, array] : arrays) {
    if (array.dtype == DType::f32 && !all_finite<float>(array)) return name;
    if (array.dtype == DType::f64 && !all_finite<double>(array)) return name;
  }
  return {};
}

std::int64_t element_count(const std::vector<State>& states) {
  std::int64_t count = 0;
  for (const State& state : states) count += state.shape().elements();
  return count;
}

}  // namespace genera::zoo
