#include "data/images/format.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <string>

namespace cambium {

namespace {

using namespace std::literals;

struct Signature {
    std::size_t offset;
    std::string_view bytes;
    ImageFormat format;
    std::string_view description;
};

// The first match wins. Sources: the formats' specifications.
constexpr std::array signatures{
    Signature{0, "\xFF\xD8\xFF"sv, ImageFormat::jpeg, "a JPEG image"},
    Signature{0, "\x89PNG\r\n\x1A\n"sv, ImageFormat::png, "a PNG image"},
    Signature{0, "GIF87a"sv, ImageFormat::gif, "a GIF image"},
    Signature{0, "GIF89a"sv, ImageFormat::gif, "a GIF image"},
    Signature{0, "BM"sv, ImageFormat::bmp, "a BMP image"},
    Signature{0, "P5"sv, ImageFormat::pnm, "a PGM image"},
    Signature{0, "P6"sv, ImageFormat::pnm, "a PPM image"},
    Signature{8, "WEBP"sv, ImageFormat::other, "a WebP image"},
    Signature{0, "II*\0"sv, ImageFormat::other, "a TIFF image"},
    Signature{0, "MM\0*"sv, ImageFormat::other, "a TIFF image"},
    Signature{0, "II+\0"sv, ImageFormat::other, "a TIFF image"},
    Signature{0, "MM\0+"sv, ImageFormat::other, "a TIFF image"},
    Signature{0, "\0\0\0\x0CjP  "sv, ImageFormat::other, "a JPEG 2000 image"},
    Signature{0, "\xFF\x4F\xFF\x51"sv, ImageFormat::other, "a JPEG 2000 image"},
    Signature{0, "\xFF\x0A"sv, ImageFormat::other, "a JPEG XL image"},
    Signature{0, "\0\0\0\x0CJXL "sv, ImageFormat::other, "a JPEG XL image"},
    Signature{0, "8BPS"sv, ImageFormat::other, "a Photoshop file"},
    Signature{0, "%PDF"sv, ImageFormat::other, "a PDF document"},
    Signature{0, "\0\0\1\0"sv, ImageFormat::other, "an icon file"},
    Signature{0, "P1"sv, ImageFormat::other, "a plain-text PBM image"},
    Signature{0, "P2"sv, ImageFormat::other, "a plain-text PGM image"},
    Signature{0, "P3"sv, ImageFormat::other, "a plain-text PPM image"},
    Signature{0, "PK\3\4"sv, ImageFormat::other, "a ZIP archive"},
    Signature{0, "\x1F\x8B"sv, ImageFormat::other, "a gzip archive"},
    Signature{0, "version https://git-lfs"sv, ImageFormat::other, "a Git LFS pointer (run `git lfs pull`)"},
};

// ISO base media files (HEIF, AVIF, films) name their brand in the first box: size, "ftyp", brand.
std::string_view describe_brand(std::string_view brand) {
    for (std::string_view heic : {"heic", "heix", "heim", "heis", "hevc", "hevx", "mif1", "msf1"})
        if (brand == heic) return "a HEIC image (as iPhones write them)";
    if (brand == "avif" || brand == "avis") return "an AVIF image";
    if (brand == "crx ") return "a raw camera image";
    return "a video";
}

// Lower case, without white space, comments and byte-order mark in front: enough to tell HTML and SVG from XML.
std::string_view describe_markup(std::string_view text) {
    std::string lower(text.substr(0, 1024));
    std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    if (lower.starts_with("\xEF\xBB\xBF")) lower.erase(0, 3);
    lower.erase(0, std::min(lower.find_first_not_of(" \t\r\n"), lower.size()));
    if (!lower.starts_with('<')) return {};
    if (lower.find("<svg") != std::string::npos) return "an SVG drawing";
    if (lower.find("<!doctype html") != std::string::npos || lower.find("<html") != std::string::npos)
        return "an HTML page (an error page saved in place of the image?)";
    if (lower.starts_with("<?xml")) return "an XML file";
    return {};
}

}  // namespace

RecognisedFormat recognise(std::span<const std::byte> head) {
    const std::string_view text(reinterpret_cast<const char*>(head.data()), head.size());
    for (const Signature& s : signatures) {
        if (text.size() < s.offset || !text.substr(s.offset).starts_with(s.bytes)) continue;
        if (s.format == ImageFormat::pnm && (text.size() < 3 || !std::isspace(static_cast<unsigned char>(text[2]))))
            continue;
        return {s.format, s.description};
    }
    if (text.size() >= 12 && text.substr(4, 4) == "ftyp")
        return {ImageFormat::other, describe_brand(text.substr(8, 4))};
    return {ImageFormat::other, describe_markup(text)};
}

}  // namespace cambium
