// What attention costs in wavefronts and sectors, as committed: in bf16 and exact f32 no access to shared memory
// conflicts; in tf32 some take two wavefronts. Without the swizzle they take what the bank rule predicts.
#include <doctest/doctest.h>

#include "tests/kernels/attention/cases.h"
#include "tests/kernels/attention/counters_kernels.h"
#include "tests/kernels/counters.h"

using namespace cambium;
using namespace cambium::test;
using attention::Variant;
using gemm::Math;

namespace {

void count(Math math, std::int64_t size, attention::Variant variant, std::int64_t tokens = 128) {
    AttentionCase c;
    c.attention = {.batch = 1, .tokens = tokens, .heads = 2, .size = size, .math = math, .variant = variant};
    const AttentionData data = make_data(c);
    const Counting counting;
    run_on_device(c, data);
}

// tf32 reads rows as columns in single elements (four rows, two chunks each) and writes weights in pairs.
double expected_factor(Math math) { return math == Math::tf32 ? 2.0 : 1.0; }

void check_shared_memory(Math math) {
    CHECK(counted("", "shared read").instructions > 0);
    CHECK(counted("", "shared read").worst == expected_factor(math));
    CHECK(counted("", "shared write").worst == expected_factor(math));
    CHECK(counted("", "ldmatrix").worst == 1.0);
}

constexpr Math kMaths[] = {Math::bf16, Math::tf32, Math::f32};
constexpr const char* kKernels[] = {"attention_tiles", "attention_key_gradient", "attention_query_gradient"};

// Sectors of 64 values.
std::uint64_t row_sectors(Math math) { return math == Math::bf16 ? 4 : 8; }

}  // namespace

TEST_CASE("tuned: shared memory") {
    for (const std::int64_t size : {64, 128}) {
        for (const Math math : kMaths) {
            CAPTURE(size);
            CAPTURE(static_cast<int>(math));
            count(math, size, Variant::split);
            check_shared_memory(math);
        }
    }
}

TEST_CASE("tuned: device memory is read and written in whole sectors, and as often as the tiles say") {
    for (const Math math : kMaths) {
        CAPTURE(static_cast<int>(math));
        count(math, 64, Variant::split);
        const std::uint64_t row = row_sectors(math);
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

TEST_CASE("a gradient in one kernel: no wasted wavefront or sector, and each operand once") {
    struct Instance {
        Math math;
        std::int64_t size, tokens;
    };
    for (const Instance& i :
         {Instance{Math::bf16, 64, 128}, Instance{Math::bf16, 64, 256}, Instance{Math::bf16, 128, 128},
          Instance{Math::tf32, 64, 128}, Instance{Math::f32, 64, 128}}) {
        CAPTURE(i.size);
        CAPTURE(i.tokens);
        CAPTURE(static_cast<int>(i.math));
        count(i.math, i.size, Variant::tuned, i.tokens);
        check_shared_memory(i.math);
        const char* kernel = "attention_head_gradient";
        const std::uint64_t vectors = 2 * static_cast<std::uint64_t>(i.tokens * i.size / 64) * row_sectors(i.math);
        CHECK(counted(kernel, "cp.async source").cost == 4 * vectors);  // queries, keys, values, dy
        CHECK(counted(kernel, "cp.async source").worst == 1.0);
        CHECK(counted(kernel, "cp.async target").worst == 1.0);
        CHECK(counted(kernel, "global write").cost == 3 * vectors);
        CHECK(counted(kernel, "global write").worst == 1.0);
    }
}

TEST_CASE("without the swizzle, eight rows of a fragment lie in one bank") {
    const Counting counting;
    run_unswizzled_attention(128);
    CHECK(counted("attention_tiles", "shared read").worst == 8.0);
}
