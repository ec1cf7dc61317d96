#include "zoo/common/host_copy.h"

#include <algorithm>
#include <span>
#include <vector>

namespace genera::zoo {

io::HostArray on_host(const Tensor& tensor) {
  auto array = io::HostArray::zeros(tensor.dtype(), tensor.shape());
  tensor.copy_to(array.bytes);
  return array;
}

io::HostArray rows_on_host(std::int64_t count, const Shape& row, std::int64_t at_once,
                           const std::function<Tensor(std::int64_t first, std::int64_t n)>& rows) {
  std::vector<std::int64_t> extents = {count};
  for (int axis = 0; axis < row.rank(); ++axis) extents.push_back(row[axis]);
  auto all = io::HostArray::zeros(DType::f32, Shape(extents));
  const auto row_bytes = static_cast<std::size_t>(row.elements()) * sizeof(float);
  for (std::int64_t first = 0; first < count; first += at_once) {
    const std::int64_t n = std::min(at_once, count - first);
    rows(first, n).copy_to(std::span(all.bytes).subspan(static_cast<std::size_t>(first) * row_bytes,
                                                        static_cast<std::size_t>(n) * row_bytes));
  }
  return all;
}

}  // namespace genera::zoo
