// The same bits whatever the order of threads and blocks; in the checked build also silence on every schedule, for a
// report is an exception there.
#include <doctest/doctest.h>

#include "tests/kernels/loss/cases.h"
#include "tests/kernels/schedule.h"

using namespace cambium;
using namespace cambium::test;

namespace {

constexpr int kSeeds = 20;

bool same(const LossResult<float>& a, const LossResult<float>& b) {
    return a.softmax == b.softmax && a.softmax_gradient == b.softmax_gradient && a.sum == b.sum &&
           a.denominator == b.denominator && a.dlogits == b.dlogits && a.count == b.count;
}

}  // namespace

TEST_CASE("every schedule, and one worker and two, give the same bits") {
    for (const std::int64_t classes : {10, 300}) {  // a warp per row, a block per row; several blocks
        LossCase c;
        c.matrix = {.rows = classes == 10 ? 20 : 3, .classes = classes};
        c.weights = c.in_place = true;
        c.label_smoothing = 0.1f;
        const LossData data = make_data(c);
        set_schedule(0);
        set_workers(1);
        const LossResult<float> expected = run_on_device(c, data);
        for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
            set_schedule(seed);
            CHECK_MESSAGE(same(run_on_device(c, data), expected), c.text() << ", schedule " << seed);
        }
        set_schedule(0);
        set_workers(2);
        for (int repeat = 0; repeat < 3; ++repeat) CHECK_MESSAGE(same(run_on_device(c, data), expected), c.text());
    }
}
