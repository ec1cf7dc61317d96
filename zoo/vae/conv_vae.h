/// The convolutional halves that several models share (conv_vae.cpp says of which layers they are).
#pragma once

#include "zoo/vae/model.h"

namespace genera::zoo::vae {

/// Images (B,C,H,W) -> (B,outputs). UsageError unless height and width are multiples of 4.
nn::Sequential conv_encoder(const VaeShape& shape, std::int64_t outputs, const Key& key);
/// (B,inputs) -> (B,C,H,W).
nn::Sequential conv_decoder(const VaeShape& shape, std::int64_t inputs, const Key& key);

}  // namespace genera::zoo::vae
