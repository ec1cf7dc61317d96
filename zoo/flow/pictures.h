/// Samples of a flow, and pictures of what it has learned.
#pragma once

#include <genera/io.h>

#include <cstdint>
#include <vector>

#include "zoo/flow/examples.h"
#include "zoo/flow/model.h"

namespace genera::zoo::flow {

/// `count` examples of z ~ N(0, temperature^2 I): vectors (count,D), or images (count,C,H,W) in
/// [0,1] as the bytes that they are rounded to. Example i depends on the seed and i only.
io::HostArray sample_examples(const FlowModel& model, std::int64_t count, std::uint64_t seed,
                              double temperature);

/// The flow's vectors z (N,D) as examples, as sample_examples() gives them.
io::HostArray decoded(const FlowModel& model, const std::vector<float>& z, std::int64_t count);

/// Of a known density three heat maps (3,3,cells,cells): the truth, the model's density, and the
/// histogram of samples of the model.
io::HostArray density_pictures(const FlowModel& model, const Density2d& density,
                               std::uint64_t seed);

/// Of a table pairs of neighbouring columns, at most four of them, as heat maps: first the row of the
/// test examples' histograms, then that of samples.
io::HostArray pair_pictures(const FlowModel& model, const Examples& examples, std::uint64_t seed,
                            double temperature);

/// How many pairs a row of pair_pictures() holds.
std::int64_t pair_columns(const FlowModel& model);

/// One row per pair of test examples (indices 2r, 2r+1): `steps` examples on the great circle
/// between their z, both ends included.
io::HostArray interpolated_examples(const FlowModel& model, const Examples& examples,
                                    const std::vector<std::int64_t>& indices, std::int64_t steps);

}  // namespace genera::zoo::flow
