/// What the readers of formats with a header of named tensors share.
#pragma once

#include <string_view>
#include <unordered_map>
#include <utility>

#include "engine/io/byte_source.h"

namespace genera::io {

/// A file that is open, its header, and where in it each tensor is described. `Header` has `entries`,
/// which have a `name`.
template <class Header>
struct TensorFile {
  /// `parse` reads and checks the header.
  TensorFile(ByteSource opened, Header (*parse)(const ByteSource&))
      : source(std::move(opened)), header(parse(source)) {
    index.reserve(header.entries.size());
    for (std::size_t i = 0; i < header.entries.size(); ++i)
      index.emplace(header.entries[i].name, i);
  }

  /// nullptr if there is no such tensor.
  auto find(std::string_view name) const -> decltype(&std::declval<const Header&>().entries[0]) {
    const auto found = index.find(name);
    return found == index.end() ? nullptr : &header.entries[found->second];
  }

  ByteSource source;
  Header header;
  std::unordered_map<std::string_view, std::size_t> index;  // views of the names in header
};

}  // namespace genera::io
