#include "data/images/decode.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <system_error>
#include <utility>

#include "data/images/codecs.h"
#include "engine/base/fail.h"

namespace cambium {

namespace {

constexpr std::size_t head_bytes = 4096;

ImageFormat require_format(std::span<const std::byte> head, std::string_view name) {
    if (head.empty()) fail("cannot read {}: the file is empty; copy it again or remove it", name);
    const RecognisedFormat found = recognise(head);
    if (found.format == ImageFormat::other) {
        if (found.description.empty())
            fail("cannot read {}: it is not an image; JPEG, PNG, BMP, GIF, PGM and PPM are read", name);
        fail("cannot read {}: it is {}; JPEG, PNG, BMP, GIF, PGM and PPM are read, so convert or remove it", name,
             found.description);
    }
    return found.format;
}

}  // namespace

#ifdef CAMBIUM_HAS_LIBJPEG
namespace jpeg = libjpeg;
bool has_libjpeg() { return true; }
#else
namespace jpeg = stb;
bool has_libjpeg() { return false; }
#endif

void refuse_size(std::int64_t width, std::int64_t height, std::string_view name) {
    constexpr std::int64_t longest_side = 1'000'000;  // of any photo; the largest scanners make a tenth of it
    const bool photo = width > 0 && height > 0 && width <= longest_side && height <= longest_side;
    if (!photo) {
        fail("cannot read {}: its header says {} x {} pixels, so it is damaged; copy it again or remove it", name,
             width, height);
    }
    fail("cannot read {}: its header says {} x {} pixels, and more than {} million are refused; scale it down", name,
         width, height, pixel_limit / 1'000'000);
}

void require_size(Size size, std::string_view name) {
    const std::int64_t width = size.width, height = size.height;
    if (width < 1 || height < 1 || width * height > pixel_limit) refuse_size(width, height, name);
}

std::vector<std::byte> read_image_file(const std::filesystem::path& path) {
    const std::string name = path.string();
    std::error_code error;
    const auto status = std::filesystem::status(path, error);
    if (!std::filesystem::exists(status)) fail("cannot read {}: there is no such file", name);
    if (!std::filesystem::is_regular_file(status)) fail("cannot read {}: it is not a file", name);
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(name.c_str(), "rb"), &std::fclose);
    if (!file) fail("cannot read {}: {}", name, std::generic_category().message(errno));

    std::vector<std::byte> bytes(head_bytes);
    bytes.resize(std::fread(bytes.data(), 1, head_bytes, file.get()));
    if (std::ferror(file.get())) fail("cannot read {}: {}", name, std::generic_category().message(errno));
    require_format(bytes, name);
    if (bytes.size() < head_bytes) return bytes;

    const auto total = static_cast<std::size_t>(std::filesystem::file_size(path, error));
    if (error) fail("cannot read {}: {}", name, error.message());
    if (total <= head_bytes) return bytes;
    bytes.resize(total);
    const std::size_t rest = std::fread(bytes.data() + head_bytes, 1, total - head_bytes, file.get());
    if (std::ferror(file.get())) fail("cannot read {}: {}", name, std::generic_category().message(errno));
    bytes.resize(head_bytes + rest);
    return bytes;
}

ImageInfo probe(std::span<const std::byte> bytes, std::string_view name) {
    const ImageFormat format = require_format(bytes.first(std::min(bytes.size(), head_bytes)), name);
    const Size size = format == ImageFormat::jpeg ? jpeg::read_size(bytes, name) : stb::read_size(bytes, name);
    require_size(size, name);
    return {format, size, exif_orientation(bytes, format)};
}

Image decode(std::span<const std::byte> bytes, std::string_view name) {
    const ImageFormat format = require_format(bytes.first(std::min(bytes.size(), head_bytes)), name);
    Image image = format == ImageFormat::jpeg ? jpeg::decode(bytes, name) : stb::decode(bytes, name);
    return oriented(std::move(image), exif_orientation(bytes, format));
}

Image decode(const std::filesystem::path& path) { return decode(read_image_file(path), path.string()); }

}  // namespace cambium
