// The same bits whatever the order of threads and blocks; in the checked build also silence on every schedule, for a
// report is an exception there.
#include <doctest/doctest.h>

#include "tests/kernels/norm/cases.h"
#include "tests/kernels/schedule.h"

using namespace cambium;
using namespace cambium::test;

namespace {

constexpr int kSeeds = 20;

bool same(const NormResult<float>& a, const NormResult<float>& b) {
    return a.y == b.y && a.mean == b.mean && a.variance == b.variance && a.dx == b.dx && a.dgamma == b.dgamma &&
           a.dbeta == b.dbeta && a.ds == b.ds;
}

// Several parts, so that a last arriver combines them; several strips; the wide and the narrow path.
std::vector<NormCase> scheduled_cases() {
    const auto make = [](DType dtype, std::int64_t rows, std::int64_t channels) {
        NormCase c;
        c.norm = {.rows = rows, .channels = channels, .dtype = dtype, .activation = norm::Activation::relu};
        c.residual = true;
        c.in_place = rows % 2 == 0;
        c.seed = static_cast<std::uint32_t>(rows + channels);
        return c;
    };
    NormCase plain = make(DType::bf16, 150, 6);
    plain.norm.variant = norm::Variant::plain;
    return {make(DType::f32, 140, 136), make(DType::bf16, 141, 256), make(DType::f32, 200, 33), plain};
}

}  // namespace

TEST_CASE("every schedule gives the same bits") {
    for (const NormCase& c : scheduled_cases()) {
        const NormData data = uniform_data(c);
        set_schedule(0);
        const NormResult<float> expected = run_on_device(c, data);
        for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
            set_schedule(seed);
            CHECK_MESSAGE(same(run_on_device(c, data), expected), c.text() << ", schedule " << seed);
        }
        set_schedule(0);
    }
}

TEST_CASE("one worker and two give the same bits") {
    for (NormCase c : scheduled_cases()) {
        if (!is_checked_run()) c.norm.rows += 2000;
        const NormData data = uniform_data(c);
        set_workers(1);
        const NormResult<float> expected = run_on_device(c, data);
        set_workers(2);
        for (int repeat = 0; repeat < 3; ++repeat) CHECK_MESSAGE(same(run_on_device(c, data), expected), c.text());
    }
}
