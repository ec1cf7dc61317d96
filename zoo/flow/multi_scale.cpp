#include "zoo/flow/multi_scale.h"

#include <genera/functions.h>
#include <genera/scope.h>

#include "zoo/flow/coupling.h"

namespace genera::zoo::flow {

FactorOut::FactorOut(nn::Sequential network, std::shared_ptr<const Bijection> rest)
    : network_(nn::named("prior", std::move(network))), rest_(std::move(rest)) {}

void FactorOut::visit(nn::Visitor& visitor) const {
  visitor(network_);
  visitor.member(*rest_, "rest");
}

Mapped FactorOut::map(const Tensor& x, Context& context) const {
  const std::vector<Tensor> halves = chunk(x, 2, 1);
  const Tensor parameters = split_parameters(network_(halves[1], context), prior_.parameters());
  const ScalarMapped done = prior_.map(halves[0], parameters);
  const scope name("rest");
  const Mapped rest = rest_->map(halves[1], context);
  return {concat({flatten(done.value, 1), rest.value}, 1),
          sum_of_example(done.log_derivative) + rest.log_det};
}

Tensor FactorOut::inverse(const Tensor& z) const {
  const std::int64_t done = z.size(1) / 2;
  const Tensor second = rest_->inverse(slice(z, 1, done, z.size(1)));
  const Tensor parameters = split_parameters(network_(second), prior_.parameters());
  const Tensor first = reshape(slice(z, 1, 0, done), second.shape());
  return concat({prior_.inverse(first, parameters), second}, 1);
}

}  // namespace genera::zoo::flow
