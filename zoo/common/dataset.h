/// Data sets as users name them.
#pragma once

#include <genera/data.h>

#include <string>

namespace genera::zoo {

/// data::open; the error for an unknown name says which known one is near.
data::Dataset open_dataset(const std::string& name, const data::OpenOptions& options = {});

/// The name of a data set without the folders that lead to it.
std::string plain_name(const std::string& data);

}  // namespace genera::zoo
