// A PNG is a signature and four chunks' worth of framing around one zlib stream of filtered rows.
#include "data/leaves/png.h"

#include <zlib.h>

#include <array>
#include <cstdint>
#include <string_view>

#include "engine/base/fail.h"

namespace cambium {
namespace {

void append_u32(std::vector<std::byte>& out, std::uint32_t value) {
    for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<std::byte>(value >> shift));
}

// Length, type, data, and the CRC-32 of type and data.
void append_chunk(std::vector<std::byte>& out, std::string_view type, std::span<const std::uint8_t> data) {
    append_u32(out, static_cast<std::uint32_t>(data.size()));
    const std::size_t start = out.size();
    for (const char c : type) out.push_back(static_cast<std::byte>(c));
    for (const std::uint8_t b : data) out.push_back(std::byte{b});
    const auto* checked = reinterpret_cast<const Bytef*>(out.data() + start);
    append_u32(out, static_cast<std::uint32_t>(crc32(0, checked, static_cast<uInt>(out.size() - start))));
}

// Each row after its filter type; "up" stores the difference to the row above.
std::vector<std::uint8_t> filtered_rows(const Image& image) {
    constexpr std::uint8_t up = 2;
    std::vector<std::uint8_t> rows;
    rows.reserve(image.bytes() + static_cast<std::size_t>(image.height()));
    for (int y = 0; y < image.height(); ++y) {
        rows.push_back(up);
        for (std::size_t i = 0; i < image.stride(); ++i) {
            const int above = y > 0 ? image.row(y - 1)[i] : 0;
            rows.push_back(static_cast<std::uint8_t>(image.row(y)[i] - above));
        }
    }
    return rows;
}

}  // namespace

std::vector<std::byte> encode_png(const Image& image) {
    const std::vector<std::uint8_t> rows = filtered_rows(image);
    uLongf size = compressBound(rows.size());
    std::vector<std::uint8_t> packed(size);
    if (compress2(packed.data(), &size, rows.data(), rows.size(), Z_DEFAULT_COMPRESSION) != Z_OK) {
        fail("cannot encode a {} x {} image as PNG: zlib refused it", image.width(), image.height());
    }
    packed.resize(size);
    constexpr std::array<std::uint8_t, 8> signature{0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
    std::vector<std::byte> out;
    for (const std::uint8_t b : signature) out.push_back(std::byte{b});
    std::array<std::uint8_t, 13> header{};  // width, height, bit depth 8, colour type 2 (RGB)
    for (std::size_t i = 0; i < 4; ++i) {
        header[i] = static_cast<std::uint8_t>(image.width() >> (24 - 8 * i));
        header[4 + i] = static_cast<std::uint8_t>(image.height() >> (24 - 8 * i));
    }
    header[8] = 8;
    header[9] = 2;
    append_chunk(out, "IHDR", header);
    append_chunk(out, "IDAT", packed);
    append_chunk(out, "IEND", {});
    return out;
}

}  // namespace cambium
