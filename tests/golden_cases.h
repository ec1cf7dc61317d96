/// The cases of tests/golden: inputs and outputs that PyTorch computed.
#pragma once

#include <doctest/doctest.h>
#include <genera/io.h>
#include <genera/tensor.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/tests_folder.h"

namespace genera::test {

inline std::filesystem::path golden_folder() { return tests_folder() / "golden"; }

class GoldenCase {
 public:
  GoldenCase(nlohmann::json description, const io::SafetensorsFile& file)
      : description_(std::move(description)), file_(file) {}

  std::string name() const { return description_["name"]; }
  std::string operation() const { return description_["operation"]; }
  bool has(const std::string& attribute) const {
    return description_["attributes"].contains(attribute);
  }
  /// An attribute, or `otherwise` where the case has none of that name.
  template <class T>
  T attribute(const std::string& key, T otherwise) const {
    return has(key) ? description_["attributes"][key].get<T>() : otherwise;
  }
  io::HostArray input(const std::string& key) const { return load("inputs", key); }
  io::HostArray output(const std::string& key) const { return load("outputs", key); }
  /// An array's values as double, whatever they are stored as.
  static std::vector<double> values(const io::HostArray& array) {
    if (array.dtype == DType::f64) {
      const auto x = array.as<double>();
      return {x.begin(), x.end()};
    }
    const auto x = array.as<float>();
    return {x.begin(), x.end()};
  }
  Tensor tensor(const std::string& key) const {
    const io::HostArray array = input(key);
    return Tensor::from_bytes(array.bytes, array.dtype, array.shape);
  }

 private:
  io::HostArray load(const char* kind, const std::string& key) const {
    return file_.load(description_[kind][key].get<std::string>());
  }
  nlohmann::json description_;
  const io::SafetensorsFile& file_;
};

/// The cases of these operations; fails the test when an operation has none.
inline std::vector<GoldenCase> golden_cases(const std::vector<std::string>& operations) {
  static const io::SafetensorsFile file(golden_folder() / "golden.safetensors");
  static const nlohmann::json manifest =
      nlohmann::json::parse(std::ifstream(golden_folder() / "manifest.json"));
  std::vector<GoldenCase> cases;
  for (const std::string& operation : operations) {
    const std::size_t before = cases.size();
    for (const auto& description : manifest["cases"])
      if (description["operation"] == operation) cases.emplace_back(description, file);
    INFO("golden cases of ", operation);
    REQUIRE(cases.size() > before);
  }
  return cases;
}

}  // namespace genera::test
