// The same bits whatever the order of threads and blocks; in the checked build also silence on every schedule, for a
// report is an exception there.
#include <doctest/doctest.h>

#include "tests/kernels/attention/cases.h"
#include "tests/kernels/schedule.h"

using namespace cambium;
using namespace cambium::test;

namespace {

constexpr int kSeeds = 20;

bool same(const AttentionResult<float>& a, const AttentionResult<float>& b) {
    return a.y == b.y && a.lse == b.lse && a.dqkv == b.dqkv;
}

}  // namespace

TEST_CASE("every schedule, and one worker and two, give the same bits") {
    for (const gemm::Math math : {gemm::Math::bf16, gemm::Math::f32}) {
        AttentionCase c;  // two tiles of queries, several of keys; in one kernel, one block of several warps
        c.attention = {.batch = 1, .tokens = 70, .heads = 1, .size = 24, .mask = attention::Mask::causal, .math = math};
        const AttentionData data = make_data(c);
        for (const attention::Variant variant : {attention::Variant::tuned, attention::Variant::split}) {
            c.attention.variant = variant;
            set_schedule(0);
            set_workers(1);
            const AttentionResult<float> expected = run_on_device(c, data);
            for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
                set_schedule(seed);
                CHECK_MESSAGE(same(run_on_device(c, data), expected), c.text() << ", schedule " << seed);
            }
            set_schedule(0);
            set_workers(2);
            for (int repeat = 0; repeat < 3; ++repeat) CHECK_MESSAGE(same(run_on_device(c, data), expected), c.text());
        }
    }
}
