// What the losses cost in wavefronts and sectors, as committed: rows of whole sectors are read and written so, three
// times at most, and nothing in shared memory conflicts.
#include <doctest/doctest.h>

#include "tests/kernels/counters.h"
#include "tests/kernels/loss/cases.h"

using namespace cambium;
using namespace cambium::test;

namespace {

void count(std::int64_t rows, std::int64_t classes, loss::Variant variant) {
    LossCase c;
    c.matrix = {.rows = rows, .classes = classes, .variant = variant};
    const LossData data = make_data(c);
    const Counting counting;
    run_on_device(c, data);
}

}  // namespace

TEST_CASE("tuned") {
    for (const std::int64_t classes : {128, 1024}) {  // a warp per row, a block per row
        CAPTURE(classes);
        count(8, classes, loss::Variant::tuned);
        const std::uint64_t matrix = static_cast<std::uint64_t>(8 * classes) * 4 / 32;
        CHECK(counted("", "shared read").worst == 1.0);
        CHECK(counted("", "shared write").worst == 1.0);
        CHECK(counted("softmax_rows", "global read").worst == 1.0);
        CHECK(counted("softmax_rows", "global write").worst == 1.0);
        CHECK(counted("softmax_rows", "global write").cost == matrix);
        CHECK(counted("softmax_gradient_rows", "global read").worst == 1.0);
        CHECK(counted("softmax_gradient_rows", "global write").cost == matrix);
        CHECK(counted("cross_entropy_gradient_rows", "global write").cost == matrix);
    }
}

TEST_CASE("plain, for comparison: rows lie apart, so each class costs a sector of eight") {
    count(64, 128, loss::Variant::plain);
    CHECK(counted("softmax_plain", "global write").worst == 8.0);
}
