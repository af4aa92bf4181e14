// Pooling against loops in double precision: random data within the error rule, integers exactly, positions of maxima
// exactly, equal and undefined values included, and what must be refused.
#include <doctest/doctest.h>

#include <cmath>

#include "engine/base/error.h"
#include "tests/kernels/pool/cases.h"
#include "tests/kernels/rule.h"
#include "tests/kernels/schedule.h"

using namespace cambium;
using namespace cambium::test;

namespace {

constexpr pool::Variant kVariants[] = {pool::Variant::plain, pool::Variant::tuned};

void check_uniform(PoolCase c) {
    const PoolData data = make_data(c, Fill::uniform);
    const PoolResult<double> exact = exact_pool(c, data);
    const PoolResult<float> plain = low_precision_pool(c, data);
    for (const pool::Variant variant : kVariants) {
        c.images.variant = variant;
        CAPTURE(c.text());
        const PoolResult<float> found = run_on_device(c, data);
        CHECK(breach(found.y, plain.y, exact.y, 1) == "");
        CHECK(breach(found.dx, plain.dx, exact.dx, 16) == "");  // at most 16 windows over a position
        CHECK(found.index == exact.index);
    }
}

void check_integers(PoolCase c) {
    const PoolData data = make_data(c, Fill::integers);
    const PoolResult<double> exact = exact_pool(c, data);
    for (const pool::Variant variant : kVariants) {
        c.images.variant = variant;
        CAPTURE(c.text());
        const PoolResult<float> found = run_on_device(c, data);
        const bool low = c.images.dtype == DType::bf16;
        const auto rounded = [&](std::vector<double> values) {
            for (double& x : values) x = low ? static_cast<float>(bf16(static_cast<float>(x))) : x;
            return values;
        };
        CHECK(unequal(found.y, rounded(exact.y)) == 0);
        CHECK(unequal(found.dx, rounded(exact.dx)) == 0);
        CHECK(found.index == exact.index);
    }
}

int case_count() { return is_checked_run() ? 24 : 160; }

}  // namespace

TEST_CASE("random images are pooled, and gradients spread, within the error rule") {
    for (int i = 0; i < case_count(); ++i) check_uniform(random_case(i));
}

TEST_CASE("integers are pooled exactly where divisors are powers of two") {
    for (int i = 0; i < case_count(); ++i) check_integers(random_dyadic_case(i));
}

TEST_CASE("a value that is not a number is the largest of its window, and the first of several") {
    for (const pool::Variant variant : kVariants) {
        PoolCase c;
        c.images = {.images = 1, .channels = 4, .input = {2, 4}, .output = {1, 2}, .variant = variant};
        c.window = {.kernel = {2, 2}, .stride = {2, 2}};
        PoolData data = make_data(c, Fill::integers);
        const float nan = std::nanf("");
        data.x[4] = data.x[4 * 5] = nan;  // window 0 of channel 0: positions 1 and 3
        data.x[4 * 3 + 1] = INFINITY;     // window 1 of channel 1: position 1
        data.x[4 * 2 + 2] = -INFINITY;    // window 1 of channel 2: not the largest
        const PoolResult<float> found = run_on_device(c, data);
        const PoolResult<double> exact = exact_pool(c, data);
        CHECK(found.index == exact.index);
        CHECK(std::isnan(found.y[0]));
        CHECK(found.index[0] == 1);
        CHECK(found.y[4 + 1] == INFINITY);
        CHECK(found.index[4 + 2] != 0);
    }
}

TEST_CASE("a window of nothing but minus infinity has its first position") {
    for (const pool::Variant variant : kVariants) {
        PoolCase c;
        c.images = {.images = 1, .channels = 1, .input = {3, 3}, .output = {2, 2}, .variant = variant};
        c.window = {.kernel = {3, 3}, .stride = {2, 2}, .padding = {1, 1}};
        PoolData data = make_data(c, Fill::integers);
        for (float& x : data.x) x = -INFINITY;
        const PoolResult<float> found = run_on_device(c, data);
        CHECK(found.y == std::vector<float>(4, -INFINITY));
        CHECK(found.index == std::vector<std::uint8_t>{4, 3, 1, 0});  // the first inside the image
    }
}

TEST_CASE("either output of a maximum may be left out") {
    PoolCase c;
    c.images = {.images = 2, .channels = 8, .input = {4, 4}, .output = {2, 2}};
    c.window = {.kernel = {2, 2}, .stride = {2, 2}};
    const PoolData data = make_data(c, Fill::uniform);
    const PoolResult<float> expected = run_on_device(c, data);
    dev::Stream stream;
    const dev::Buffer<float> x(data.x, stream);
    dev::Buffer<float> y(expected.y.size());
    dev::Buffer<std::uint8_t> index(expected.index.size());
    pool::max_pool(c.images, c.window, x.data(), y.data(), nullptr, stream);
    pool::max_pool(c.images, c.window, x.data(), nullptr, index.data(), stream);
    std::vector<float> found(y.size());
    std::vector<std::uint8_t> positions(index.size());
    y.download(found, stream);
    index.download(positions, stream);
    CHECK(found == expected.y);
    CHECK(positions == expected.index);
}

TEST_CASE("descriptors that make no sense are refused before anything is launched") {
    dev::Stream stream;
    dev::Buffer<float> memory(256);
    float* p = memory.data();
    const auto refuses = [&](const pool::Images& images, const pool::Window& window, float* y, const char* why) {
        CHECK_THROWS_WITH_AS(pool::average_pool(images, window, pool::Divisor::inside, p, y, stream),
                             doctest::Contains(why), UsageError);
    };
    const pool::Images good{.images = 1, .channels = 4, .input = {4, 4}, .output = {2, 2}};
    const pool::Window window{.kernel = {2, 2}, .stride = {2, 2}};
    pool::Images images = good;
    images.dtype = DType::i32;
    refuses(images, window, p, "activations are f32 or bf16, not i32");
    images = good;
    images.channels = -4;
    refuses(images, window, p, "sizes must not be negative");
    images = good;
    images.input[1] = 40000;
    refuses(images, window, p, "heights and widths are from 1 to 32767");
    pool::Window w = window;
    w.stride[0] = 0;
    refuses(good, w, p, "kernel and stride must be at least 1");
    w = window;
    w.stride = {5, 5};
    refuses(good, w, p, "a window lies wholly outside the image");
    refuses(good, window, nullptr, "an operand is null");
    refuses(good, window, p + 1, "not aligned to 16 bytes");
    w = {.kernel = {16, 16}, .stride = {1, 1}, .padding = {8, 8}};
    images = {.images = 1, .channels = 4, .input = {4, 4}, .output = {5, 5}};
    CHECK_THROWS_WITH_AS(pool::max_pool(images, w, p, p, nullptr, stream),
                         doctest::Contains("a window has at most 255 positions"), UsageError);
    images = good;
    images.images = 0;
    pool::average_pool(images, window, pool::Divisor::inside, nullptr, nullptr, stream);  // nothing to do
}
