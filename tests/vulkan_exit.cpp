// A program that ends while the device computes what nobody reads: vulkan_exit N, with products of N x N matrices.
#include <genera/device.h>
#include <genera/functions.h>
#include <genera/ops.h>
#include <genera/random.h>

#include <cstdlib>

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  using namespace genera;
  const std::int64_t n = std::atoll(argv[1]);
  set_device("vulkan:0");
  const Tensor x = random_normal(Key{1}, {n, n});
  Tensor y = x;
  for (int i = 0; i < 6; ++i) y = tanh(matmul(y, x));
  y.eval();
  return 0;
}
