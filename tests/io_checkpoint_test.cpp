#include <genera/error.h>
#include <genera/io.h>

#include <algorithm>
#include <string>

#include "tests/io_files.h"

using namespace genera;
using namespace io_test;

namespace {

std::vector<io::NamedArray> tensors(float value) {
  io::HostArray weight = io::HostArray::zeros(DType::f32, {2, 3});
  for (float& element : weight.as<float>()) element = value;
  return {{"encoder.weight", weight}, {"step", io::HostArray::zeros(DType::i64, {})}};
}

const io::Metadata metadata = {{"model", "mlp"}, {"seed", "7"}};

Bytes replaced(Bytes bytes, std::string_view from, std::string_view to) {
  REQUIRE(from.size() == to.size());
  const Bytes pattern = bytes_of(from);
  const auto at = std::search(bytes.begin(), bytes.end(), pattern.begin(), pattern.end());
  REQUIRE(at != bytes.end());
  const Bytes content = bytes_of(to);
  std::copy(content.begin(), content.end(), at);
  return bytes;
}

const auto decode = [](const Bytes& bytes) {
  return io::decode_checkpoint(bytes, "x.safetensors");
};

std::string refusal(const Bytes& bytes) {
  return error_of<DataError>([&] { decode(bytes); });
}

}  // namespace

TEST_CASE("checkpoint: what is written is read back, and the one before is kept") {
  const TemporaryFolder folder;
  const auto path = folder / "last.safetensors";
  io::write_checkpoint(path, io::views(tensors(1)), metadata);
  CHECK(folder.files() == 1);
  io::write_checkpoint(path, io::views(tensors(2)), metadata);
  CHECK(folder.files() == 2);
  const auto value = [](const std::filesystem::path& file) {
    const io::Checkpoint checkpoint = io::read_checkpoint(file);
    CHECK(checkpoint.metadata == metadata);
    REQUIRE(checkpoint.tensors.size() == 2);
    CHECK(checkpoint.tensors[0].name == "step");
    CHECK(checkpoint.tensors[1].name == "encoder.weight");
    return checkpoint.tensors[1].array.as<float>()[5];
  };
  CHECK(value(path) == 2.0F);
  CHECK(value(io::previous_path(path)) == 1.0F);
  io::write_checkpoint(path, io::views(tensors(3)), metadata);
  CHECK(value(path) == 3.0F);
  CHECK(value(io::previous_path(path)) == 2.0F);
  CHECK(folder.files() == 2);

  // A damaged file is an error, never silently the one before.
  Bytes bytes = read_plain(path);
  bytes.back() ^= std::byte{1};
  write_plain(path, bytes);
  CHECK(mentions(error_of<DataError>([&] { io::read_checkpoint(path); }), "last.safetensors",
                 "'encoder.weight'", "digest", "previous"));
  CHECK(value(io::previous_path(path)) == 2.0F);
}

TEST_CASE("checkpoint: every changed byte is noticed") {
  const TemporaryFolder folder;
  io::write_checkpoint(folder / "x", io::views(tensors(1)), metadata);
  const Bytes valid = read_plain(folder / "x");
  check_truncations(valid, decode);
  for (std::size_t i = 0; i < valid.size(); ++i) {
    for (const unsigned mask : {0x01U, 0x02U, 0x80U}) {
      Bytes changed = valid;
      changed[i] ^= static_cast<std::byte>(mask);
      // The padding behind the header may be any white space; everything else counts.
      if (valid[i] == std::byte{' '}) continue;
      CAPTURE(i);
      CAPTURE(mask);
      CHECK_THROWS_AS(decode(changed), DataError);
    }
  }
}

TEST_CASE("checkpoint: damaged headers and other versions say so") {
  const TemporaryFolder folder;
  io::write_checkpoint(folder / "x", io::views(tensors(1)), metadata);
  const Bytes valid = read_plain(folder / "x");
  CHECK(mentions(refusal(replaced(valid, "[2,3]", "[3,2]")), "digest of its header"));
  CHECK(mentions(refusal(replaced(valid, "\"seed\":\"7\"", "\"seed\":\"8\"")),
                 "digest of its header"));
  CHECK(mentions(refusal(replaced(valid, R"("format_version":"1")", R"("format_version":"2")")),
                 "version '2'", "update"));
  CHECK(mentions(refusal(replaced(valid, "format_version", "format_versiom")),
                 "lacks 'format_version'"));
  io::write_safetensors(folder / "plain", io::views(tensors(1)), metadata);
  CHECK(mentions(error_of<DataError>([&] { io::read_checkpoint(folder / "plain"); }),
                 "no checkpoint"));
  for (const char* key : {"format_version", "digest", "digest:x"})
    CHECK(mentions(error_of<ArgumentError>([&] {
                     io::write_checkpoint(folder / "y", {}, {{key, "1"}});
                   }),
                   key));
  check_unreadable([](const auto& path) { return io::read_checkpoint(path); });
  io::write_checkpoint(folder / "empty", {}, {});
  CHECK(io::read_checkpoint(folder / "empty").tensors.empty());
}
