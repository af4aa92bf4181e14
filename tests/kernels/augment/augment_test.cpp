// Augmentation on the device against the reference, which is held against torchvision: every step alone and all
// together, within the rounding of f32; what changes nothing; and what must be refused.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "engine/base/error.h"
#include "tests/kernels/augment/cases.h"
#include "tests/kernels/rule.h"
#include "tests/kernels/schedule.h"

using namespace cambium;
using namespace cambium::test;

namespace {

constexpr augment::Variant kVariants[] = {augment::Variant::plain, augment::Variant::tuned};

// In units of the network's input. Values in 0..255 pass ten roundings at most, and hue's quotients lose no more than
// they gain when they are multiplied out again: 2^-19 of the range that scale gives them. bf16 rounds once more.
double worst_excess(const AugmentCase& c, const std::vector<float>& found, const std::vector<double>& expected) {
    double worst = found.size() == expected.size() ? 0 : INFINITY;
    for (std::size_t i = 0; i < std::min(found.size(), expected.size()); ++i) {
        const double x = expected[i];
        const double error = std::fabs(static_cast<double>(found[i]) - x);
        const double range = 255 * static_cast<double>(c.batch.scale[i % 3]) + std::fabs(x);
        const double allowed = 0x1p-19 * range + (c.batch.dtype == DType::bf16 ? 0x1p-8 * std::fabs(x) : 0);
        worst = error - allowed <= worst ? worst : error - allowed;  // NaN becomes the worst and stays
    }
    return worst;
}

void check(AugmentCase c) {
    const std::vector<std::uint8_t> pixels = pixels_of(c);
    const std::vector<double> expected = on_reference(c, pixels);
    for (const augment::Variant variant : kVariants) {
        c.batch.variant = variant;
        CHECK_MESSAGE(worst_excess(c, on_device(c, pixels), expected) <= 0, c.text());
    }
}

AugmentCase plain_case(std::int64_t images, std::int64_t height, std::int64_t width) {
    AugmentCase c;
    c.batch = {.images = images, .height = height, .width = width};
    c.batch.scale.fill(1.0f / 255.0f);
    c.table.resize(static_cast<std::size_t>(images));
    return c;
}

}  // namespace

TEST_CASE("random batches agree with the reference") {
    const int cases = is_checked_run() ? 54 : 270;
    for (int i = 0; i < cases; ++i) check(random_case(i, is_checked_run() ? 24 : 60));
}

TEST_CASE("a row that changes nothing gives the pixels' exact values") {
    AugmentCase c = plain_case(2, 5, 7);
    c.batch.scale.fill(1);
    const std::vector<std::uint8_t> pixels = pixels_of(c);
    CHECK(unequal(on_device(c, pixels), std::vector<double>(pixels.begin(), pixels.end())) == 0);
}

TEST_CASE("a partner outside the batch is none") {
    AugmentCase c = plain_case(2, 4, 4);
    const std::vector<std::uint8_t> pixels = pixels_of(c);
    const std::vector<float> expected = on_device(c, pixels);
    for (AugmentParameters& row : c.table) row.partner = 2, row.cut_height = row.cut_width = 4;
    CHECK(on_device(c, pixels) == expected);
}

TEST_CASE("without contrast there is no pass for means, and no workspace") {
    AugmentCase c = random_case(0, 20);
    c.table.front().order[0] = AugmentParameters::brightness;
    c.table.front().jitter[0] = 0.75f;
    const std::vector<std::uint8_t> pixels = pixels_of(c);
    const std::vector<float> expected = on_device(c, pixels);
    c.batch.contrast = augment::Contrast::none;
    CHECK(augment::workspace_bytes(c.batch) == 0);
    CHECK(on_device(c, pixels) == expected);
}

TEST_CASE("what makes no sense is refused before anything is launched") {
    dev::Stream stream;
    dev::Buffer<float> memory(64);
    dev::Buffer<std::uint8_t> images(64);
    dev::Buffer<augment::Parameters> table(1);
    std::span<std::byte> workspace(reinterpret_cast<std::byte*>(memory.data()), 4);
    const augment::Batch good{.images = 1, .height = 2, .width = 2};
    const auto refuses = [&](const augment::Batch& b, const std::uint8_t* x, void* y, const char* why) {
        CHECK_THROWS_WITH_AS(augment::run(b, x, table.data(), y, workspace, stream), doctest::Contains(why),
                             UsageError);
    };
    augment::Batch b = good;
    b.height = -1;
    refuses(b, images.data(), memory.data(), "must not be negative");
    b = good;
    b.width = 40000;
    refuses(b, images.data(), memory.data(), "at most 32767 pixels");
    b = good;
    b.dtype = DType::u8;
    refuses(b, images.data(), memory.data(), "not u8");
    refuses(good, nullptr, memory.data(), "an operand is null");
    refuses(good, images.data(), reinterpret_cast<std::byte*>(memory.data()) + 2, "not aligned");
    workspace = {};
    refuses(good, images.data(), memory.data(), "the workspace has 0 bytes and must have 4");
}
