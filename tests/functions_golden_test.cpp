// Values and gradients of functions against PyTorch's (tests/golden).
#include "tests/functions_harness.h"
#include "tests/golden_cases.h"

#include <map>
#include <set>

namespace genera {
namespace {

using namespace functions_harness;
using test::GoldenCase;
using Integers = std::vector<std::int64_t>;

/// One number for all spatial axes, or one per axis.
Integers spatial(const GoldenCase& golden, const std::string& key, Integers otherwise) {
  const auto value = golden.attribute<nlohmann::json>(key, nlohmann::json());
  if (value.is_null()) return otherwise;
  if (value.is_array()) return value.get<Integers>();
  return {value.get<std::int64_t>()};
}

int axis_of(const GoldenCase& golden) { return golden.attribute("dim", -1); }

Reduction reduction_of(const GoldenCase& golden) {
  const std::string name = golden.attribute<std::string>("reduction", "mean");
  if (name == "none") return Reduction::none;
  return name == "sum" ? Reduction::sum : Reduction::mean;
}

ConvOptions conv_options(const GoldenCase& golden) {
  return {.stride = spatial(golden, "stride", {1}),
          .pad_lo = spatial(golden, "padding", {0}),
          .pad_hi = {},
          .dilation = spatial(golden, "dilation", {1}),
          .groups = golden.attribute<std::int64_t>("groups", 1)};
}

PoolOptions pool_options(const GoldenCase& golden) {
  return {.stride = spatial(golden, "stride", {}), .padding = spatial(golden, "padding", {0})};
}

/// How a case is computed: the roles of its differentiable inputs, and the function of those.
/// Optional roles may be missing in a case: their tensors are then empty.
struct Recipe {
  std::vector<std::string> roles;
  std::function<Tensor(const GoldenCase&, const std::vector<Tensor>&)> compute;
};

Recipe unary(Tensor (*f)(const Tensor&)) {
  return {{"input"}, [f](const GoldenCase&, const std::vector<Tensor>& x) { return f(x[0]); }};
}

using Inputs = const std::vector<Tensor>&;

void add_elementwise(std::map<std::string, Recipe>& recipes) {
  recipes["silu"] = unary(silu);
  recipes["softplus"] = unary(softplus);
  recipes["sigmoid"] = unary(sigmoid);
  recipes["log_sigmoid"] = unary(log_sigmoid);
  recipes["tanh"] = unary(tanh);
  recipes["erf"] = unary(erf);
  recipes["relu"] = unary(relu);
  recipes["exp"] = unary(exp);
  recipes["expm1"] = unary(expm1);
  recipes["log"] = unary(log);
  recipes["log1p"] = unary(log1p);
  recipes["sqrt"] = unary(sqrt);
  recipes["rsqrt"] = unary(rsqrt);
  recipes["elu"] = {{"input"}, [](const GoldenCase&, Inputs x) { return elu(x[0]); }};
  recipes["gelu"] = {{"input"}, [](const GoldenCase& golden, Inputs x) {
                       return golden.has("approximate") ? gelu_tanh(x[0]) : gelu(x[0]);
                     }};
  recipes["leaky_relu"] = {{"input"}, [](const GoldenCase& golden, Inputs x) {
                             return leaky_relu(x[0], golden.attribute("negative_slope", 0.01));
                           }};
}

void add_reductions(std::map<std::string, Recipe>& recipes) {
  recipes["softmax"] = {{"input"},
                        [](const GoldenCase& g, Inputs x) { return softmax(x[0], axis_of(g)); }};
  recipes["log_softmax"] = {
      {"input"}, [](const GoldenCase& g, Inputs x) { return log_softmax(x[0], axis_of(g)); }};
  recipes["logsumexp"] = {
      {"input"}, [](const GoldenCase& g, Inputs x) { return logsumexp(x[0], {axis_of(g)}); }};
  recipes["cumsum"] = {{"input"},
                       [](const GoldenCase& g, Inputs x) { return cumsum(x[0], axis_of(g)); }};
  recipes["logcumsumexp"] = {
      {"input"}, [](const GoldenCase& g, Inputs x) { return logcumsumexp(x[0], axis_of(g)); }};
  recipes["var"] = {{"input"}, [](const GoldenCase& golden, Inputs x) {
                      return var(x[0], {axis_of(golden)}, false,
                                 golden.attribute("unbiased", true) ? 1 : 0);
                    }};
}

void add_layers(std::map<std::string, Recipe>& recipes) {
  recipes["conv2d"] = {{"input", "weight", "bias"}, [](const GoldenCase& golden, Inputs x) {
                         return conv2d(x[0], x[1], x[2], conv_options(golden));
                       }};
  recipes["conv_transpose2d"] = {{"input", "weight", "bias"},
                                 [](const GoldenCase& golden, Inputs x) {
                                   return conv_transpose2d(x[0], x[1], x[2], conv_options(golden),
                                                           spatial(golden, "output_padding", {0}));
                                 }};
  recipes["max_pool2d"] = {{"input"}, [](const GoldenCase& golden, Inputs x) {
                             return max_pool(x[0], spatial(golden, "kernel_size", {}),
                                             pool_options(golden));
                           }};
  recipes["avg_pool2d"] = {{"input"}, [](const GoldenCase& golden, Inputs x) {
                             return avg_pool(x[0], spatial(golden, "kernel_size", {}),
                                             pool_options(golden));
                           }};
  recipes["interpolate"] = {
      {"input"}, [](const GoldenCase& golden, Inputs x) {
        const auto factor = golden.attribute<std::int64_t>("scale_factor", 0);
        const bool nearest = golden.attribute<std::string>("mode", "") == "nearest";
        return nearest ? upsample_nearest(x[0], factor) : upsample_bilinear(x[0], factor);
      }};
  recipes["layer_norm"] = {{"input", "weight", "bias"}, [](const GoldenCase& golden, Inputs x) {
                             const auto shape = golden.attribute<Integers>("normalized_shape", {});
                             return layer_norm(x[0], x[1], x[2], static_cast<int>(shape.size()),
                                               golden.attribute("eps", 1e-5));
                           }};
  recipes["group_norm"] = {{"input", "weight", "bias"}, [](const GoldenCase& golden, Inputs x) {
                             return group_norm(x[0],
                                               golden.attribute<std::int64_t>("num_groups", 0),
                                               x[1], x[2], golden.attribute("eps", 1e-5));
                           }};
  recipes["attention"] = {{"query", "key", "value"}, [](const GoldenCase& golden, Inputs x) {
                            return attention(x[0], x[1], x[2],
                                             {.causal = golden.attribute("is_causal", false)});
                          }};
  recipes["einsum"] = {{"operand0", "operand1", "operand2"},
                       [](const GoldenCase& golden, Inputs x) {
                         std::vector<Tensor> operands;
                         for (const Tensor& operand : x)
                           if (operand) operands.push_back(operand);
                         return einsum(golden.attribute<std::string>("equation", ""), operands);
                       }};
}

void add_losses(std::map<std::string, Recipe>& recipes) {
  recipes["cross_entropy"] = {{"input"}, [](const GoldenCase& golden, Inputs x) {
                                return cross_entropy(
                                    x[0], golden.tensor("target"),
                                    {.label_smoothing = golden.attribute("label_smoothing", 0.0),
                                     .weights = {},
                                     .reduction = reduction_of(golden)});
                              }};
  recipes["binary_cross_entropy_with_logits"] = {
      {"input"}, [](const GoldenCase& golden, Inputs x) {
        return binary_cross_entropy_with_logits(x[0], cast(golden.tensor("target"), x[0].dtype()),
                                                reduction_of(golden));
      }};
  recipes["mse_loss"] = {{"input", "target"}, [](const GoldenCase& golden, Inputs x) {
                           return mse_loss(x[0], x[1], reduction_of(golden));
                         }};
  recipes["l1_loss"] = {{"input", "target"}, [](const GoldenCase& golden, Inputs x) {
                          return l1_loss(x[0], x[1], reduction_of(golden));
                        }};
  recipes["huber_loss"] = {{"input", "target"}, [](const GoldenCase& golden, Inputs x) {
                             return huber_loss(x[0], x[1], golden.attribute("delta", 1.0),
                                               reduction_of(golden));
                           }};
  recipes["kl_normal"] = {{"mean", "log_variance"}, [](const GoldenCase& golden, Inputs x) {
                            const Tensor kl = kl_standard_normal(x[0], x[1]);
                            const std::size_t rank =
                                static_cast<std::size_t>(golden.output("y").shape.rank());
                            Axes axes;
                            for (int axis = static_cast<int>(rank); axis < kl.rank(); ++axis)
                              axes.push_back(axis);
                            return sum(kl, axes);
                          }};
}

void add_linear_algebra(std::map<std::string, Recipe>& recipes) {
  recipes["inverse"] = {{"A"}, [](const GoldenCase&, Inputs x) { return inverse(x[0]); }};
  recipes["log_abs_det"] = {{"A"},
                            [](const GoldenCase&, Inputs x) { return slogdet(x[0]).logabsdet; }};
  recipes["sign_det"] = {{"A"}, [](const GoldenCase&, Inputs x) { return slogdet(x[0]).sign; }};
  recipes["solve"] = {{"A", "B"}, [](const GoldenCase&, Inputs x) { return solve(x[0], x[1]); }};
  recipes["cholesky_of_symmetric_part"] = {
      {"S"}, [](const GoldenCase&, Inputs x) { return cholesky(x[0]); }};
  recipes["solve_triangular"] = {{"A", "B"}, [](const GoldenCase& golden, Inputs x) {
                                   return solve_triangular(
                                       x[0], x[1],
                                       {.lower = !golden.attribute("upper", false),
                                        .transpose = false,
                                        .unit_diagonal = false});
                                 }};
}

std::map<std::string, Recipe> all_recipes() {
  std::map<std::string, Recipe> recipes;
  add_elementwise(recipes);
  add_reductions(recipes);
  add_layers(recipes);
  add_losses(recipes);
  add_linear_algebra(recipes);
  return recipes;
}

/// Holds y and every gradient that the case has against PyTorch's.
void check_case(const GoldenCase& golden, const nlohmann::json& description, const Recipe& recipe,
                DType dtype, double tolerance) {
  INFO(golden.name() << " in " << name(dtype));
  const auto& inputs = description["inputs"];
  const auto& outputs = description["outputs"];
  std::vector<Tensor> x;
  for (const std::string& role : recipe.roles)
    x.push_back(inputs.contains(role) ? detach(cast(golden.tensor(role), dtype)) : Tensor());
  const Tensor y = recipe.compute(golden, x);
  const io::HostArray expected = golden.output("y");
  // The file holds scalars as one element.
  check_values(y.rank() == 0 ? unsqueeze(y, 0) : y, GoldenCase::values(expected), expected.shape,
               tolerance);
  if (!inputs.contains("cotangent")) return;
  std::vector<Tensor> wanted;
  std::vector<std::string> roles;
  for (std::size_t i = 0; i < x.size(); ++i)
    if (x[i]) {
      wanted.push_back(x[i]);
      roles.push_back("grad_" + recipe.roles[i]);
    }
  const Gradients gradients = grad(sum(y * cast(golden.tensor("cotangent"), dtype)), wanted);
  for (std::size_t i = 0; i < roles.size(); ++i) {
    INFO(roles[i]);
    REQUIRE(outputs.contains(roles[i]));
    const io::HostArray slope = golden.output(roles[i]);
    check_values(gradients[i], GoldenCase::values(slope), slope.shape, tolerance);
  }
}

TEST_CASE("functions and their gradients agree with PyTorch") {
  // Optimisers and modules have tests of their own.
  const std::set<std::string> elsewhere{"adam",   "adamw",   "batch_norm", "clip_by_norm",
                                        "cosine", "rmsprop", "sgd"};
  const std::map<std::string, Recipe> recipes = all_recipes();
  const nlohmann::json manifest =
      nlohmann::json::parse(std::ifstream(test::golden_folder() / "manifest.json"));
  const io::SafetensorsFile file(test::golden_folder() / "golden.safetensors");
  int cases = 0;
  for (const auto& description : manifest["cases"]) {
    const GoldenCase golden(description, file);
    if (elsewhere.contains(golden.operation())) continue;
    INFO(golden.operation());
    REQUIRE(recipes.contains(golden.operation()));
    const Recipe& recipe = recipes.at(golden.operation());
    check_case(golden, description, recipe, DType::f64, 1e-9);
    check_case(golden, description, recipe, DType::f32, 1e-4);
    ++cases;
  }
  CHECK(cases >= 100);
}

}  // namespace
}  // namespace genera
