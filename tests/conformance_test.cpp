// Conformance: every primitive on the CPU backend against the reference backend.
#include <doctest/doctest.h>

#include "engine/core/thread_pool.h"
#include "tests/conformance_check.h"

#include <set>

namespace genera::cases {

TEST_CASE("conformance: every primitive, every dtype, cpu against reference in f64") {
  int executed = 0;
  for (int i = 0; i < op_count; ++i) {
    const Op op = static_cast<Op>(i);
    int of_this = 0;
    std::set<std::string> types;
    for (const DType dtype : dtypes)
      for (const Case& c : cases_of(op, {.dtype = dtype, .large = true})) {
        ++of_this;
        types.insert(std::string(name(dtype)));
        const std::string difference = compare("cpu", c, dtype);
        INFO(std::string(name(dtype)) << ": " << difference);
        CHECK(difference.empty());
      }
    INFO(std::string(name(op)));
    CHECK_MESSAGE(of_this > 0, "no case");
    CHECK(types.contains("f32"));
    executed += of_this;
  }
  MESSAGE(executed << " cases");
  CHECK(executed > 0);
}

TEST_CASE("conformance: NaN, infinities, signed zeros and extremes") {
  int executed = 0;
  for (int i = 0; i < op_count; ++i) {
    const Op op = static_cast<Op>(i);
    if (!is_elementwise(op) || op == Op::Cast) continue;
    const Case c = special_case(op);
    REQUIRE(c.build);
    if (op == Op::Sin)
      continue;  // accurate for moderate arguments only: kernel_math_test holds its range
    ++executed;
    const std::string difference = compare("cpu", c, DType::f32);
    INFO(difference);
    CHECK(difference.empty());
  }
  CHECK(executed > 15);
}

TEST_CASE("conformance: NaN and infinities in reductions, scans, sorts, products") {
  for (const Case& c : special_functions()) {
    const std::string difference = compare("cpu", c, DType::f32);
    INFO(difference);
    CHECK(difference.empty());
  }
}

TEST_CASE("conformance: the same bits for 1, 2, 3 and 4 threads, for every primitive") {
  const int before = thread_count();
  int executed = 0;
  for (int i = 0; i < op_count; ++i)
    for (const Case& c : cases_of(static_cast<Op>(i), {.dtype = DType::f32, .large = true})) {
      std::vector<std::vector<double>> first;
      for (int threads = 1; threads <= 4; ++threads) {
        set_thread_count(threads);
        const std::vector<Tensor> outputs = c.build(c.inputs);
        eval(outputs);
        const auto now = values(outputs);
        if (threads == 1) first = now;
        INFO(c.name << ", " << threads << " threads");
        CHECK(now == first);
      }
      ++executed;
    }
  set_thread_count(before);
  CHECK(executed > 0);
}

}  // namespace genera::cases
