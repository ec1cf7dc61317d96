/// What the CPU backend computes with.
#pragma once

#include <string>

namespace genera::cpu {

/// Lines of "name value": the instruction set that kernels run with and those that they could, the BLAS, the threads.
std::string report();

}  // namespace genera::cpu
