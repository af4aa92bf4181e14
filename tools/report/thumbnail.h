// Pictures inside the page, as data: addresses, so that the report stays one file.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "data/images/image.h"

namespace cambium::report {

// The picture with its long side at most `side` pixels (never enlarged), as JPEG, or as PNG where it is tiny.
std::string thumbnail(const Image& image, int side);

// RGBA pixels [height, width, 4] as PNG.
std::string png_address(std::span<const std::uint8_t> rgba, int width, int height);

// RFC 4648, with padding.
std::string base64(std::span<const std::uint8_t> bytes);

}  // namespace cambium::report
