// The counters of the one launch for all parameters, as committed: 16 bytes an access touch no sector too many. The
// plain variant, the same loop without vector accesses, pays what the sector rule predicts.
#include <doctest/doctest.h>

#include "tests/kernels/counters.h"
#include "tests/kernels/optimizer/cases.h"

using namespace cambium;
using namespace cambium::test;

namespace {

OptimizerCase adamw(optimizer::Variant variant) {
    OptimizerCase c{.adam = true, .sgd = {}, .adam_rule = {.decay = optimizer::Adam::Decay::decoupled}};
    c.parameters = {{.count = 8192, .copy = true}, {.count = 2048, .copy = true}};
    c.variant = variant;
    return c;
}

// The worst place among those that move whole tensors; the scalars and the table are read by all threads at once.
double worst(const char* operation) {
    double factor = 1;
    for (const simt::Counter& c : simt::counters()) {
        if (c.operation == operation && c.place.file.ends_with("loop.cuh")) factor = std::max(factor, c.factor());
    }
    return factor;
}

}  // namespace

TEST_CASE("AdamW: whole sectors, 16 bytes an access") {
    const OptimizerCase c = adamw(optimizer::Variant::tuned);
    const Data data = uniform_data(c);
    const Counting counting;
    run_on_device(c, data, Launches::one_for_all);
    CHECK(worst("global read") == 1.0);
    CHECK(worst("global write") == 1.0);
    // w, m, v and, half as large, the copy.
    CHECK(counted("update_many", "global write").cost == 10240 * (3 * 4 + 2) / 32);
}

TEST_CASE("without vector accesses a warp's elements lie four apart") {
    const OptimizerCase c = adamw(optimizer::Variant::plain);
    const Data data = uniform_data(c);
    const Counting counting;
    run_on_device(c, data, Launches::one_for_all);
    CHECK(worst("global read") == 4.0);
    CHECK(worst("global write") == 4.0);
}
