#include <genera/error.h>
#include <genera/nn.h>

#include <fmt/format.h>

namespace genera::nn {

Dropout::Dropout(double p) : p_(p) {
  if (!(p >= 0 && p < 1)) throw ArgumentError(fmt::format("[dropout] needs 0 <= p < 1, got {}", p));
}

Tensor Dropout::forward(const Tensor& x, Context& context) const {
  if (!context.is_training() || p_ == 0) return x;
  return dropout(x, p_, context.next_key());
}

Reshape::Reshape(const std::vector<std::int64_t>& extents) {
  extents_.reserve(extents.size() + 1);
  extents_.push_back(0);
  extents_.insert(extents_.end(), extents.begin(), extents.end());
}

Tensor Reshape::forward(const Tensor& x, Context&) const {
  std::vector<std::int64_t> extents = extents_;
  extents[0] = x.size(0);
  return reshape(x, extents);
}

}  // namespace genera::nn
