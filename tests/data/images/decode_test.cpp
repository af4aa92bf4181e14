// Decoded pixels against Pillow's, digest by digest.
#include <doctest/doctest.h>

#include "data/images/decode.h"
#include "engine/base/error.h"
#include "tests/data/images/golden.h"

using namespace cambium;
using namespace cambium::test;

namespace {

// Parity of JPEG is claimed for libjpeg-turbo only.
bool is_compared(const std::string& name) {
    static const bool said = [] {
        if (!has_libjpeg()) MESSAGE("skipped: the pixels of JPEG files, as this build has no libjpeg-turbo");
        return true;
    }();
    return said && (has_libjpeg() || !name.ends_with(".jpg"));
}

}  // namespace

TEST_CASE("every kind of image decodes to Pillow's pixels") {
    const auto lines = golden_lines("decode.txt");
    CHECK(lines.size() == 60);
    for (const Words& line : lines) {
        CAPTURE(line[0]);
        const Image image = decode(golden_images / "files" / line[0]);
        CHECK(image.width() == std::stoi(line[1]));
        CHECK(image.height() == std::stoi(line[2]));
        if (is_compared(line[0])) CHECK(digest_of(image.pixels()) == line[3]);
    }
}

TEST_CASE("probe reads size and orientation from the header") {
    for (const Words& line : golden_lines("decode.txt")) {
        CAPTURE(line[0]);
        const auto bytes = read_bytes(golden_images / "files" / line[0]);
        const ImageInfo info = probe(bytes, line[0]);
        const Size upright = info.orientation >= 5 ? Size{info.size.height, info.size.width} : info.size;
        CHECK(upright == Size{std::stoi(line[1]), std::stoi(line[2])});
    }
}

TEST_CASE("a file that is cut off is refused, or gives all of Pillow's pixels") {
    const auto lines = golden_lines("truncated.txt");
    CHECK(lines.size() > 200);
    std::string name;
    std::vector<std::byte> bytes;
    for (const Words& line : lines) {
        if (!is_compared(line[0])) continue;
        CAPTURE(line[0]);
        CAPTURE(line[1]);
        if (line[0] != name) bytes = read_bytes(golden_images / "files" / line[0]);
        name = line[0];
        Image image;
        const std::string error = error_of([&] { image = decode(std::span(bytes).first(std::stoul(line[1])), name); });
        if (error.empty()) {
            CHECK(digest_of(image.pixels()) == line[2]);
        } else {
            CHECK(contains(error, "cannot read " + name + ": "));
            CHECK(error.find('\n') == std::string::npos);
            // Pillow forgives a PNG or GIF without its last block; we do not.
            if (!name.ends_with(".png") && !name.ends_with(".gif")) CHECK(line[2] == "refused");
        }
    }
}

TEST_CASE("orientations turn a picture as their names say") {
    // 1 2 3   one byte per pixel stands for all three channels
    // 4 5 6
    const auto turned = [](int orientation) {
        Image image({3, 2});
        for (std::size_t i = 0; i < 18; ++i) image.pixels()[i] = static_cast<std::uint8_t>(i / 3 + 1);
        const Image result = oriented(std::move(image), orientation);
        std::string text;
        for (int y = 0; y < result.height(); ++y) {
            for (int x = 0; x < result.width(); ++x) text += static_cast<char>('0' + *result.at(x, y));
            text += '/';
        }
        return text;
    };
    CHECK(turned(1) == "123/456/");
    CHECK(turned(2) == "321/654/");
    CHECK(turned(3) == "654/321/");
    CHECK(turned(4) == "456/123/");
    CHECK(turned(5) == "14/25/36/");
    CHECK(turned(6) == "41/52/63/");
    CHECK(turned(7) == "63/52/41/");
    CHECK(turned(8) == "36/25/14/");
    CHECK(turned(9) == "123/456/");
}
