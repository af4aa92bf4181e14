// What a file is, told by its first bytes and never by its name: the formats we read, and the ones people have by
// mistake, so that an error can call them what they are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace cambium {

enum class ImageFormat : std::uint8_t { jpeg, png, bmp, gif, pnm, other };

struct RecognisedFormat {
    ImageFormat format = ImageFormat::other;
    // With its article: "a JPEG image", "a HEIC image (as iPhones write)", "an HTML page"; empty if nothing fits.
    std::string_view description;
};

// `head` is the beginning of the file; 4 KB are always enough.
RecognisedFormat recognise(std::span<const std::byte> head);

}  // namespace cambium
