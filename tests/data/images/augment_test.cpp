// Augmentations: with given parameters against torchvision's float tensors, and what is drawn against its
// distributions.
#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <utility>

#include "data/images/augment.h"
#include "engine/base/error.h"
#include "tests/compare.h"
#include "tests/data/images/golden.h"

using namespace cambium;
using namespace cambium::test;

namespace {

constexpr Size small{7, 5};
constexpr std::size_t count = 7 * 5 * 3;
constexpr std::array<float, 3> fill{0.485f, 0.456f, 0.406f};
// f32 in the same order of operations; only the mean is summed differently.
const Tolerance rounding = absolute(1e-6, "a few f32 roundings of values up to one, and the order of a mean's sum");

std::vector<float> unit_noise(const std::string& seed) {
    const Image image = noise(static_cast<std::uint32_t>(std::stoul(seed)), small);
    std::vector<float> pixels;
    for (std::uint8_t byte : image.pixels()) pixels.push_back(static_cast<float>(byte) / 255.0f);
    return pixels;
}

std::vector<double> numbers(const Words& line, std::size_t from, std::size_t length) {
    std::vector<double> result;
    for (std::size_t i = from; i < from + length && i < line.size(); ++i) result.push_back(std::stod(line[i]));
    return result;
}

Tensor noise_batch() {
    Tensor images({3, small.height, small.width, 3}, DType::u8);
    for (std::uint32_t row = 0; row < 3; ++row)
        std::ranges::copy(noise(41 + row, small).pixels(), images.values<std::uint8_t>().begin() + row * count);
    return images;
}

void apply(const Words& line, std::vector<float>& pixels) {
    const std::string& name = line[0];
    AugmentParameters parameters;
    if (name == "adjust_brightness") adjust_brightness(pixels, std::stof(line[2]));
    if (name == "adjust_contrast") adjust_contrast(pixels, std::stof(line[2]));
    if (name == "adjust_saturation") adjust_saturation(pixels, std::stof(line[2]));
    if (name == "adjust_hue") adjust_hue(pixels, std::stof(line[2]));
    if (name == "hflip") flip_left_right(pixels, small);
    if (name == "jitter") {
        for (std::size_t i = 0; i < 4; ++i) {
            parameters.order[i] = std::stof(line[2 + i]);
            parameters.jitter[i] = std::stof(line[6 + i]);
        }
        jitter_colors(pixels, parameters);
    }
    if (name == "erase") {
        parameters.erase_top = std::stof(line[2]);
        parameters.erase_left = std::stof(line[3]);
        parameters.erase_height = std::stof(line[4]);
        parameters.erase_width = std::stof(line[5]);
        erase(pixels, small, parameters, fill);
    }
}

}  // namespace

TEST_CASE("colour operations, flip and erasing equal torchvision's on float tensors") {
    int cases = 0;
    for (const Words& line : golden_lines("augment.txt")) {
        if (line[0] == "mixup" || line[0] == "cutmix" || line[0] == "crops") continue;
        CAPTURE(line[0]);
        CAPTURE(line[1]);
        std::vector<float> pixels = unit_noise(line[1]);
        apply(line, pixels);
        CHECK(compare(std::span<const float>(pixels), numbers(line, line.size() - count, count), rounding));
        ++cases;
    }
    CHECK(cases == 31);
}

TEST_CASE("mixup and cutmix equal torchvision's, labels too") {
    const Tensor images = noise_batch();
    const Tensor labels({3}, std::span<const std::int32_t>(std::array{0, 2, 1}));
    int cases = 0;
    for (const Words& line : golden_lines("augment.txt")) {
        if (line[0] != "mixup" && line[0] != "cutmix") continue;
        const auto row = std::stoul(line[1]);
        std::vector<AugmentParameters> rows(3);
        for (std::size_t i = 0; i < 3; ++i) {
            rows[i].partner = static_cast<float>((i + 2) % 3);
            if (line[0] == "mixup") {
                rows[i].mix = rows[i].label = std::stof(line[2]);
                continue;
            }
            rows[i].cut_left = std::stof(line[2]);
            rows[i].cut_top = std::stof(line[3]);
            rows[i].cut_width = std::stof(line[4]);
            rows[i].cut_height = std::stof(line[5]);
            rows[i].label = 1 - rows[i].cut_width * rows[i].cut_height / 35.0f;
        }
        const Tensor result = augmented(images, rows, fill, DType::f32);
        CHECK(compare(std::as_const(result).values<float>().subspan(row * count, count),
                      numbers(line, line.size() - count - 3, count), rounding));
        const Tensor targets = mixed_labels(labels, rows, 3);
        CHECK(compare(std::as_const(targets).values<float>().subspan(row * 3, 3), numbers(line, line.size() - 3, 3),
                      rounding));
        ++cases;
    }
    CHECK(cases == 18);
}

TEST_CASE("parameters that change nothing leave every byte") {
    const Tensor images = noise_batch();
    const std::vector<AugmentParameters> rows(3);
    const Tensor result = augmented(images, rows, fill, DType::u8);
    CHECK(std::ranges::equal(result.values<std::uint8_t>(), images.values<std::uint8_t>()));
    CHECK_THROWS_AS(augmented(images, std::span(rows).first(2), fill, DType::u8), Error);
    CHECK(to_table(rows).shape() == Shape{3, AugmentParameters::columns});
}

TEST_CASE("random resized crops follow torchvision's distribution") {
    const Words golden = golden_lines("augment.txt").back();
    REQUIRE(golden[0] == "crops");
    const Size photo{std::stoi(golden[1]), std::stoi(golden[2])};
    const Augmentation augmentation;
    double area = 0, log_ratio = 0;
    constexpr int draws = 4000;
    for (std::uint64_t i = 0; i < draws; ++i) {
        RandomStream random(1, 2, i);
        const Box box = draw_crop(photo, augmentation, random);
        REQUIRE(box.left >= 0);
        REQUIRE(box.top >= 0);
        REQUIRE(box.left + box.width <= photo.width);
        REQUIRE(box.top + box.height <= photo.height);
        area += static_cast<double>(box.width) * box.height / (photo.width * photo.height) / draws;
        log_ratio += std::log(static_cast<double>(box.width) / box.height) / draws;
    }
    const auto standard_errors = [](const std::string& deviation) {
        return 3 * std::stod(deviation) / std::sqrt(draws);
    };
    CHECK(compare(area, std::stod(golden[3]),
                  absolute(standard_errors(golden[4]), "three standard errors of 4000 draws")));
    CHECK(compare(log_ratio, std::stod(golden[5]),
                  absolute(standard_errors(golden[6]), "three standard errors of 4000 draws")));
    RandomStream random(1, 2, 3);
    CHECK(draw_crop({300, 2}, augmentation, random).height <= 2);  // no ratio fits: the central crop
    CHECK(draw_crop({1, 1}, augmentation, random) == Box{0, 0, 1, 1});
}

TEST_CASE("what is drawn lies in its ranges and is a function of its key") {
    const Augmentation augmentation{.brightness = 0.4, .contrast = 0.4, .saturation = 2.0, .hue = 0.1, .erase = 0.5};
    int flips = 0, erased = 0;
    std::array<int, 4> first{};
    constexpr int draws = 2000;
    for (std::uint64_t i = 0; i < draws; ++i) {
        RandomStream random(1, 5, i), again(1, 5, i);
        const AugmentParameters p = draw_parameters(augmentation, random);
        const AugmentParameters q = draw_parameters(augmentation, again);
        REQUIRE(std::memcmp(&p, &q, sizeof p) == 0);
        flips += p.flip == 1;
        erased += p.erase_width > 0;
        ++first[static_cast<std::size_t>(p.order[0])];
        REQUIRE(std::abs(p.jitter[0] - 1) <= 0.4f);
        REQUIRE(p.jitter[2] >= 0);
        REQUIRE(p.jitter[2] <= 3);
        REQUIRE(std::abs(p.jitter[3]) <= 0.1f);
        REQUIRE(p.erase_left + p.erase_width <= 224);
        REQUIRE(p.erase_top + p.erase_height <= 224);
    }
    CHECK(std::abs(flips - draws / 2) < 100);  // 4.5 standard deviations
    CHECK(std::abs(erased - draws / 2) < 100);
    for (int times : first) CHECK(std::abs(times - draws / 4) < 90);
}

TEST_CASE("mixing pairs rows and weighs labels by what is seen") {
    const auto mixed = [](const Augmentation& augmentation, std::uint64_t key) {
        std::vector<AugmentParameters> rows(4);
        RandomStream random(3, 4, key);
        draw_mixing(augmentation, random, rows);
        return rows;
    };
    double sum = 0, squares = 0;
    constexpr int draws = 4000;
    for (std::uint64_t i = 0; i < draws; ++i) {
        const auto rows = mixed({.mixup = 0.2}, i);
        REQUIRE(rows[0].partner == 3);
        REQUIRE(rows[3].partner == 2);
        REQUIRE(rows[1].mix == rows[0].mix);
        REQUIRE(rows[1].label == rows[1].mix);
        sum += static_cast<double>(rows[0].mix) / draws;
        squares += static_cast<double>(rows[0].mix * rows[0].mix) / draws;
    }
    // Beta(a, a): mean 1/2, variance 1 / (4 (2a + 1)) = 0.179; three standard errors are 0.02 and 0.006.
    CHECK(std::abs(sum - 0.5) < 0.02);
    CHECK(std::abs(squares - sum * sum - 0.1786) < 0.006);
    for (std::uint64_t i = 0; i < 200; ++i) {
        const AugmentParameters row = mixed({.cutmix = 1.0}, i)[2];
        REQUIRE(row.mix == 1);
        REQUIRE(row.cut_left + row.cut_width <= 224);
        REQUIRE(row.cut_top + row.cut_height <= 224);
        REQUIRE(compare(static_cast<double>(row.label),
                        1 - static_cast<double>(row.cut_width * row.cut_height) / (224.0 * 224.0), rounding));
    }
    CHECK(mixed({}, 1)[0].partner == -1);
}

TEST_CASE("augmentations that make no sense are refused") {
    CHECK_THROWS_AS(require_valid(Augmentation{.size = 0}), UsageError);
    CHECK_THROWS_AS(require_valid(Augmentation{.crop_area = {0.5, 0.1}}), UsageError);
    CHECK_THROWS_AS(require_valid(Augmentation{.flip = 1.5}), UsageError);
    CHECK_THROWS_AS(require_valid(Augmentation{.flip = std::nan("")}), UsageError);
    CHECK_THROWS_AS(require_valid(Augmentation{.hue = 0.6}), UsageError);
    require_valid(Augmentation{});
}
