// PNG, BMP, GIF, PGM and PPM through stb_image. It takes bytes past the end of a file for zeros; the reader below
// notices that it asked for them, so that a file that is cut off is an error here and never half an image.
#include <zlib.h>

#include <algorithm>
#include <cctype>
#include <cstring>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

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

// What stb_image says of whole files that it has no code for, and what that means. All its other reasons are damage.
constexpr std::pair<std::string_view, std::string_view> unread_kinds[] = {
    {"BMP RLE", "a run-length encoded BMP image"},
    {"BMP JPEG/PNG", "a JPEG or PNG image inside a BMP file"},
    {"unknown BMP", "a BMP image of an unknown version"},
    {"only 8-bit", "a JPEG image of more than 8 bits"},
    {"no header height", "a JPEG image without a height"},
    {"1/2/4/8/16-bit only", "a PNG image of an unknown bit depth"},
    {"bad bits_per_channel", "a PNG image of an unknown bit depth"},
    {"max value > 65535", "a PNM image of more than 16 bits"},
};

[[noreturn]] void raise(const Reader& reader, std::size_t size, std::string_view name) {
    if (reader.past_end())
        fail("cannot read {}: the image is cut off after {} bytes; copy it again or remove it", name, size);
    const std::string_view reason = stbi_failure_reason();
    for (const auto& [known, meaning] : unread_kinds) {
        if (reason == known) fail("cannot read {}: it is {}, which is not read; convert it to PNG", name, meaning);
    }
    if (reason == "outofmem") fail("cannot read {}: there is not enough memory for it; scale it down", name);
    fail("cannot read {}: the image is damaged; copy it again or remove it", name);
}

bool is_png(std::span<const std::byte> bytes) { return !bytes.empty() && bytes[0] == std::byte{0x89}; }
bool is_pnm(std::span<const std::byte> bytes) { return !bytes.empty() && bytes[0] == std::byte{'P'}; }

// Four bytes, the highest first. `at + 4` must lie within.
std::uint32_t integer(std::span<const std::byte> bytes, std::size_t at) {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < 4; ++i) value = (value << 8) | std::to_integer<std::uint32_t>(bytes[at + i]);
    return value;
}

// stb_image calls a huge PNG "too large" without its size; the header, always the first chunk, tells. Nothing if it is
// not there.
std::optional<Size> png_size(std::span<const std::byte> bytes, std::string_view name) {
    constexpr std::size_t type_at = 12, width_at = 16, height_at = 20, end = 24;
    constexpr std::uint32_t largest = 0x7FFFFFFF;  // that the format allows
    if (bytes.size() < end || std::memcmp(bytes.data() + type_at, "IHDR", 4) != 0) return std::nullopt;
    const std::uint32_t width = integer(bytes, width_at), height = integer(bytes, height_at);
    if (width > largest || height > largest) refuse_size(width, height, name);
    return Size{static_cast<int>(width), static_cast<int>(height)};
}

// stb_image skips the checksums of PNG, so that a damaged file would become a damaged picture.
void require_png_checksums(std::span<const std::byte> bytes, std::string_view name) {
    constexpr std::size_t signature = 8, around = 12;  // length, type, checksum
    for (std::size_t at = signature; at + around <= bytes.size();) {
        const std::size_t length = integer(bytes, at);
        if (length > bytes.size() - at - around) return;       // cut off: stb_image finds out where it matters
        const auto chunk = bytes.subspan(at + 4, 4 + length);  // type and data
        const uLong sum = crc32(0, reinterpret_cast<const Bytef*>(chunk.data()), static_cast<uInt>(chunk.size()));
        const bool critical = (chunk[0] & std::byte{0x20}) == std::byte{};
        if (critical && sum != integer(bytes, at + 8 + length))
            fail("cannot read {}: the PNG image is damaged (a checksum is wrong); copy it again or remove it", name);
        at += around + length;
    }
}

// "P6 # comment \n 640 480 255": stb_image takes samples of any maximum as they are, so only 255 is right.
void require_pnm_maximum(std::span<const std::byte> bytes, std::string_view name) {
    std::string_view text(reinterpret_cast<const char*>(bytes.data()), std::min<std::size_t>(bytes.size(), 4096));
    text.remove_prefix(2);
    long number = 0;
    for (int field = 0; field < 3; ++field) {
        while (!text.empty() && (std::isspace(static_cast<unsigned char>(text[0])) != 0 || text[0] == '#')) {
            const std::size_t end = text[0] == '#' ? text.find('\n') : 0;
            text.remove_prefix(end == text.npos ? text.size() : end + 1);
        }
        number = 0;
        while (!text.empty() && text[0] >= '0' && text[0] <= '9') {
            number = std::min(number * 10 + (text[0] - '0'), 1L << 40);
            text.remove_prefix(1);
        }
    }
    if (number != 255)
        fail("cannot read {}: its samples run to {}, and only 255 is read; convert it to PNG", name, number);
}

}  // namespace

Size read_size(std::span<const std::byte> bytes, std::string_view name) {
    if (is_png(bytes)) {
        if (const auto size = png_size(bytes, name)) return *size;
    }
    Reader reader(bytes);
    Size size;
    int channels = 0;
    if (!stbi_info_from_callbacks(&callbacks, &reader, &size.width, &size.height, &channels))
        raise(reader, bytes.size(), name);
    return size;
}

Image decode(std::span<const std::byte> bytes, std::string_view name) {
    require_size(read_size(bytes, name), name);
    if (is_png(bytes)) require_png_checksums(bytes, name);
    if (is_pnm(bytes)) require_pnm_maximum(bytes, name);
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
