// The same bits whatever the order of threads and blocks; in the checked build also silence on every schedule, for a
// report is an exception there.
#include <doctest/doctest.h>

#include "tests/kernels/pool/cases.h"
#include "tests/kernels/schedule.h"

using namespace cambium;
using namespace cambium::test;

namespace {

constexpr int kSeeds = 20, kCases = 8;  // each kind of pooling in both types

bool same(const PoolResult<float>& a, const PoolResult<float>& b) {
    return a.y == b.y && a.dx == b.dx && a.index == b.index;
}

}  // namespace

TEST_CASE("every schedule gives the same bits") {
    for (int i = 0; i < kCases; ++i) {
        const PoolCase c = random_case(2000 + i);
        const PoolData data = make_data(c, Fill::uniform);
        set_schedule(0);
        const PoolResult<float> expected = run_on_device(c, data);
        for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
            set_schedule(seed);
            CHECK_MESSAGE(same(run_on_device(c, data), expected), c.text() << ", schedule " << seed);
        }
        set_schedule(0);
    }
}

TEST_CASE("one worker and two give the same bits") {
    for (int i = 0; i < kCases; ++i) {
        const PoolCase c = random_case(3000 + i);
        const PoolData data = make_data(c, Fill::uniform);
        set_workers(1);
        const PoolResult<float> expected = run_on_device(c, data);
        set_workers(2);
        for (int repeat = 0; repeat < 3; ++repeat) CHECK_MESSAGE(same(run_on_device(c, data), expected), c.text());
    }
}
