// decode: a photo's file to upright RGB pixels. JPEG goes through libjpeg-turbo and equals Pillow's pixels bit for bit
// (ImageOps.exif_transpose, then convert("RGB")); PNG, BMP, GIF (its first frame), PGM and PPM go through stb_image.
//
// Where stb_image and Pillow differ: 16-bit greyscale PNG keeps the high byte of a sample (Pillow clips it at 255,
// which turns such photos white); 16-bit BMP may differ by 1; transparent GIF pixels are black (Pillow: their palette
// entry). Alpha is dropped, as Pillow drops it. Without libjpeg at build time stb_image reads JPEG too, without that
// parity.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>
#include <vector>

#include "data/images/format.h"
#include "data/images/image.h"

namespace cambium {

// An image of more pixels than this is refused before memory is taken for it; Pillow's limit for a decompression bomb.
inline constexpr std::int64_t pixel_limit = 178'956'970;

// Whether this build reads JPEG through libjpeg-turbo.
bool has_libjpeg();

struct ImageInfo {
    ImageFormat format = ImageFormat::other;
    Size size;            // as stored, before the EXIF orientation is applied
    int orientation = 1;  // EXIF: 1 upright ... 8
};

// Each throws Error, one sentence naming the file: it cannot be opened, is empty, is of a format we do not read (named
// as what it is), is damaged or cut off, or holds more than `pixel_limit` pixels.
Image decode(const std::filesystem::path& path);
Image decode(std::span<const std::byte> bytes, std::string_view name);
ImageInfo probe(std::span<const std::byte> bytes, std::string_view name);  // header only

// The whole file, after its first bytes show it to be an image that `decode` reads; throws as above.
std::vector<std::byte> read_image_file(const std::filesystem::path& path);

// The EXIF orientation of a JPEG or PNG file (EXIF in either byte order, else the XMP tag), 1 where there is none.
int exif_orientation(std::span<const std::byte> bytes, ImageFormat format);
// `image` turned upright, as Pillow's exif_transpose does.
Image oriented(Image image, int orientation);

}  // namespace cambium
