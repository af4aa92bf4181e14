// The convolutions against the loop that defines them, in double precision: integers exactly, random data within
// FlashAttention's rule (at most twice the error of a plain low-precision convolution, plus a small constant), and what
// must be refused.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "engine/base/error.h"
#include "kernels/conv/stem.h"
#include "tests/kernels/conv/cases.h"
#include "tests/kernels/schedule.h"

using namespace cambium;
using namespace cambium::test;

namespace {

double largest_error(const std::vector<float>& found, const std::vector<double>& exact) {
    double largest = 0;
    for (std::size_t i = 0; i < exact.size(); ++i) {
        const double error = std::fabs(static_cast<double>(found[i]) - exact[i]);
        largest = error <= largest ? largest : error;  // NaN becomes the largest and stays
    }
    return largest;
}

std::size_t unequal(const std::vector<float>& found, const Exact& exact, bool low) {
    std::size_t count = found.size() == exact.value.size() ? 0 : 1;
    for (std::size_t i = 0; i < std::min(found.size(), exact.value.size()); ++i) {
        const float expected = static_cast<float>(exact.value[i]);
        if (found[i] != (low ? static_cast<float>(bf16(expected)) : expected)) ++count;
    }
    return count;
}

// The case as it is, and by the plain kernel.
std::vector<ConvCase> both_variants(const ConvCase& c) {
    std::vector<ConvCase> cases{c, c};
    cases[1].conv.plan = conv::Plan{.variant = conv::Variant::plain};
    return cases;
}

void check_integers(const ConvCase& c) {
    const ConvData data = make_data(c, Fill::integers);
    const Exact exact = exact_result(c, data);
    for (const ConvCase& variant : both_variants(c)) {
        const bool low = c.conv.output == conv::Output::bf16;
        CHECK_MESSAGE(unequal(run_on_device(variant, data), exact, low) == 0, variant.text());
    }
}

void check_uniform(const ConvCase& c) {
    const ConvData data = make_data(c, Fill::uniform);
    const Exact exact = exact_result(c, data);
    const double plain_error = largest_error(low_precision_result(c, data), exact.value);
    for (const ConvCase& variant : both_variants(c)) {
        const std::vector<float> found = run_on_device(variant, data);
        REQUIRE(found.size() == exact.value.size());
        // 2^-21 of the terms' sum: four f32 roundings of it, for outputs of few elements, where the plain convolution
        // may happen to be exact.
        const double bound = 2 * plain_error + 0x1p-21 * exact.magnitude;
        const double error = largest_error(found, exact.value);
        CHECK_MESSAGE(error <= bound, variant.text() << ": error " << error << ", plain " << plain_error);
    }
}

// The checked run is a hundred times slower and is after accesses, not sums.
int case_count() { return is_checked_run() ? 81 : 243; }
std::int64_t most_channels() { return is_checked_run() ? 24 : 72; }

}  // namespace

TEST_CASE("integer convolutions of random shapes are exact") {
    for (int i = 0; i < case_count(); ++i) check_integers(random_case(i, most_channels()));
}

TEST_CASE("random convolutions of random shapes are within the error rule") {
    for (int i = 0; i < case_count() / 3; ++i) check_uniform(random_case(1000 + i, most_channels()));
}

TEST_CASE("stems of three channels, which run on padded copies") {
    int padded = 0;
    for (int i = 0; i < case_count() / 3; ++i) {
        const ConvCase c = random_stem(i);
        padded += conv::padded_stem(c.conv).has_value() ? 1 : 0;
        check_integers(c);
        if (i % 3 == 0) check_uniform(c);
    }
    CHECK(padded > case_count() / 6);
}

TEST_CASE("which stems are padded: those whose windows are not aligned") {
    const auto padded = [](conv::Sizes z, conv::Math math, conv::Direction direction = conv::Direction::fprop) {
        return conv::padded_stem({.direction = direction, .sizes = z, .math = math});
    };
    conv::Sizes z{.n = 2, .h = 224, .w = 224, .c = 3, .k = 64, .r = 7, .s = 7, .stride = {2, 2}, .padding = {3, 3}};
    for (const conv::Math math : {conv::Math::bf16, conv::Math::tf32, conv::Math::f32}) {
        for (const conv::Direction direction : {conv::Direction::fprop, conv::Direction::wgrad}) {
            const auto stem = padded(z, math, direction);
            REQUIRE(stem.has_value());
            CHECK(stem->sizes.c == 4);
            CHECK(stem->sizes.p() == 112);
            CHECK(stem->sizes.q() == 112);
        }
        CHECK_FALSE(padded(z, math, conv::Direction::dgrad));
    }
    conv::Sizes patches{.n = 2, .h = 224, .w = 224, .c = 3, .k = 768, .r = 16, .s = 16, .stride = {16, 16}};
    CHECK_FALSE(padded(patches, conv::Math::bf16));  // 96 bytes apart
    z.c = 1;
    CHECK_FALSE(padded(z, conv::Math::bf16));
    z.c = 3, z.dilation[1] = 2;
    CHECK_FALSE(padded(z, conv::Math::bf16));
}

TEST_CASE("parities whose sums are of one, two and four parts share a launch") {
    check_integers(
        {.conv = {
             .direction = conv::Direction::dgrad,
             .sizes = {.n = 1, .h = 7, .w = 7, .c = 8, .k = 64, .r = 3, .s = 3, .stride = {2, 2}, .padding = {1, 1}},
             .plan = conv::Plan{.splits = 4}}});
}

TEST_CASE("a residual may be the result itself, so that gradients accumulate") {
    dev::Stream stream;
    // dy [1, 1, 1, 1] and a filter [1, 2, 2, 1] give dx [1, 2, 2, 1].
    const dev::Buffer<float> dy(std::vector<float>{2}, stream), filter(std::vector<float>{5, 6, 7, 8}, stream);
    dev::Buffer<float> dx(std::vector<float>{100, 200, 300, 400}, stream);
    conv::Conv c{.direction = conv::Direction::dgrad,
                 .sizes = {.n = 1, .h = 2, .w = 2, .c = 1, .k = 1, .r = 2, .s = 2},
                 .math = conv::Math::f32};
    c.epilogue.residual = dx.data();
    conv::run(c, dy.data(), filter.data(), dx.data(), {}, stream);
    std::vector<float> found(4);
    dx.download(found, stream);
    CHECK(found == std::vector<float>{110, 212, 314, 416});
}

TEST_CASE("the heuristic: large tiles where they fill the device, parts of sums where nothing else does") {
    using conv::Direction, conv::Tile, conv::Variant;
    const auto layer = [](Direction direction, std::int64_t n, std::int64_t image, std::int64_t c, std::int64_t k) {
        return conv::Conv{.direction = direction,
                          .sizes = {.n = n, .h = image, .w = image, .c = c, .k = k, .r = 3, .s = 3, .padding = {1, 1}}};
    };
    CHECK(conv::choose_plan(layer(Direction::fprop, 256, 28, 128, 128)).tile == Tile::large);
    CHECK(conv::choose_plan(layer(Direction::fprop, 256, 56, 64, 64)).tile == Tile::oblong);
    const conv::Conv late = layer(Direction::fprop, 1, 7, 512, 512);
    CHECK(conv::choose_plan(late).splits == 16);
    CHECK(conv::workspace_bytes(late) == 256 + 8 * 16 * 64 * 64 * sizeof(float));
    const conv::Conv early = layer(Direction::wgrad, 256, 56, 64, 64);
    CHECK(conv::choose_plan(early).tile == Tile::oblong);
    CHECK(conv::choose_plan(early).splits == 52);
    conv::Conv depthwise = layer(Direction::fprop, 1, 14, 64, 64);
    depthwise.sizes.groups = 64;
    CHECK(conv::choose_plan(depthwise).variant == Variant::plain);
    depthwise.direction = Direction::wgrad;
    CHECK(conv::choose_plan(depthwise).variant == Variant::tuned);
}

TEST_CASE("descriptors that make no sense are refused before anything is launched") {
    dev::Stream stream;
    dev::Buffer<float> memory(1024);
    float* p = memory.data();
    const auto refuses = [&](const conv::Conv& c, const void* first, const void* second, void* result,
                             const char* why) {
        CHECK_THROWS_WITH_AS(conv::run(c, first, second, result, {}, stream), doctest::Contains(why), UsageError);
    };
    const conv::Conv good{.sizes = {.n = 1, .h = 4, .w = 4, .c = 4, .k = 4, .r = 3, .s = 3}, .math = conv::Math::f32};
    refuses(good, nullptr, p, p, "an operand is null");
    refuses(good, reinterpret_cast<const std::byte*>(p) + 2, p, p, "not aligned");
    const auto with = [&](auto change) {
        conv::Conv c = good;
        change(c);
        return c;
    };
    refuses(with([](conv::Conv& c) { c.sizes.h = -1; }), p, p, p, "must not be negative");
    refuses(with([](conv::Conv& c) { c.sizes.stride[1] = 0; }), p, p, p, "strides and dilations are at least 1");
    refuses(with([](conv::Conv& c) { c.sizes.groups = 3; }), p, p, p, "the groups do not divide the channels");
    refuses(with([](conv::Conv& c) { c.sizes.r = 5; }), p, p, p, "the filter reaches beyond the padded image");
    refuses(with([](conv::Conv& c) { c.sizes.n = 1 << 28; }), p, p, p, "split it");
    refuses(with([](conv::Conv& c) { c.output = conv::Output::bf16; }), p, p, p, "only y and dx of bf16 operands");
    refuses(with([&](conv::Conv& c) { c.direction = conv::Direction::wgrad, c.epilogue.bias = p; }), p, p, p,
            "takes no epilogue");
    refuses(with([](conv::Conv& c) { c.plan = {.splits = 2}; }), p, p, p, "the workspace has 0 bytes and must have");
    refuses(with([](conv::Conv& c) { c.plan = {.splits = 0}; }), p, p, p, "cannot be cut into 0 parts");
}
