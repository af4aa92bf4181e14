// PNG files, written for people to look at.
#pragma once

#include <cstddef>
#include <vector>

#include "data/images/image.h"

namespace cambium {

// The image as a PNG file's bytes (RFC 2083; 8-bit RGB, filter "up").
std::vector<std::byte> encode_png(const Image& image);

}  // namespace cambium
