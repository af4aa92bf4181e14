// What attention costs in wavefronts and sectors, as committed: in bf16 and exact f32 no access to shared memory
// conflicts; in tf32 some take two wavefronts. Without the swizzle they take what the bank rule predicts.
#include <doctest/doctest.h>

#include "tests/kernels/attention/cases.h"
#include "tests/kernels/attention/counters_kernels.h"
#include "tests/kernels/counters.h"

using namespace cambium;
using namespace cambium::test;
using gemm::Math;

namespace {

void count(Math math, std::int64_t size) {
    AttentionCase c;
    c.attention = {.batch = 1, .tokens = 128, .heads = 2, .size = size, .math = math};
    const AttentionData data = make_data(c);
    const Counting counting;
    run_on_device(c, data);
}

constexpr const char* kKernels[] = {"attention_tiles", "attention_key_gradient", "attention_query_gradient"};

}  // namespace

TEST_CASE("tuned: shared memory") {
    for (const std::int64_t size : {64, 128}) {
        for (const Math math : {Math::bf16, Math::f32}) {
            CAPTURE(size);
            CAPTURE(static_cast<int>(math));
            count(math, size);
            CHECK(counted("", "shared read").instructions > 0);
            CHECK(counted("", "shared read").worst == 1.0);
            CHECK(counted("", "shared write").worst == 1.0);
            CHECK(counted("", "ldmatrix").worst == 1.0);
        }
        // tf32 reads rows as columns in single elements (four rows, two chunks each) and writes weights in pairs.
        count(Math::tf32, size);
        CHECK(counted("", "shared read").worst == 2.0);
        CHECK(counted("", "shared write").worst == 2.0);
    }
}

TEST_CASE("tuned: device memory is read and written in whole sectors, and as often as the tiles say") {
    for (const Math math : {Math::bf16, Math::tf32, Math::f32}) {
        CAPTURE(static_cast<int>(math));
        count(math, 64);
        const std::uint64_t row = math == Math::bf16 ? 4 : 8;  // sectors of 64 values
        for (const char* kernel : kKernels) {
            CHECK(counted(kernel, "cp.async source").worst == 1.0);
            CHECK(counted(kernel, "cp.async target").worst == 1.0);
        }
        // Two heads of 128 tokens: queries once, keys and values once for each of the two tiles of queries.
        CHECK(counted("attention_tiles", "cp.async source").cost == 2 * 128 * (1 + 2 * 2) * row);
        CHECK(counted("attention_key_gradient", "global write").cost == 2 * 128 * 2 * row);
        CHECK(counted("attention_query_gradient", "global write").cost == 2 * 128 * row);
    }
}

TEST_CASE("without the swizzle, eight rows of a fragment lie in one bank") {
    const Counting counting;
    run_unswizzled_attention(128);
    CHECK(counted("attention_tiles", "shared read").worst == 8.0);
}
