// The same bits whatever the order of threads and blocks; in the checked build also silence on every schedule, for a
// report is an exception there.
#include <doctest/doctest.h>

#include "tests/kernels/reduce/cases.h"
#include "tests/kernels/schedule.h"

using namespace cambium;
using namespace cambium::test;

namespace {

constexpr int kSeeds = 20;

template <class Case>
void check_schedules(const Case& c) {
    const SumData data = make_data(c, Fill::uniform);
    set_schedule(0);
    const std::vector<float> expected = run_on_device(c, data);
    for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
        set_schedule(seed);
        CHECK_MESSAGE(run_on_device(c, data) == expected, c.text() << ", schedule " << seed);
    }
    set_schedule(0);
    set_workers(1);
    CHECK(run_on_device(c, data) == expected);
    set_workers(2);
    for (int repeat = 0; repeat < 3; ++repeat) CHECK_MESSAGE(run_on_device(c, data) == expected, c.text());
}

SumCase sum_case(std::int64_t outer, std::int64_t reduced, std::int64_t inner, DType dtype) {
    SumCase c;
    c.sum = {outer, reduced, inner, dtype};
    return c;
}

}  // namespace

TEST_CASE("sums over columns, several parts and several at once") {
    check_schedules(sum_case(2, 150, 128, DType::f32));
    check_schedules(sum_case(1, 300, 33, DType::bf16));
}
TEST_CASE("sums over rows, a warp each, a block each, and in parts") {
    check_schedules(sum_case(9, 40, 1, DType::f32));
    check_schedules(sum_case(2, 1500, 1, DType::bf16));
    check_schedules(sum_case(1, 9001, 1, DType::f32));
}
TEST_CASE("dot products") {
    DotCase c;
    c.dot = {150, 128};
    check_schedules(c);
}
TEST_CASE("norms") {
    NormCase c;
    c.elements = {3, 9000, 70};
    check_schedules(c);
}
