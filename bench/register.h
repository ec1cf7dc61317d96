/// What the benchmark program measures. Names and definitions are those of docs/performance.md; every benchmark exists for 1 and 2
/// threads, as NAME/threads:1 and NAME/threads:2, in real time.
#pragma once

#include <functional>
#include <string>

namespace bench {

/// Registers NAME/threads:1 and /threads:2. `make` builds the state once per run and returns the step to time; each call of the
/// step does all of its work before it returns. `items` and `flops` are per step, for the counters.
void add(const std::string& name, double items, double flops,
         std::function<std::function<void()>()> make);

void register_models();
void register_operations();
void register_overhead();

}  // namespace bench
