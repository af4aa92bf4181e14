// The same bits whatever the order of threads and blocks; in the checked build also silence on every schedule, for a
// report is an exception there.
#include <doctest/doctest.h>

#include "tests/kernels/elementwise/cases.h"
#include "tests/kernels/schedule.h"

using namespace cambium;
using namespace cambium::test;

namespace {

constexpr std::uint64_t kSeeds = 20;

// Every operator, several blocks, a last chunk that is not whole, in place where it may be.
std::vector<ElementwiseCase> scheduled_cases() {
    std::vector<ElementwiseCase> cases;
    for (int op = 0; op < kOperators; ++op) {
        cases.push_back({.op = static_cast<Operator>(op),
                         .rows = 701,
                         .channels = 3,
                         .dtype = op % 2 == 0 || static_cast<Operator>(op) == Operator::lerp ? DType::f32 : DType::bf16,
                         .in_place = true,
                         .seed = static_cast<std::uint32_t>(op)});
    }
    return cases;
}

}  // namespace

TEST_CASE("every schedule gives the same bits") {
    for (const ElementwiseCase& c : scheduled_cases()) {
        const ElementwiseData data = uniform_data(c);
        set_schedule(0);
        const std::vector<float> expected = run_on_device(c, data);
        for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
            set_schedule(seed);
            CHECK_MESSAGE(run_on_device(c, data) == expected, c.text() << ", schedule " << seed);
        }
        set_schedule(0);
    }
}

TEST_CASE("one worker and two give the same bits") {
    for (const ElementwiseCase& c : scheduled_cases()) {
        const ElementwiseData data = uniform_data(c);
        set_workers(1);
        const std::vector<float> expected = run_on_device(c, data);
        set_workers(2);
        for (int repeat = 0; repeat < 3; ++repeat) CHECK_MESSAGE(run_on_device(c, data) == expected, c.text());
    }
}
