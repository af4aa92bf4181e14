// Resizes and torchvision's transforms against Pillow, bit for bit, with every set of kernels.
#include <doctest/doctest.h>

#include <algorithm>

#include "data/images/resize.h"
#include "data/images/resize_kernels.h"
#include "data/images/transforms.h"
#include "tests/data/images/golden.h"

using namespace cambium;
using namespace cambium::test;

namespace {

Size size_of(const Words& line, std::size_t at) { return {std::stoi(line[at]), std::stoi(line[at + 1])}; }

}  // namespace

TEST_CASE("200 random sizes equal Pillow's resize, bit for bit") {
    int resizes = 0;
    for (const Words& line : golden_lines("resize.txt")) {
        if (line[0] != "resize") continue;
        CAPTURE(line[1]);
        const Image image = noise(static_cast<std::uint32_t>(std::stoul(line[1])), size_of(line, 2));
        const Image result = resize(image, size_of(line, 4), interpolation_of(line[6]));
        CHECK(digest_of(result.pixels()) == line[7]);
        ++resizes;
    }
    CHECK(resizes == 200);
}

TEST_CASE("Resize and CenterCrop equal torchvision's on PIL images, roundings included") {
    int evaluations = 0;
    for (const Words& line : golden_lines("resize.txt")) {
        if (line[0] != "evaluate") continue;
        CAPTURE(line[1]);
        const Image image = noise(static_cast<std::uint32_t>(std::stoul(line[1])), size_of(line, 2));
        const Preprocessing how{
            .resize = std::stoi(line[4]), .crop = std::stoi(line[5]), .interpolation = interpolation_of(line[6])};
        CHECK(resized_size(image.size(), how.resize) == size_of(line, 7));
        const Tensor result = prepare_for_evaluation(std::span(&image, 1), how);
        CHECK(digest_of(result.values<std::uint8_t>()) == line[9]);
        ++evaluations;
    }
    CHECK(evaluations == 100);
}

TEST_CASE("resized crops equal torchvision's: nothing outside the box is read") {
    int crops = 0;
    for (const Words& line : golden_lines("resize.txt")) {
        if (line[0] != "crop") continue;
        CAPTURE(line[1]);
        const Image image = noise(static_cast<std::uint32_t>(std::stoul(line[1])), size_of(line, 2));
        const Box box{std::stoi(line[4]), std::stoi(line[5]), std::stoi(line[6]), std::stoi(line[7])};
        const int side = std::stoi(line[8]);
        std::vector<std::uint8_t> out(static_cast<std::size_t>(side * side) * 3);
        resized_crop(image, box, side, interpolation_of(line[9]), out);
        CHECK(digest_of(out) == line[10]);
        ++crops;
    }
    CHECK(crops == 50);
}

TEST_CASE("a window of a resize is that part of the whole") {
    const Image image = noise(3, {40, 33});
    for (const Size size : {Size{23, 50}, Size{40, 20}, Size{60, 33}, Size{40, 33}}) {
        const Image whole = resize(image, size, Interpolation::bicubic);
        const Box window{5, 7, 13, 9};
        Image part({window.width, window.height});
        resize(image,
               {.source = {0, 0, 40, 33}, .size = size, .window = window, .interpolation = Interpolation::bicubic},
               part.pixels().data(), part.stride());
        for (int y = 0; y < window.height; ++y)
            CHECK(std::equal(part.row(y), part.row(y) + part.stride(), whole.at(window.left, window.top + y)));
    }
}

TEST_CASE("the kernels of every instruction set give the same bytes") {
    using namespace resize_kernels;
    const Image image = noise(4, {70, 9});
    // Weights of both signs that sum to about one, in every count from 1 to 11.
    Axis axis{.first = {}, .count = {}, .weights = {}, .capacity = 12};
    for (int i = 0; i < 55; ++i) {
        axis.first.push_back(i);
        axis.count.push_back(1 + i % 11);
        for (int k = 0; k < 12; ++k) {
            const auto draw = static_cast<std::int32_t>(hash_bits(6, static_cast<std::uint64_t>(i * 12 + k)));
            axis.weights.push_back(
                k < axis.count.back() ? ((1 << precision_bits) + (draw - 20000) * 64) / axis.count.back() : 0);
        }
    }
    const auto run = [&](const Kernels& kernels) {
        std::vector<std::uint8_t> bytes(55 * 3 + 1 + 210);
        kernels.horizontal(image.row(0), axis, 55, bytes.data());
        kernels.vertical(image.row(0), image.stride(), axis.weights.data() + 8 * 12, 9, 210, bytes.data() + 55 * 3);
        bytes.pop_back();
        return bytes;
    };
    const auto expected = run(v1::kernels);
    if (isa() >= Isa::v3) CHECK(run(v3::kernels) == expected);
    if (isa() >= Isa::v4) CHECK(run(v4::kernels) == expected);
}

TEST_CASE("a photo of extreme proportions is resized without the memory of its whole result") {
    const Image line = noise(5, {60'000, 1});
    std::vector<std::uint8_t> out(224 * 224 * 3);
    prepare_for_evaluation(line, {}, out);  // the whole would be 15,360,000 x 256 pixels
    CHECK(std::ranges::any_of(out, [](std::uint8_t value) { return value != 0; }));
    CHECK(contains(error_of([] { resized_size({60'000'000, 1}, 256); }), "cannot resize 60000000 x 1 pixels"));
}

TEST_CASE("center crop rounds half to even and pads what is missing") {
    CHECK(center_crop({10, 11}, 7) == Box{2, 2, 7, 7});  // 1.5 -> 2, 2
    CHECK(center_crop({12, 13}, 7) == Box{2, 3, 7, 7});  // 2.5 -> 2, 3
    CHECK(center_crop({4, 20}, 7) == Box{-1, 6, 7, 7});  // 1 column of zeros left, 2 right; 6.5 -> 6
}
