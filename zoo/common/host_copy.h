/// Tensors as arrays on the host.
#pragma once

#include <genera/io.h>
#include <genera/tensor.h>

#include <cstdint>
#include <functional>

namespace genera::zoo {

/// A copy of the tensor's value, which is computed if it is not there yet.
io::HostArray on_host(const Tensor& tensor);

/// Rows first … first + n - 1 of something: f32 (n,E…).
using Rows = std::function<Tensor(std::int64_t first, std::int64_t n)>;

/// `count` rows, each of the shape `row`, as f32 (count,E…): computed `at_once` by `at_once`, so that
/// there is memory for any count.
io::HostArray rows_on_host(std::int64_t count, const Shape& row, std::int64_t at_once,
                           const Rows& rows);

}  // namespace genera::zoo
