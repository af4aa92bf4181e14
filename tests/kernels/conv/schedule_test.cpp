// The same bits whatever the order of threads and blocks; in the checked build also silence on every schedule, for a
// report is an exception there.
#include <doctest/doctest.h>

#include "tests/kernels/conv/cases.h"
#include "tests/kernels/schedule.h"

using namespace cambium;
using namespace cambium::test;

namespace {

constexpr int kSeeds = 20;

// Several blocks, several tiles along the sum, parts of it, products by parity, groups, every copy width.
std::vector<ConvCase> scheduled_cases() {
    using conv::Direction, conv::Math, conv::Tile;
    const auto make = [](Direction direction, Math math, conv::Sizes sizes, int splits) {
        ConvCase c;
        c.conv = {.direction = direction, .sizes = sizes, .math = math, .plan = conv::Plan{.splits = splits}};
        c.bias = direction == Direction::fprop;
        c.seed = static_cast<std::uint32_t>(sizes.c + sizes.k);
        return c;
    };
    const conv::Sizes body{.n = 1, .h = 6, .w = 12, .c = 16, .k = 16, .r = 3, .s = 3, .padding = {1, 1}};
    const conv::Sizes strided{
        .n = 2, .h = 6, .w = 5, .c = 6, .k = 10, .r = 3, .s = 3, .stride = {2, 2}, .padding = {1, 1}};
    const conv::Sizes stem{
        .n = 1, .h = 11, .w = 12, .c = 3, .k = 9, .r = 5, .s = 5, .stride = {2, 2}, .padding = {2, 2}};
    const conv::Sizes groups{.n = 1, .h = 5, .w = 6, .c = 10, .k = 6, .r = 2, .s = 3, .groups = 2};
    return {make(Direction::fprop, Math::bf16, body, 2),    make(Direction::fprop, Math::tf32, strided, 1),
            make(Direction::fprop, Math::f32, stem, 2),     make(Direction::dgrad, Math::bf16, strided, 2),
            make(Direction::dgrad, Math::f32, groups, 1),   make(Direction::wgrad, Math::bf16, stem, 2),
            make(Direction::wgrad, Math::tf32, strided, 1), make(Direction::wgrad, Math::f32, groups, 2),
            make(Direction::fprop, Math::bf16, groups, 2)};
}

}  // namespace

TEST_CASE("every schedule gives the same bits") {
    for (const ConvCase& c : scheduled_cases()) {
        const ConvData data = make_data(c, Fill::uniform);
        set_schedule(0);
        const std::vector<float> expected = run_on_device(c, data);
        for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
            set_schedule(seed);
            CHECK_MESSAGE(run_on_device(c, data) == expected, c.text() << ", schedule " << seed);
        }
        set_schedule(0);
    }
}

TEST_CASE("one worker and two give the same bits, split sums included") {
    for (ConvCase c : scheduled_cases()) {
        if (!is_checked_run()) c.conv.sizes.n += 3, c.conv.sizes.h += 9;
        const ConvData data = make_data(c, Fill::uniform);
        set_workers(1);
        const std::vector<float> expected = run_on_device(c, data);
        set_workers(2);
        for (int repeat = 0; repeat < 3; ++repeat) CHECK_MESSAGE(run_on_device(c, data) == expected, c.text());
    }
}
