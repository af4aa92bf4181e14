// What pooling costs in sectors, as committed: the windows of ResNet's stem, 3 x 3 every 2, and a global average.
#include <doctest/doctest.h>

#include "tests/kernels/counters.h"
#include "tests/kernels/pool/cases.h"

using namespace cambium;
using namespace cambium::test;

namespace {

PoolCase stem(DType dtype, pool::Variant variant) {
    PoolCase c;
    c.images = {.images = 1, .channels = 64, .input = {16, 16}, .output = {8, 8}, .dtype = dtype, .variant = variant};
    c.window = {.kernel = {3, 3}, .stride = {2, 2}, .padding = {1, 1}};
    return c;
}

void count(const PoolCase& c) {
    const PoolData data = make_data(c, Fill::uniform);
    const Counting counting;
    run_on_device(c, data);
}

}  // namespace

TEST_CASE("tuned: whole sectors") {
    for (const DType dtype : {DType::f32, DType::bf16}) {
        CAPTURE(name_of(dtype));
        const PoolCase c = stem(dtype, pool::Variant::tuned);
        count(c);
        CHECK(counted("max_pool", "global read").worst == 1.0);
        CHECK(counted("max_pool", "global write").worst == 1.0);
        // Sectors of a pixel's 64 channels, and of its indices. Forward: the 9 pixels of each window inside the image,
        // 8 x 3 - 1 along either axis. Backward: dy and index of the windows that cover a pixel, fewer than 23 x 23 of
        // them, as neighbours in a warp share some.
        const std::uint64_t pixel = 64 * size_of(dtype) / 32, indices = 2;
        const std::uint64_t backward = dtype == DType::f32 ? 3876 : 2332;
        CHECK(counted("max_pool", "global read").cost == 23 * 23 * pixel + backward);
        CHECK(backward < 23 * 23 * (pixel + indices));
        CHECK(counted("max_pool", "global write").cost == (8 * 8 + 16 * 16) * pixel + 8 * 8 * indices);
    }
    PoolCase c;
    c.images = {.images = 2, .channels = 64, .input = {7, 7}, .output = {1, 1}};
    c.pooling = Pooling::adaptive;
    count(c);
    CHECK(counted("average_pool", "global read").worst == 1.0);
    CHECK(counted("average_pool", "global write").worst == 1.0);
}

TEST_CASE("plain, for comparison: in more than three times the instructions") {
    count(stem(DType::f32, pool::Variant::tuned));
    const CounterSum tuned = counted("max_pool", "global read");
    count(stem(DType::f32, pool::Variant::plain));
    const CounterSum plain = counted("max_pool", "global read");
    CHECK(plain.instructions > 3 * tuned.instructions);
}
