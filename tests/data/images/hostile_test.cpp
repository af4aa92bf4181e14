// Files that are not images, lie about themselves or are damaged: one sentence each, and neither memory nor time is
// lost.
#include <doctest/doctest.h>
#include <sys/resource.h>

#include <algorithm>

#include "data/images/decode.h"
#include "data/images/resize.h"
#include "data/images/transforms.h"
#include "engine/base/error.h"
#include "tests/data/images/golden.h"

using namespace cambium;
using namespace cambium::test;
using namespace std::literals;

namespace {

std::string refusal(std::string_view content) {
    return error_of([&] { decode(std::as_bytes(std::span(content)), "photo.jpg"); });
}

std::string big_endian(std::uint32_t value) {
    std::string bytes;
    for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(value >> shift);
    return bytes;
}

std::string png_chunk(const std::string& type, const std::string& data) {
    std::uint32_t crc = 0xFFFFFFFF;  // PNG, annex D, bit by bit
    for (char byte : type + data) {
        crc ^= static_cast<unsigned char>(byte);
        for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0xEDB88320u : 0u);
    }
    return big_endian(static_cast<std::uint32_t>(data.size())) + type + data + big_endian(~crc);
}

// The signature and header of a PNG image, and an empty data chunk.
std::string png_header(std::uint32_t width, std::uint32_t height) {
    return "\x89PNG\r\n\x1A\n" + png_chunk("IHDR", big_endian(width) + big_endian(height) + "\x08\x02\0\0\0"s) +
           png_chunk("IDAT", "");
}

long peak_kilobytes() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

}  // namespace

TEST_CASE("what is not an image is named as what it is") {
    CHECK(contains(refusal(""), "photo.jpg: the file is empty"));
    CHECK(contains(refusal("hello"), "it is not an image"));
    CHECK(contains(refusal("\0\0\0\x18"
                           "ftypheic\0\0\0\0mif1heic"sv),
                   "HEIC"));
    CHECK(contains(refusal("\0\0\0\x18"
                           "ftypmif1\0\0\0\0mif1heic"sv),
                   "HEIC"));
    CHECK(contains(refusal("\0\0\0\x18"
                           "ftypavif\0\0\0\0avifmif1"sv),
                   "AVIF"));
    CHECK(contains(refusal("\0\0\0\x18"
                           "ftypisom\0\0\0\0isomiso2"sv),
                   "video"));
    CHECK(contains(refusal("RIFF\x24\0\0\0WEBPVP8 "sv), "WebP"));
    CHECK(contains(refusal("II*\0\x08\0\0\0"sv), "TIFF"));
    CHECK(contains(refusal("  <svg xmlns='http://www.w3.org/2000/svg'>"), "SVG"));
    CHECK(contains(refusal("<?xml version='1.0'?>\n<svg>"), "SVG"));
    CHECK(contains(refusal("\xEF\xBB\xBF<!DOCTYPE html><title>404</title>"), "HTML"));
    CHECK(contains(refusal("%PDF-1.7"), "PDF"));
    CHECK(contains(refusal("version https://git-lfs.github.com/spec/v1\noid sha256:"), "Git LFS"));
    for (const auto& [file, kind] : {std::pair{"photo.webp", "WebP"},
                                     {"photo.avif", "AVIF"},
                                     {"photo.tiff", "TIFF"},
                                     {"photo.jp2", "JPEG 2000"}}) {
        CAPTURE(file);
        CHECK(contains(error_of([&] { decode(golden_images / "files" / file); }), kind));
    }
}

TEST_CASE("files that cannot be opened say why") {
    CHECK(contains(error_of([] { decode(std::filesystem::path("no/such/photo.jpg")); }), "there is no such file"));
    CHECK(contains(error_of([] { decode(golden_images); }), "it is not a file"));
}

TEST_CASE("a header of 60,000 x 60,000 pixels is refused before memory is taken for it") {
    const long before = peak_kilobytes();
    CHECK(contains(refusal(png_header(60'000, 60'000)), "60000 x 60000 pixels"));
    CHECK(contains(refusal(png_header(60'000, 60'000)), "scale it down"));
    CHECK(contains(refusal(png_header(0x7FFFFFFF, 0x7FFFFFFF)), "2147483647 x 2147483647 pixels, so it is damaged"));
    CHECK(contains(refusal(png_header(0xFFFFFFFF, 10)), "4294967295 x 10 pixels, so it is damaged"));
    CHECK(contains(refusal(png_header(0, 10)), "0 x 10 pixels, so it is damaged"));
    auto jpeg = read_bytes(golden_images / "files" / "baseline_444.jpg");
    const auto frame = std::ranges::search(jpeg, std::as_bytes(std::span("\xFF\xC0\0\x11\x08", 5)));
    REQUIRE(!frame.empty());
    for (int i = 0; i < 4; ++i) frame.end()[i] = std::byte{0xEA};  // height and width 60138
    CHECK(contains(error_of([&] { decode(jpeg, "big.jpg"); }), "60138 x 60138 pixels"));
    CHECK(contains(refusal("BM" + std::string(8, '\0') + "\x36\0\0\0\x28\0\0\0\x60\xEA\0\0\x60\xEA\0\0\x01\0\x18\0"s +
                           std::string(24, '\0')),
                   "60000 x 60000 pixels"));
    CHECK(contains(refusal("GIF89a\x60\xEA\x60\xEA\x80\0\0"s + std::string(20, '\0')), "60000 x 60000 pixels"));
    CHECK(contains(refusal("P6\n60000 60000\n255\n"), "60000 x 60000 pixels"));
    CHECK(peak_kilobytes() - before < 20'000);
}

TEST_CASE("a promise of many pixels that breaks off takes no memory for them") {
    const long before = peak_kilobytes();
    CHECK(contains(refusal("P6\n13000 13000\n255\n"), "cut off"));
    CHECK(contains(refusal(png_header(13'000, 13'000)), "cannot read photo.jpg"));
    CHECK(peak_kilobytes() - before < 100'000);
}

TEST_CASE("damaged files never do worse than an error") {
    std::vector<std::string> names;
    for (const Words& line : golden_lines("decode.txt")) names.push_back(line[0]);
    REQUIRE(!names.empty());
    int refused = 0, read = 0;
    for (std::uint32_t round = 0; round < 1500; ++round) {
        auto bytes = read_bytes(golden_images / "files" / names[round % names.size()]);
        const std::uint32_t changes = 1 + hash_below(7, round, 8);
        for (std::uint32_t i = 0; i < changes; ++i) {
            const std::uint32_t draw = round * 8 + i;
            bytes[hash_below(8, draw, static_cast<std::uint32_t>(std::min<std::size_t>(bytes.size(), 65536)))] =
                static_cast<std::byte>(hash_bits(9, draw));
        }
        const std::string error = error_of([&] { decode(bytes, "damaged"); });
        ++(error.empty() ? read : refused);
        if (error.empty()) continue;
        CHECK(contains(error, "cannot read damaged: "));
        CHECK_FALSE(contains(error, "stb"));
        CHECK_FALSE(contains(error, "libjpeg"));
    }
    CHECK(refused > 100);
    CHECK(read > 100);
}

TEST_CASE("damage that the decoder would not notice is found") {
    auto bytes = read_bytes(golden_images / "files" / "rgb.png");
    bytes[bytes.size() / 2] ^= std::byte{1};
    CHECK(contains(error_of([&] { decode(bytes, "photo.png"); }), "a checksum is wrong"));
    CHECK(contains(refusal("P5 # sixteen greys\n2 2\n15\n\1\2\3\4"), "its samples run to 15"));
    CHECK(refusal("P5 # bytes\n2 2 255\n\1\2\3\4").empty());
}

TEST_CASE("damaged EXIF data mean upright") {
    auto bytes = read_bytes(golden_images / "files" / "exif_6_little.jpg");
    const auto note = std::ranges::search(bytes, std::as_bytes(std::span("Exif", 4)));
    REQUIRE(!note.empty());
    std::byte* const tiff = &*note.begin() + 6;
    CHECK(exif_orientation(bytes, ImageFormat::jpeg) == 6);
    for (std::size_t at = 0; at < 26; ++at) {
        const std::byte kept = tiff[at];
        for (int value : {0, 1, 127, 255}) {
            tiff[at] = static_cast<std::byte>(value);
            const int orientation = exif_orientation(bytes, ImageFormat::jpeg);
            CHECK(orientation >= 1);
            CHECK(orientation <= 8);
        }
        tiff[at] = kept;
    }
    for (std::size_t length = 0; length < 80; ++length)
        CHECK(exif_orientation(std::span(bytes).first(length), ImageFormat::jpeg) <= 8);
}

TEST_CASE("resizing refuses boxes that leave the image") {
    const Image image = noise(1, {8, 6});
    std::vector<std::uint8_t> out(5 * 5 * 3);
    CHECK_THROWS_AS(resize(image, {0, 4}, Interpolation::bilinear), Error);
    CHECK_THROWS_AS(resized_crop(image, {4, 0, 5, 2}, 5, Interpolation::bilinear, out), Error);
    CHECK_THROWS_AS(resized_crop(image, {-1, 0, 5, 2}, 5, Interpolation::bilinear, out), Error);
    CHECK_THROWS_AS(resized_crop(image, {0, 0, 5, 0}, 5, Interpolation::bilinear, out), Error);
    CHECK_THROWS_AS(resized_crop(image, {0, 0, 5, 2}, 4, Interpolation::bilinear, out), Error);
    CHECK_THROWS_AS(resize(Image(), {3, 4}, Interpolation::bilinear), Error);
}
