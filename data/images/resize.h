// Resampling equal to Pillow 12's 8-bit antialiased filters bit for bit, and torchvision's roundings around it. What
// makes it exact: coefficients are computed in double in Pillow's order of operations, then rounded to 22-bit fixed
// point; after that all arithmetic is on integers, so that vector code gives the same bytes.
#pragma once

#include <cstddef>
#include <cstdint>

#include "data/images/image.h"
#include "data/images/preprocessing.h"

namespace cambium {

// `image` resampled to `size`; both sides at least 1. As Pillow's Image.resize(size, filter).
Image resize(const Image& image, Size size, Interpolation interpolation);

// The part `source` of `image`, cut out first (no pixel outside it is read, as torchvision's resized_crop), resampled
// to `size`; of the result only the part `window` is computed and written to `out`, whose rows lie `stride` bytes
// apart. Throws Error if a box leaves its image or a side is below 1.
struct Resampling {
    Box source;
    Size size;
    Box window;
    Interpolation interpolation = Interpolation::bilinear;
};
void resize(const Image& image, const Resampling& resampling, std::uint8_t* out, std::size_t stride);

// torchvision's Resize(short_side): the short side becomes `short_side`, the long one int(short_side * long / short).
// Throws Error if that is 2^31 or more.
Size resized_size(Size image, int short_side);
// torchvision's CenterCrop(side): offsets rounded half to even. Where the image is smaller than the crop, the offset is
// negative and the missing border is black.
Box center_crop(Size image, int side);

}  // namespace cambium
