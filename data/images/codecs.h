// The two decoders behind decode(), each in a file of its own so that no other file sees a library's header.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "data/images/image.h"

namespace cambium {

// Each throws Error naming `name`. `decode` checks the header against `pixel_limit` before it takes memory.
namespace libjpeg {
Size read_size(std::span<const std::byte> bytes, std::string_view name);
Image decode(std::span<const std::byte> bytes, std::string_view name);
}  // namespace libjpeg

namespace stb {
Size read_size(std::span<const std::byte> bytes, std::string_view name);
Image decode(std::span<const std::byte> bytes, std::string_view name);
}  // namespace stb

// Throws Error if an image of this size must not be decoded: no pixels, or more than `pixel_limit`.
void require_size(Size size, std::string_view name);
// Throws that Error.
[[noreturn]] void refuse_size(std::int64_t width, std::int64_t height, std::string_view name);

}  // namespace cambium
