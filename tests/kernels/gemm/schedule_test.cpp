// The same bits whatever the order of threads and blocks; in the checked build also silence on every schedule, for a
// report is an exception there.
#include <doctest/doctest.h>

#include "tests/kernels/gemm/cases.h"
#include "tests/kernels/schedule.h"

using namespace cambium;
using namespace cambium::test;

namespace {

constexpr int kSeeds = 20;

// Several blocks, several tiles along K, split-K, every copy width, every epilogue.
std::vector<GemmCase> scheduled_cases() {
    const auto make = [](gemm::Math math, int transposes, std::int64_t m, std::int64_t n, std::int64_t k, int gap,
                         gemm::Plan plan) {
        GemmCase c;
        gemm::Gemm& g = c.gemm;
        g.m = m, g.n = n, g.k = k;
        g.math = math;
        g.transpose_a = static_cast<gemm::Transpose>(transposes / 2);
        g.transpose_b = static_cast<gemm::Transpose>(transposes % 2);
        g.lda = (transposes / 2 == 1 ? m : k) + gap;
        g.ldb = (transposes % 2 == 1 ? k : n) + gap;
        g.plan = plan;
        g.epilogue.activation = gemm::Activation::gelu;
        c.bias = true;
        c.residual = plan.splits > 1;
        c.seed = static_cast<std::uint32_t>(m + k);
        return c;
    };
    using gemm::Math, gemm::Tile;
    GemmCase batch = make(Math::bf16, 0, 40, 72, 200, 0, {Tile::m64n64, 2});
    batch.gemm.batch = {.count = 2, .a = 200, .b = 0, .d = 200 * 72};
    return {batch,
            make(Math::bf16, 0, 40, 72, 200, 0, {Tile::m64n64, 1}),
            make(Math::bf16, 1, 20, 30, 280, 2, {Tile::m64n64, 3}),
            make(Math::bf16, 2, 65, 9, 129, 1, {Tile::m64n64, 2}),
            make(Math::bf16, 3, 24, 40, 64, 4, {Tile::m128n128, 1}),
            make(Math::tf32, 0, 33, 20, 100, 0, {Tile::m64n64, 2}),
            make(Math::tf32, 3, 31, 70, 68, 1, {Tile::m64n64, 1}),
            make(Math::f32, 1, 17, 66, 96, 0, {Tile::m64n64, 3}),
            make(Math::f32, 2, 12, 20, 70, 2, {Tile::m64n64, 1})};
}

}  // namespace

TEST_CASE("every schedule gives the same bits") {
    for (const GemmCase& c : scheduled_cases()) {
        const GemmData data = make_data(c, Fill::uniform);
        set_schedule(0);
        const std::vector<float> expected = run_on_device(c, data);
        for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
            set_schedule(seed);
            CHECK_MESSAGE(run_on_device(c, data) == expected, c.text() << ", schedule " << seed);
        }
        set_schedule(0);
    }
}

TEST_CASE("one worker and two give the same bits, split-K included") {
    for (GemmCase c : scheduled_cases()) {
        if (!is_checked_run()) c.gemm.m += 150, c.gemm.k += 300, c.gemm.lda += 300, c.gemm.ldb += 300;
        const GemmData data = make_data(c, Fill::uniform);
        set_workers(1);
        const std::vector<float> expected = run_on_device(c, data);
        set_workers(2);
        for (int repeat = 0; repeat < 3; ++repeat) CHECK_MESSAGE(run_on_device(c, data) == expected, c.text());
    }
}
