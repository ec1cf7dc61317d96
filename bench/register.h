/// What the benchmark program measures: the rows of workloads.def. Every benchmark exists for 1 and
/// 2 threads, as NAME/threads:1 and NAME/threads:2, in real time; on another device than the CPU as NAME/device.
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace bench {

/// A step to time; each call does all of its work before it returns.
using Step = std::function<void()>;

/// Registers NAME/threads:1 and /threads:2. `make` builds the state once per run. `items` and
/// `flops` are per step, for the counters.
void add(const std::string& name, double items, double flops, std::function<Step()> make);

/// The operation that a row of workloads.def names. std::invalid_argument for a name that says
/// none.
void add_operation(std::string_view name);
void add_overhead();

}  // namespace bench
