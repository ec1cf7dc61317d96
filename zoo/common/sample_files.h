/// Samples of other programs, or of this one, read from files: finish_samples() in read_verbs.h
/// writes such.
#pragma once

#include <genera/io.h>

#include <filesystem>

namespace genera::zoo {

/// The images (N,C,H,W) f32 in [0,1] of an .npy file (f32 in [0,1] or u8; (N,H,W) counts as one
/// channel) or of a folder of PNGs of one size, whose order is mixed. DataError when they are not
/// that.
io::HostArray import_images(const std::filesystem::path& source);

}  // namespace genera::zoo
