/// Unpacks deflate data as it is asked for, so that memory grows only with data that is really
/// there.
#pragma once

#include "engine/io/byte_source.h"

#include <memory>

namespace genera::io {

class Inflater {
 public:
  enum class Format { gzip, raw };

  /// Unpacks bytes [begin, end) of `source`, which outlives the object.
  Inflater(const ByteSource& source, std::int64_t begin, std::int64_t end, Format format);
  ~Inflater();

  /// Fills `out`; DataError if the data is corrupt or ends before.
  void read(std::span<std::byte> out);
  /// `total` bytes. Memory is taken in steps: a lying total costs no more than what was really
  /// unpacked, plus the allocation slack.
  std::vector<std::byte> read_block(std::int64_t total);
  /// DataError unless all of the data has been unpacked and its checksum is right.
  void expect_end();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// What a packed file of `file_size` bytes may expand to: hostile files reach a thousandfold,
/// honest ones seldom ten.
inline std::int64_t expansion_limit(std::int64_t file_size) {
  return allocation_slack + 32 * file_size;
}
inline constexpr std::string_view expansion_reason =
    "a packed file may expand to at most 64 MiB + 32 times its size; unpack it yourself if you "
    "trust it";

}  // namespace genera::io
