// What the sums cost in wavefronts and sectors, as committed: every element's sector once, no bank conflict.
#include <doctest/doctest.h>

#include "tests/kernels/counters.h"
#include "tests/kernels/reduce/cases.h"

using namespace cambium;
using namespace cambium::test;

namespace {

template <class Case>
void count(const Case& c) {
    const SumData data = make_data(c, Fill::uniform);
    const Counting counting;
    run_on_device(c, data);
}

void check_conflicts() {
    CHECK(counted("", "shared read").worst == 1.0);
    CHECK(counted("", "shared write").worst == 1.0);
}

SumCase sum_case(std::int64_t outer, std::int64_t reduced, std::int64_t inner, DType dtype) {
    SumCase c;
    c.sum = {outer, reduced, inner, dtype};
    return c;
}

}  // namespace

TEST_CASE("columns") {
    count(sum_case(1, 128, 64, DType::bf16));
    check_conflicts();
    CHECK(counted("sum_columns", "global read").worst == 1.0);
    CHECK(counted("sum_columns", "global read").cost == 128 * 64 * 2 / 32);
    DotCase c;
    c.dot = {.rows = 128, .channels = 64};
    count(c);
    check_conflicts();
    CHECK(counted("dot_columns", "global read").worst == 1.0);
    CHECK(counted("dot_columns", "global read").cost == 2 * 128 * 64 * 4 / 32);
}

TEST_CASE("rows") {
    for (const std::int64_t length : {1024, 4096}) {  // a warp's and a block's
        count(sum_case(8, length, 1, DType::f32));
        check_conflicts();
        CHECK(counted("sum_rows", "global read").worst == 1.0);
        CHECK(counted("sum_rows", "global read").cost == static_cast<std::uint64_t>(8 * length * 4 / 32));
        CHECK(counted("sum_rows", "global read").instructions == static_cast<std::uint64_t>(8 * length / 128));
    }
}

TEST_CASE("the norm of tensors") {
    NormCase c;
    c.elements = {8192, 4096};
    count(c);
    check_conflicts();
    CHECK(counted("chunk_squares", "global read").worst == 1.0);
}

TEST_CASE("plain, for comparison: neighbours' rows lie apart, so each element costs a sector of eight") {
    SumCase c = sum_case(64, 128, 1, DType::f32);
    c.sum.variant = reduce::Variant::plain;
    count(c);
    CHECK(counted("sum_plain", "global read").worst == 8.0);
}
