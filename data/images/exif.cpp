// The orientation a camera notes in EXIF (a small TIFF file inside the image) or in XMP. Everything is bounds-checked:
// a damaged note means "upright", never an error.
#include <algorithm>
#include <optional>
#include <string>
#include <string_view>

#include "data/images/decode.h"

namespace cambium {

namespace {

using namespace std::literals;

std::string_view as_text(std::span<const std::byte> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// Unsigned integers of a byte string in either byte order; nothing where they would leave it.
struct Integers {
    std::string_view text;
    bool big_endian = true;

    std::optional<std::uint32_t> read(std::size_t offset, std::size_t bytes) const {
        if (offset > text.size() || text.size() - offset < bytes) return std::nullopt;
        std::uint32_t value = 0;
        for (std::size_t i = 0; i < bytes; ++i) {
            const std::size_t at = offset + (big_endian ? i : bytes - 1 - i);
            value = (value << 8) | static_cast<unsigned char>(text[at]);
        }
        return value;
    }
};

// Tag 0x0112 of the first directory, if it is one SHORT or LONG. TIFF 6.0, section 2.
std::optional<int> orientation_in_tiff(std::string_view tiff) {
    constexpr std::uint32_t tag_orientation = 0x0112, type_short = 3, type_long = 4;
    const bool big_endian = tiff.starts_with("MM");
    if (!big_endian && !tiff.starts_with("II")) return std::nullopt;
    const Integers in{tiff, big_endian};
    if (in.read(2, 2) != 42u) return std::nullopt;
    const auto directory = in.read(4, 4);
    const auto entries = directory ? in.read(*directory, 2) : std::nullopt;
    std::optional<int> found;
    for (std::uint32_t i = 0; entries && i < *entries; ++i) {
        const std::size_t entry = std::size_t{*directory} + 2 + std::size_t{12} * i;
        const auto tag = in.read(entry, 2);
        if (!tag) break;
        if (*tag != tag_orientation || in.read(entry + 4, 4) != 1u) continue;
        const auto type = in.read(entry + 2, 2);
        const auto value = type == type_short  ? in.read(entry + 8, 2)
                           : type == type_long ? in.read(entry + 8, 4)
                                               : std::nullopt;
        if (value) found = static_cast<int>(std::min(*value, 9u));
    }
    return found;
}

// tiff:Orientation="6" or <tiff:Orientation>6<
std::optional<int> orientation_in_xmp(std::string_view xmp) {
    constexpr auto tag = "tiff:Orientation"sv;
    for (std::size_t at = xmp.find(tag); at != xmp.npos; at = xmp.find(tag, at + 1)) {
        std::string_view rest = xmp.substr(at + tag.size());
        if (rest.starts_with("=\""))
            rest.remove_prefix(2);
        else if (rest.starts_with(">"))
            rest.remove_prefix(1);
        else
            continue;
        if (!rest.empty() && rest[0] >= '0' && rest[0] <= '9') return rest[0] - '0';
    }
    return std::nullopt;
}

struct Notes {
    std::string exif;  // the TIFF file, its parts joined
    std::string_view xmp;
};

// APP1 segments between the start of a JPEG file and its first scan.
Notes notes_in_jpeg(std::string_view file) {
    constexpr auto exif = "Exif\0\0"sv, xmp = "http://ns.adobe.com/xap/1.0/\0"sv;
    constexpr std::uint32_t app1 = 0xE1, start_of_scan = 0xDA, end_of_image = 0xD9;
    Notes notes;
    const Integers in{file};
    std::size_t at = 2;
    while (at + 4 <= file.size()) {
        if (static_cast<unsigned char>(file[at]) != 0xFF) {  // stray bytes between segments
            ++at;
            continue;
        }
        const std::uint32_t marker = *in.read(at + 1, 1);
        if (marker == 0xFF) {  // fill byte
            ++at;
            continue;
        }
        if (marker == start_of_scan || marker == end_of_image) break;
        if (marker == 0 || marker == 0x01 || (marker >= 0xD0 && marker <= 0xD8)) {  // markers without a length
            at += 2;
            continue;
        }
        const std::size_t length = *in.read(at + 2, 2);
        if (length < 2 || length > file.size() - at - 2) break;
        const std::string_view segment = file.substr(at + 4, length - 2);
        if (marker == app1 && segment.starts_with(exif)) notes.exif += segment.substr(exif.size());
        if (marker == app1 && segment.starts_with(xmp)) notes.xmp = segment.substr(xmp.size());
        at += 2 + length;
    }
    return notes;
}

// The eXIf and XMP text chunks of a PNG file.
Notes notes_in_png(std::string_view file) {
    Notes notes;
    const Integers in{file};
    for (std::size_t at = 8; at + 12 <= file.size();) {
        const std::size_t length = *in.read(at, 4);
        if (length > file.size() - at - 12) break;
        const std::string_view type = file.substr(at + 4, 4), chunk = file.substr(at + 8, length);
        if (type == "eXIf") notes.exif = chunk.starts_with("Exif\0\0"sv) ? chunk.substr(6) : chunk;
        if (type == "iTXt" && chunk.starts_with("XML:com.adobe.xmp\0"sv)) notes.xmp = chunk;
        at += 12 + length;
    }
    return notes;
}

}  // namespace

int exif_orientation(std::span<const std::byte> bytes, ImageFormat format) {
    Notes notes;
    if (format == ImageFormat::jpeg) notes = notes_in_jpeg(as_text(bytes));
    if (format == ImageFormat::png) notes = notes_in_png(as_text(bytes));
    auto orientation = orientation_in_tiff(notes.exif);
    if (!orientation) orientation = orientation_in_xmp(notes.xmp);
    return orientation && *orientation >= 1 && *orientation <= 8 ? *orientation : 1;
}

Image oriented(Image image, int orientation) {
    if (orientation <= 1 || orientation > 8) return image;
    // EXIF 2.3, 4.6.4: 5 to 8 exchange rows and columns; then the source is read backwards along x, y or both.
    const bool transposed = orientation >= 5;
    const bool flip_x = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
    const bool flip_y = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
    Image result(transposed ? Size{image.height(), image.width()} : image.size());
    for (int y = 0; y < result.height(); ++y) {
        std::uint8_t* out = result.row(y);
        for (int x = 0; x < result.width(); ++x, out += Image::channels) {
            const int u = transposed ? y : x, v = transposed ? x : y;
            const std::uint8_t* in = image.at(flip_x ? image.width() - 1 - u : u, flip_y ? image.height() - 1 - v : v);
            std::copy_n(in, Image::channels, out);
        }
    }
    return result;
}

}  // namespace cambium
