/// Tensors as arrays on the host.
#pragma once

#include <genera/io.h>
#include <genera/tensor.h>

#include <cstdint>
#include <functional>

namespace genera::zoo {

/// A copy of the tensor's value, which is computed if it is not there yet.
io::HostArray on_host(const Tensor& tensor);

/// `count` rows, each of the shape `row`, as f32 (count,E…). `rows` computes rows first … first + n - 1,
/// (n,E…), at most `at_once` of them: there is memory for any count.
io::HostArray rows_on_host(std::int64_t count, const Shape& row, std::int64_t at_once,
                           const std::function<Tensor(std::int64_t first, std::int64_t n)>& rows);

}  // namespace genera::zoo
