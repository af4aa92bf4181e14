// The same bytes whatever the order of threads and blocks; in the checked build also silence on every schedule, for a
// report is an exception there.
#include <doctest/doctest.h>

#include "tests/kernels/layout/cases.h"
#include "tests/kernels/schedule.h"

using namespace cambium;
using namespace cambium::test;

namespace {

constexpr std::uint64_t kSeeds = 20;

// Tiles of every kind, several of them and ragged ones; and the other routes.
std::vector<LayoutCase> scheduled_cases() {
    std::vector<LayoutCase> cases{
        transposition(2, {40, 70}, {1, 0}, 1),           transposition(2, {70, 66}, {1, 0}, 2),
        transposition(2, {33, 41}, {1, 0}, 2),           transposition(3, {2, 34, 40}, {2, 0, 1}, 4),
        slice(2, {60, 41}, {1, 2}, {20, 39}, {3, 1}, 4), broadcast(3, {7, 9, 30}, 5, 2)};
    cases.push_back(
        {.copy = {},
         .pad =
             layout::Pad{
                 .rank = 2, .extent = {9, 31}, .before = {1, 2}, .after = {0, 3}, .step = {2, 3}, .element_bytes = 4},
         .what = "pad"});
    return cases;
}

}  // namespace

TEST_CASE("every schedule gives the same bytes") {
    for (const LayoutCase& c : scheduled_cases()) {
        set_schedule(0);
        const std::vector<std::uint8_t> expected = run_on_device(c);
        CHECK(expected == exact_result(c));
        for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
            set_schedule(seed);
            CHECK_MESSAGE(run_on_device(c) == expected, c.text() << ", schedule " << seed);
        }
        set_schedule(0);
    }
}

TEST_CASE("one worker and two give the same bytes") {
    for (const LayoutCase& c : scheduled_cases()) {
        set_workers(1);
        const std::vector<std::uint8_t> expected = run_on_device(c);
        set_workers(2);
        for (int repeat = 0; repeat < 3; ++repeat) CHECK_MESSAGE(run_on_device(c) == expected, c.text());
    }
}
