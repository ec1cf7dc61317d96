/// States (parameters, optimiser, averages) to and from checkpoints.
#pragma once

#include <genera/io.h>
#include <genera/state.h>

#include <filesystem>
#include <initializer_list>
#include <string>
#include <vector>

namespace genera::zoo {

/// All of the lists, one after the other.
std::vector<State> joined(std::initializer_list<std::vector<State>> lists);

/// Copies of the states' values, under their names.
std::vector<io::NamedArray> snapshot(const std::vector<State>& states);

/// DataError, which begins with `source`, unless `arrays` have one for each state, of its name, shape
/// and dtype.
void check_fits(const std::vector<State>& states, const std::vector<io::NamedArray>& arrays,
                const std::string& source);

/// Sets each state to the array of its name. DataError, which begins with `source`, when one is
/// missing or has another shape or dtype; then no state has changed.
void restore(const std::vector<State>& states, const std::vector<io::NamedArray>& arrays,
             const std::string& source);

/// The name of the first array that holds NaN or infinity; empty when all are finite.
std::string first_non_finite(const std::vector<io::NamedArray>& arrays);

/// The number of elements of the states.
std::int64_t element_count(const std::vector<State>& states);

}  // namespace genera::zoo
