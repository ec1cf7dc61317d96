/// What a training step costs the device, in counts that do not depend on its speed: the committed ones (vulkan_counts.txt) may only go down.
#pragma once

#include <genera/state.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace genera::zoo {

/// Lines of device_report() that are counts.
struct Counts {
  std::map<std::string, std::int64_t> numbers;
  std::int64_t optimiser_steps = 0;

  /// Fails the test where there is no such line, as on a device that counts nothing.
  std::int64_t number(const std::string& name) const;
  /// Steps that ran on the host, of all primitives.
  std::int64_t host_steps() const;
};
Counts operator-(const Counts& after, const Counts& before);

/// Of the process; of the current device.
Counts counts_so_far();

/// Steps that all optimisers have taken, whose states are among `states`.
std::int64_t optimiser_steps_of(const std::vector<State>& states);

/// Fails the test where one of the counts is above the committed one of that name or there is none. Prints them.
void check_counts(const std::string& name, const Counts& counts);

}  // namespace genera::zoo
