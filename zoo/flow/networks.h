/// The networks that give couplings their parameters.
#pragma once

#include <genera/nn.h>
#include <genera/random.h>

#include <cstdint>

namespace genera::zoo::flow {

/// (B,in) -> (B,out): two hidden layers with ReLU. The last layer begins at 0, so that a coupling
/// begins as the identity (Kingma and Dhariwal, 1807.03039, section 3.3).
nn::Sequential vector_network(std::int64_t in, std::int64_t hidden, std::int64_t out,
                              const Key& key);

/// (B,in,H,W) -> (B,out,H,W): convolutions 3x3, 1x1 and 3x3 with ReLU (1807.03039, section 3.3 and
/// appendix B). The last one begins at 0.
nn::Sequential image_network(std::int64_t in, std::int64_t hidden, std::int64_t out,
                             const Key& key);

}  // namespace genera::zoo::flow
