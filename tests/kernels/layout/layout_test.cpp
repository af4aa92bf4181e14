// Layout kernels against plain loops, byte by byte; which route each takes; and what must be refused.
#include <doctest/doctest.h>

#include "engine/base/error.h"
#include "kernels/divisor.h"
#include "tests/kernels/layout/cases.h"
#include "tests/kernels/schedule.h"

using namespace cambium;
using namespace cambium::test;

namespace {

void check(LayoutCase c) {
    const std::vector<std::uint8_t> expected = exact_result(c);
    for (const layout::Variant variant : {layout::Variant::plain, layout::Variant::tuned}) {
        c.set_variant(variant);
        CHECK_MESSAGE(run_on_device(c) == expected, c.text());
    }
}

layout::Plan plan_of(const LayoutCase& c) {
    alignas(16) static std::byte aligned[16];
    return layout::choose_plan(c.copy, aligned, aligned);
}

}  // namespace

TEST_CASE("random copies and paddings move every byte to its place") {
    const int cases = is_checked_run() ? 150 : 1000;
    for (int i = 0; i < cases; ++i) check(random_case(i, is_checked_run() ? 1500 : 10000));
}

TEST_CASE("transpositions of every element size, with whole, ragged and several tiles") {
    for (const int bytes : {1, 2, 4, 8}) {
        check(transposition(2, {64, 64}, {1, 0}, bytes));
        check(transposition(2, {70, 130}, {1, 0}, bytes));
        check(transposition(2, {33, 65}, {1, 0}, bytes));
        check(transposition(3, {2, 40, 18}, {0, 2, 1}, bytes));
        check(transposition(4, {2, 3, 20, 66}, {3, 1, 0, 2}, bytes));
        check(transposition(5, {2, 17, 3, 2, 16}, {0, 4, 2, 3, 1}, bytes));
    }
}

TEST_CASE("a block of a transposition with more tiles than blocks takes one tile after the other") {
    check(transposition(3, {1100, 16, 20}, {0, 2, 1}, 4));
}

TEST_CASE("the route follows from sizes and strides") {
    using layout::Route;
    CHECK(plan_of(transposition(2, {64, 64}, {1, 0}, 4)).route == Route::tiles);
    CHECK(plan_of(transposition(2, {64, 64}, {1, 0}, 2)).access_bytes == 4);
    CHECK(plan_of(transposition(2, {64, 63}, {1, 0}, 2)).access_bytes == 2);
    CHECK(plan_of(transposition(2, {64, 3}, {1, 0}, 4)).route == Route::elements);  // too narrow for tiles
    // The last axis stays: runs of it move as vectors.
    CHECK(plan_of(transposition(3, {8, 5, 24}, {1, 0, 2}, 2)).access_bytes == 16);
    CHECK(plan_of(transposition(3, {8, 5, 6}, {1, 0, 2}, 2)).access_bytes == 4);
    CHECK(plan_of(transposition(3, {8, 5, 7}, {1, 0, 2}, 2)).route == Route::elements);
    // Nothing moves: one long run.
    CHECK(plan_of(transposition(3, {8, 5, 6}, {0, 1, 2}, 4)).access_bytes == 16);
    CHECK(plan_of(part_of_concat(4, {2, 3, 3, 64}, 3, 16, 48, 2)).access_bytes == 16);
    CHECK(plan_of(part_of_concat(4, {2, 3, 3, 64}, 3, 2, 62, 2)).access_bytes == 4);
    CHECK(plan_of(broadcast(3, {4, 5, 64}, 3, 4)).access_bytes == 16);
    CHECK(plan_of(broadcast(3, {4, 5, 64}, 4, 4)).route == Route::elements);
}

TEST_CASE("a divisor divides exactly") {
    for (const std::uint32_t d : {1u, 2u, 3u, 7u, 12u, 641u, 65535u, 65537u, 0x40000001u, 0x7fffffffu}) {
        const Divisor divisor(d);
        for (const std::uint32_t n : {0u, 1u, d - 1, d, d + 1, 2 * d - 1, 12345678u, 0x7ffffffeu, 0x7fffffffu}) {
            if (n > 0x7fffffffu) continue;
            CHECK(divisor.quotient(n) == n / d);
        }
    }
}

TEST_CASE("what makes no sense is refused before anything is launched") {
    dev::Stream stream;
    dev::Buffer<float> memory(64);
    float* p = memory.data();
    const layout::Copy good = transposition(2, {4, 4}, {1, 0}, 4).copy;
    const auto refuses = [&](const layout::Copy& c, const void* x, const char* why) {
        CHECK_THROWS_WITH_AS(layout::run(c, x, p, stream), doctest::Contains(why), UsageError);
    };
    layout::Copy c = good;
    c.extent[1] = -1;
    refuses(c, p, "must not be negative");
    c = good;
    c.element_bytes = 3;
    refuses(c, p, "elements have 3 bytes");
    c = good;
    c.rank = 6;
    refuses(c, p, "6 axes");
    refuses(good, nullptr, "is null");
    refuses(good, reinterpret_cast<std::byte*>(p) + 2, "not aligned");
    layout::Pad pad{.rank = 1, .extent = {4}, .before = {0}, .after = {0}, .step = {0}};
    CHECK_THROWS_WITH_AS(layout::run(pad, p, p, stream), doctest::Contains("steps at least 1"), UsageError);
}
