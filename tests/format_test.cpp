// Tensors as text.
#include <doctest/doctest.h>
#include <genera/functions.h>

#include <cmath>

namespace genera {
namespace {

TEST_CASE("tensors print shape, dtype and aligned elements") {
  CHECK(to_string(full({}, 1.5)) == "f32 () 1.5000");
  CHECK(to_string(Tensor::from<std::int32_t>({1, -20, 3}, {3})) == "i32 (3) [  1 -20   3]");
  CHECK(to_string(Tensor::from<double>({1, 2, 3, 40}, {2, 2})) ==
        "f64 (2,2)\n[[ 1.  2.]\n [ 3. 40.]]");
  CHECK(to_string(Tensor::from<float>({0.5f, -1.25f}, {2})) == "f32 (2) [ 0.5000 -1.2500]");
  CHECK(to_string(Tensor::from<double>({1e-7, 1}, {2})) == "f64 (2) [1.0000e-07 1.0000e+00]");
  CHECK(to_string(Tensor::from<double>({std::nan(""), -INFINITY, 2}, {3})) ==
        "f64 (3) [ nan -inf   2.]");
  CHECK(to_string(cast(arange(2), DType::boolean)) == "bool (2) [false  true]");
  CHECK(to_string(zeros({2, 0})) == "f32 (2,0)\n[[]\n []]");
  CHECK(to_string(Tensor()) == "(empty tensor)");
  CHECK(to_string(reshape(arange(8), Shape{2, 2, 2})) ==
        "i32 (2,2,2)\n[[[0 1]\n  [2 3]]\n\n [[4 5]\n  [6 7]]]");
}

TEST_CASE("long axes are shortened") {
  CHECK(to_string(arange(2000)) == "i32 (2000) [   0    1    2 ... 1997 1998 1999]");
  const std::string text = to_string(reshape(arange(10000), Shape{100, 100}));
  CHECK(text.rfind("i32 (100,100)\n[[   0    1    2 ...   97   98   99]\n [ 100", 0) == 0);
  CHECK(text.find("\n ...\n [9700") != std::string::npos);
}

}  // namespace
}  // namespace genera
