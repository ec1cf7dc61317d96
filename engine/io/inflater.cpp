#include "engine/io/inflater.h"

#include <genera/error.h>

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <limits>

namespace genera::io {

struct Inflater::State {
  const ByteSource& source;
  std::int64_t next;  // first byte of the source that is not in the buffer yet
  std::int64_t end;
  Format format;
  bool finished = false;
  z_stream stream{};
  std::vector<std::byte> buffer = std::vector<std::byte>(std::size_t{1} << 17);

  std::int64_t position() const { return next - static_cast<std::int64_t>(stream.avail_in); }
  bool at_end() const { return stream.avail_in == 0 && next == end; }

  void refill() {
    if (stream.avail_in > 0 || next == end) return;
    const auto count = std::min(end - next, static_cast<std::int64_t>(buffer.size()));
    source.read_at(next, std::span(buffer).first(static_cast<std::size_t>(count)));
    next += count;
    stream.next_in = reinterpret_cast<Bytef*>(buffer.data());
    stream.avail_in = static_cast<uInt>(count);
  }

  // One call of inflate, with all that can follow from it.
  void step() {
    refill();
    const int code = ::inflate(&stream, Z_NO_FLUSH);
    if (code == Z_STREAM_END) {
      // A gzip file may consist of several members, one behind the other.
      if (format == Format::gzip && !at_end())
        ::inflateReset(&stream);
      else
        finished = true;
    } else if (code == Z_MEM_ERROR) {
      throw MemoryError(
          fmt::format("[{}] no memory to unpack {}", source.operation(), source.name()));
    } else if (code == Z_BUF_ERROR && at_end()) {
      source.fail(end, "the packed data ends too early; the file is truncated, fetch it again");
    } else if (code != Z_OK && code != Z_BUF_ERROR) {
      source.fail(position(), fmt::format("the packed data is corrupt ({}); fetch the file again",
                                          stream.msg != nullptr ? stream.msg : "no details"));
    }
  }
};

Inflater::Inflater(const ByteSource& source, std::int64_t begin, std::int64_t end, Format format)
    : state_(new State{source, begin, end, format}) {
  const int window_bits = format == Format::gzip ? 16 + MAX_WBITS : -MAX_WBITS;
  if (::inflateInit2(&state_->stream, window_bits) != Z_OK)
    throw MemoryError(
        fmt::format("[{}] no memory to unpack {}", source.operation(), source.name()));
}

Inflater::~Inflater() { ::inflateEnd(&state_->stream); }

void Inflater::read(std::span<std::byte> out) {
  z_stream& stream = state_->stream;
  while (!out.empty()) {
    if (state_->finished)
      state_->source.fail(state_->position(), fmt::format("{} more unpacked bytes are needed; the "
                                                          "header lies or the file is truncated",
                                                          out.size()));
    constexpr std::size_t most = std::numeric_limits<uInt>::max();
    const std::size_t wanted = std::min(out.size(), most);
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(wanted);
    state_->step();
    out = out.subspan(wanted - stream.avail_out);
  }
}

std::vector<std::byte> Inflater::read_block(std::int64_t total) {
  const std::int64_t first = state_->source.size() + allocation_slack;
  std::vector<std::byte> result = allocate_bytes(std::min(total, first));
  read(result);
  while (static_cast<std::int64_t>(result.size()) < total) {
    const auto done = static_cast<std::int64_t>(result.size());
    std::vector<std::byte> larger = allocate_bytes(std::min(total, 2 * done));
    std::copy(result.begin(), result.end(), larger.begin());
    result = std::move(larger);
    read(std::span(result).subspan(static_cast<std::size_t>(done)));
  }
  return result;
}

void Inflater::expect_end() {
  std::byte extra{};
  while (!state_->finished) {
    state_->stream.next_out = reinterpret_cast<Bytef*>(&extra);
    state_->stream.avail_out = 1;
    state_->step();
    if (state_->stream.avail_out == 0)
      state_->source.fail(state_->position(),
                          "the packed data is longer than its header says; the file is corrupt");
  }
  if (!state_->at_end())
    state_->source.fail(state_->position(), "unknown bytes follow the packed data; remove them");
}

}  // namespace genera::io
