#include "backends/reference/strided_copy.h"

#include <genera/error.h>

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>

#include "backends/reference/kernels.h"

namespace genera::reference {
namespace {

template <class Word>
void copy_row(const Word* from, std::int64_t from_step, Word* to, std::int64_t to_step,
              std::int64_t count) {
  if (to_step == 1 && from_step == 1) {
    copy_bytes(to, from, count * static_cast<std::int64_t>(sizeof(Word)));
  } else if (to_step == 1 && from_step == 0) {
    std::fill_n(to, count, *from);
  } else {
    for (std::int64_t i = 0; i < count; ++i) to[i * to_step] = from[i * from_step];
  }
}

template <class Word>
void copy_words(const Shape& space, const void* from, const StridedView& from_view, void* to,
                const StridedView& to_view) {
  StridedLoop<2> loop(space, {from_view.strides, to_view.strides});
  loop.lengthen_rows();
  loop.tile(0);
  loop.for_each_row({from_view.offset, to_view.offset},
                    [&](const auto& at, std::int64_t count, const auto& step) {
                      copy_row(static_cast<const Word*>(from) + at[0], step[0],
                               static_cast<Word*>(to) + at[1], step[1], count);
                    });
}

}  // namespace

void copy_strided(const Shape& space, const void* from, const StridedView& from_view, void* to,
                  const StridedView& to_view, std::size_t bytes) {
  switch (bytes) {
    case 1:
      return copy_words<std::uint8_t>(space, from, from_view, to, to_view);
    case 2:
      return copy_words<std::uint16_t>(space, from, from_view, to, to_view);
    case 4:
      return copy_words<std::uint32_t>(space, from, from_view, to, to_view);
    default:
      return copy_words<std::uint64_t>(space, from, from_view, to, to_view);
  }
}

PerAxis clamped_start(Op op, const Input& start, const Shape& whole, const Shape& slice) {
  if (start.dtype != DType::i32 || start.shape.elements() != whole.rank())
    throw ArgumentError(fmt::format("[{}] the start must be i32 with {} numbers, got {} {}",
                                    label(op), whole.rank(), name(start.dtype),
                                    to_string(start.shape)));
  PerAxis result{};
  for (int d = 0; d < whole.rank(); ++d) {
    const std::int64_t wanted = static_cast<const std::int32_t*>(start.data)[d];
    const std::int64_t last = std::max<std::int64_t>(whole[d] - slice[d], 0);
    result[static_cast<std::size_t>(d)] = std::clamp<std::int64_t>(wanted, 0, last);
  }
  return result;
}

}  // namespace genera::reference
