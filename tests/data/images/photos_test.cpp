// Real photos, which are not part of this repository: decoded, resized and prepared as Pillow and torchvision do.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>

#include "data/images/decode.h"
#include "data/images/folder.h"
#include "data/images/resize.h"
#include "data/images/transforms.h"
#include "tests/data/images/golden.h"

using namespace cambium;
using namespace cambium::test;

namespace {

std::filesystem::path photos() {
    const char* data = std::getenv("CAMBIUM_DATA");
    return std::filesystem::path(data != nullptr ? data : "../shared/data") / "images";
}

// A name of the golden file, in which %20 stands for a space.
std::filesystem::path photo_path(std::string name) {
    for (std::size_t at; (at = name.find("%20")) != std::string::npos;) name.replace(at, 3, " ");
    return photos() / name;
}

bool skipped(const std::filesystem::path& needed) {
    if (std::filesystem::exists(needed)) return false;
    std::cout << "skipped: no " << needed.string() << "\n";
    return true;
}

}  // namespace

TEST_CASE("60 photos: decoding, 240 resizes and evaluation transforms equal Pillow's, bit for bit") {
    if (skipped(photos())) return;
    if (!has_libjpeg()) {
        std::cout << "skipped: photos against Pillow, as this build has no libjpeg-turbo\n";
        return;
    }
    const auto lines = golden_lines("photos.txt");
    CHECK(lines.size() == 60 * 8);
    Image photo;
    for (const Words& line : lines) {
        CAPTURE(line[1]);
        if (line[0] == "decode") {
            photo = decode(photo_path(line[1]));
            CHECK(photo.size() == Size{std::stoi(line[2]), std::stoi(line[3])});
            CHECK(digest_of(photo.pixels()) == line[4]);
        } else if (line[0] == "resize") {
            const Image result = resize(photo, {std::stoi(line[2]), std::stoi(line[3])}, interpolation_of(line[4]));
            CHECK(digest_of(result.pixels()) == line[5]);
        } else {
            const Preprocessing how{
                .resize = std::stoi(line[2]), .crop = std::stoi(line[3]), .interpolation = interpolation_of(line[4])};
            CHECK(digest_of(prepare_for_evaluation(std::span(&photo, 1), how).values<std::uint8_t>()) == line[5]);
        }
    }
}

TEST_CASE("hymenoptera: 244 photos to train on, the .jpeg among them, the .gif left out and named") {
    const auto data = photos() / "hymenoptera_data";
    if (skipped(data)) return;
    ImageFolder folder = open_image_folder(data);
    CHECK(folder.classes == std::vector<std::string>{"ants", "bees"});
    CHECK(folder.train.size() == 244);
    CHECK(folder.validation.size() == 153);
    REQUIRE(folder.left_out.size() == 1);
    CHECK(folder.left_out[0].path.filename() == "imageNotFound.gif");
    CHECK(contains(folder.left_out[0].reason, ".gif"));
    CHECK(std::ranges::any_of(folder.train, [](const Sample& sample) { return sample.path.extension() == ".jpeg"; }));
    inspect_photos(folder, Unreadable::refuse);
}
