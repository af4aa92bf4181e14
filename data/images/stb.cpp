// PNG, BMP, GIF, PGM and PPM through stb_image. It takes bytes past the end of a file for zeros; the reader below
// notices that it asked for them, so that a file that is cut off is an error here and never half an image.
#include <algorithm>
#include <cstring>
#include <memory>
#include <optional>

#include "data/images/codecs.h"
#include "engine/base/fail.h"

#define STBI_NO_STDIO
#define STBI_NO_LINEAR
#define STBI_NO_HDR
#define STBI_ONLY_PNG
#define STBI_ONLY_BMP
#define STBI_ONLY_GIF
#define STBI_ONLY_PNM
#ifndef CAMBIUM_HAS_LIBJPEG
#define STBI_ONLY_JPEG
#endif
#define STB_IMAGE_STATIC
#define STB_IMAGE_IMPLEMENTATION
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wshadow"
#include <stb/stb_image.h>
#pragma GCC diagnostic pop

namespace cambium::stb {

namespace {

class Reader {
  public:
    explicit Reader(std::span<const std::byte> bytes) : rest_(bytes) {}
    bool past_end() const { return past_end_; }

    // What stb_image calls, with `this` as its user pointer.
    static int read(void* self, char* data, int size) { return static_cast<Reader*>(self)->take(data, size); }
    static void skip(void* self, int count) { static_cast<Reader*>(self)->drop(count); }
    static int at_end(void* self) { return static_cast<Reader*>(self)->rest_.empty() ? 1 : 0; }

  private:
    // stb_image fills its buffer of 128 bytes, and then a short read is fine, or reads exactly what it needs.
    static constexpr std::size_t buffer_bytes = sizeof(stbi__context::buffer_start);

    int take(char* data, int size) {
        const std::size_t wanted = static_cast<std::size_t>(std::max(size, 0));
        const std::size_t count = std::min(wanted, rest_.size());
        if (wanted > 0 && (count == 0 || (count < wanted && wanted != buffer_bytes))) past_end_ = true;
        std::memcpy(data, rest_.data(), count);
        rest_ = rest_.subspan(count);
        return static_cast<int>(count);
    }
    void drop(int count) {
        rest_ = rest_.subspan(std::min(static_cast<std::size_t>(std::max(count, 0)), rest_.size()));
    }

    std::span<const std::byte> rest_;
    bool past_end_ = false;
};

constexpr stbi_io_callbacks callbacks{&Reader::read, &Reader::skip, &Reader::at_end};

[[noreturn]] void raise(const Reader& reader, std::size_t size, std::string_view name) {
    if (reader.past_end())
        fail("cannot read {}: the image is cut off after {} bytes; copy it again or remove it", name, size);
    fail("cannot read {}: {} (stb_image); convert it to JPEG or PNG, or remove it", name, stbi_failure_reason());
}

// stb_image calls a huge PNG "too large" without its size; the header, always the first chunk, tells. Nothing if it is
// not there.
std::optional<Size> png_size(std::span<const std::byte> bytes) {
    constexpr std::size_t type_at = 12, width_at = 16, height_at = 20, end = 24;
    if (bytes.size() < end || bytes[0] != std::byte{0x89} || std::memcmp(bytes.data() + type_at, "IHDR", 4) != 0)
        return std::nullopt;
    const auto integer = [bytes](std::size_t at) {
        std::uint32_t value = 0;
        for (std::size_t i = 0; i < 4; ++i) value = (value << 8) | std::to_integer<std::uint32_t>(bytes[at + i]);
        return static_cast<int>(std::min(value, std::uint32_t{0x7FFFFFFF}));
    };
    return Size{integer(width_at), integer(height_at)};
}

}  // namespace

Size read_size(std::span<const std::byte> bytes, std::string_view name) {
    if (const auto size = png_size(bytes)) return *size;
    Reader reader(bytes);
    Size size;
    int channels = 0;
    if (!stbi_info_from_callbacks(&callbacks, &reader, &size.width, &size.height, &channels))
        raise(reader, bytes.size(), name);
    return size;
}

Image decode(std::span<const std::byte> bytes, std::string_view name) {
    require_size(read_size(bytes, name), name);
    Reader reader(bytes);
    Size size;
    int channels = 0;
    const std::unique_ptr<stbi_uc, void (*)(void*)> pixels(
        stbi_load_from_callbacks(&callbacks, &reader, &size.width, &size.height, &channels, Image::channels),
        &stbi_image_free);
    if (!pixels || reader.past_end()) raise(reader, bytes.size(), name);
    Image image(size);
    std::memcpy(image.pixels().data(), pixels.get(), image.bytes());
    return image;
}

}  // namespace cambium::stb
