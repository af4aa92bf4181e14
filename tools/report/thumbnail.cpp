#include "tools/report/thumbnail.h"

#include <algorithm>
#include <vector>

#include "data/images/resize.h"
#include "engine/base/fail.h"

#define STBI_WRITE_NO_STDIO
#define STB_IMAGE_WRITE_STATIC
#define STB_IMAGE_WRITE_IMPLEMENTATION
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#include <stb/stb_image_write.h>
#pragma GCC diagnostic pop

namespace cambium::report {
namespace {

constexpr int jpeg_quality = 82;
constexpr int tiny = 64;  // up to this side a PNG is small enough, and shows each pixel as the network saw it

void append(void* out, void* data, int size) {
    const auto* bytes = static_cast<const std::uint8_t*>(data);
    static_cast<std::vector<std::uint8_t>*>(out)->insert(static_cast<std::vector<std::uint8_t>*>(out)->end(), bytes,
                                                         bytes + size);
}

std::string address(const char* type, std::span<const std::uint8_t> bytes) {
    return fmt::format("data:image/{};base64,{}", type, base64(bytes));
}

Size fitted(Size size, int side) {
    const int longest = std::max(size.width, size.height);
    if (longest <= side) return size;
    const auto scaled = [&](int length) {
        return std::max(1, static_cast<int>(std::int64_t{length} * side / longest));
    };
    return {scaled(size.width), scaled(size.height)};
}

}  // namespace

std::string thumbnail(const Image& image, int side) {
    if (image.width() < 1 || image.height() < 1) fail("the picture is empty");
    const Size size = fitted(image.size(), side);
    const Image small = resize(image, size, Interpolation::bilinear);
    std::vector<std::uint8_t> bytes;
    if (std::max(size.width, size.height) <= tiny) {
        stbi_write_png_to_func(append, &bytes, size.width, size.height, 3, small.pixels().data(),
                               static_cast<int>(small.stride()));
        return address("png", bytes);
    }
    stbi_write_jpg_to_func(append, &bytes, size.width, size.height, 3, small.pixels().data(), jpeg_quality);
    return address("jpeg", bytes);
}

std::string png_address(std::span<const std::uint8_t> rgba, int width, int height) {
    std::vector<std::uint8_t> bytes;
    stbi_write_png_to_func(append, &bytes, width, height, 4, rgba.data(), 4 * width);
    return address("png", bytes);
}

std::string base64(std::span<const std::uint8_t> bytes) {
    constexpr const char* digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string out;
    out.reserve((bytes.size() + 2) / 3 * 4);
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        const auto byte = [&](std::size_t j) { return i + j < bytes.size() ? unsigned{bytes[i + j]} : 0u; };
        const unsigned three = byte(0) << 16 | byte(1) << 8 | byte(2);
        for (std::size_t j = 0; j < 4; ++j) {
            out += i + j > bytes.size() ? '=' : digits[three >> (18 - 6 * j) & 63];
        }
    }
    return out;
}

}  // namespace cambium::report
