// From a decoded photo to the u8 square a network's graph takes: Resize, CenterCrop and RandomResizedCrop as
// torchvision does them on PIL images, to the bit. Only the pixels that survive the crop are resampled.
#pragma once

#include <cstdint>
#include <span>

#include "data/images/image.h"
#include "data/images/preprocessing.h"
#include "engine/tensor/tensor.h"

namespace cambium {

// Evaluation: the short side to `preprocessing.resize`, then the central square, zero-padded where the photo is
// smaller. `out` is [crop, crop, 3]. Throws Error if its size differs.
void prepare_for_evaluation(const Image& image, const Preprocessing& preprocessing, std::span<std::uint8_t> out);
// The same for several photos: u8 [N, crop, crop, 3].
Tensor prepare_for_evaluation(std::span<const Image> images, const Preprocessing& preprocessing);

// The part `box` of `image` resampled to a square of `side` pixels (torchvision's resized_crop); `out` is [side, side,
// 3].
void resized_crop(const Image& image, Box box, int side, Interpolation interpolation, std::span<std::uint8_t> out);

// u8 [height, width, 3]
Tensor to_tensor(const Image& image);

}  // namespace cambium
