// What is drawn, against torchvision's distributions, and what becomes of it: the table, and labels of mixed photos.
// tests/engine/reference_augment_test.cpp holds what the table does to photos.
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

const Tolerance rounding = absolute(1e-6, "a few f32 roundings of shares up to one");

std::vector<double> numbers(const Words& line, std::size_t from, std::size_t length) {
    std::vector<double> result;
    for (std::size_t i = from; i < from + length && i < line.size(); ++i) result.push_back(std::stod(line[i]));
    return result;
}

}  // namespace

TEST_CASE("labels of mixed photos equal torchvision's") {
    const Tensor labels({3}, std::span<const std::int32_t>(std::array{0, 2, 1}));
    int cases = 0;
    for (const Words& line : golden_lines("augment.txt")) {
        if (line[0] != "mixup" && line[0] != "cutmix") continue;
        const auto row = std::stoul(line[1]);
        std::vector<AugmentParameters> rows(3);
        for (std::size_t i = 0; i < 3; ++i) {
            rows[i].partner = static_cast<float>((i + 2) % 3);
            const bool mixup = line[0] == "mixup";
            rows[i].label = mixup ? std::stof(line[2]) : 1 - std::stof(line[4]) * std::stof(line[5]) / 35.0f;
        }
        const Tensor targets = mixed_labels(labels, rows, 3);
        CHECK(compare(std::as_const(targets).values<float>().subspan(row * 3, 3), numbers(line, line.size() - 3, 3),
                      rounding));
        ++cases;
    }
    CHECK(cases == 18);
}

TEST_CASE("a table's columns are the fields of its rows, and labels without a partner stay whole") {
    std::vector<AugmentParameters> rows(2);
    rows[1] = {.flip = 1, .jitter = {2, 3, 4, 5}, .partner = 7, .label = 0.25f};
    const Tensor table = to_table(rows);
    REQUIRE(table.shape() == Shape{2, AugmentParameters::columns});
    const auto values = table.values<float>();
    CHECK(std::memcmp(values.data(), rows.data(), table.bytes().size()) == 0);
    CHECK(values[AugmentParameters::columns] == 1);
    CHECK(values[AugmentParameters::columns + 4] == 5);
    CHECK(values.back() == 0.25f);
    const Tensor labels({2}, std::span<const std::int32_t>(std::array{1, 0}));
    CHECK(std::ranges::equal(mixed_labels(labels, rows, 2).values<float>(), std::array{0.0f, 1.0f, 1.0f, 0.0f}));
    CHECK_THROWS_WITH_AS(mixed_labels(labels, std::span(rows).first(1), 2), doctest::Contains("1 rows"), Error);
    CHECK_THROWS_WITH_AS(mixed_labels(labels, rows, 1), doctest::Contains("label 1 of 1 classes"), Error);
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
