// The same bits whatever the order of threads and blocks; in the checked build also silence on every schedule, for a
// report is an exception there.
#include <doctest/doctest.h>

#include "tests/kernels/optimizer/cases.h"
#include "tests/kernels/schedule.h"

using namespace cambium;
using namespace cambium::test;

namespace {

constexpr std::uint64_t kSeeds = 20;

// Several parameters, one of several pieces, with everything optional.
std::vector<OptimizerCase> scheduled_cases() {
    std::vector<OptimizerCase> cases;
    for (const bool adam : {false, true}) {
        OptimizerCase c{.adam = adam, .sgd = {.momentum = 0.9}, .adam_rule = {}};
        c.parameters = {{.count = 5000, .weight_decay = 0.25f, .anchor = true, .copy = true, .average = true},
                        {.count = 3},
                        {.count = 700, .rate_factor = 0.5f, .copy = true, .in_place = false}};
        cases.push_back(c);
    }
    return cases;
}

}  // namespace

TEST_CASE("every schedule gives the same bits") {
    for (const OptimizerCase& c : scheduled_cases()) {
        const Data data = uniform_data(c);
        set_schedule(0);
        const Data expected = run_on_device(c, data, Launches::one_for_all);
        for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
            set_schedule(seed);
            CHECK_MESSAGE(run_on_device(c, data, Launches::one_for_all) == expected, c.text() << ", schedule " << seed);
        }
        set_schedule(0);
    }
}

TEST_CASE("one worker and two give the same bits") {
    for (const OptimizerCase& c : scheduled_cases()) {
        const Data data = uniform_data(c);
        set_workers(1);
        const Data expected = run_on_device(c, data, Launches::one_for_all);
        set_workers(2);
        for (int repeat = 0; repeat < 3; ++repeat) {
            CHECK_MESSAGE(run_on_device(c, data, Launches::one_for_all) == expected, c.text());
        }
    }
}
