// What the kernels of batch norm cost in wavefronts and sectors, as committed. Every tensor is read and written in
// whole sectors, once a pass; the tree in shared memory has no bank conflict. The plain kernels beside them show what
// the strips are for.
#include <doctest/doctest.h>

#include "tests/kernels/counters.h"
#include "tests/kernels/norm/cases.h"
#include "tests/kernels/norm/layer_cases.h"

using namespace cambium;
using namespace cambium::test;

namespace {

constexpr std::int64_t kRows = 512, kChannels = 64;

void count(DType dtype, norm::Variant variant) {
    NormCase c;
    c.norm = {.rows = kRows, .channels = kChannels, .dtype = dtype, .variant = variant};
    const NormData data = uniform_data(c);
    const Counting counting;
    run_on_device(c, data);
}

// Sectors of 32 bytes in one [M, C].
std::uint64_t tensor_sectors(DType dtype) {
    return static_cast<std::uint64_t>(kRows * kChannels) * size_of(dtype) / 32;
}

}  // namespace

TEST_CASE("tuned: whole sectors, and no bank conflict in the tree") {
    for (const DType dtype : {DType::f32, DType::bf16}) {
        CAPTURE(name_of(dtype));
        count(dtype, norm::Variant::tuned);
        CHECK(counted("", "shared read").worst == 1.0);
        CHECK(counted("", "shared write").worst == 1.0);
        // Each thread of bf16 has 8 channels, whose parameters and partial sums are two accesses of 16 bytes, 32 bytes
        // from the next thread's: half of each sector's visits are one too many, over a few thousand sectors in L1.
        CHECK(counted("", "global read").worst == (dtype == DType::f32 ? 1.0 : 2.0));
        CHECK(counted("", "global write").worst == (dtype == DType::f32 ? 1.0 : 2.0));
        // x for the moments and again to normalise; dy and x for the sums and again for dx. Then row 0, parameters and
        // what the parts leave behind: 5 terms of [C] for each of 4 parts, or of 2 in bf16, and 4 results.
        const std::uint64_t read = counted("", "global read").cost, written = counted("", "global write").cost;
        CHECK(read - 6 * tensor_sectors(dtype) == (dtype == DType::f32 ? 3504 : 3060));
        CHECK(written - 2 * tensor_sectors(dtype) == (dtype == DType::f32 ? 192 : 224));
    }
}

TEST_CASE("plain, for comparison: a channel's rows lie apart, so each element of a sum costs a sector of eight") {
    count(DType::f32, norm::Variant::plain);
    CHECK(counted("batch_norm_moments_plain", "global read").worst == 8.0);
    CHECK(counted("batch_norm_sums_plain", "global read").worst == 8.0);
    CHECK(counted("batch_norm_moments_plain", "shared read").worst == 1.0);
}

TEST_CASE("layer norm: whole sectors, whether a warp or a block has a row") {
    for (const std::int64_t channels : {768, 4096}) {
        CAPTURE(channels);
        LayerCase c;
        c.norm = {.rows = 16, .channels = channels, .dtype = DType::bf16};
        const LayerData data = uniform_data(c);
        const Counting counting;
        run_on_device(c, data);
        CHECK(counted("", "shared read").worst == 1.0);
        CHECK(counted("", "shared write").worst == 1.0);
        CHECK(counted("", "global read").worst == 2.0);  // gamma and beta, as above
        // y and dx, and each row's mean and rstd.
        const std::uint64_t tensor = static_cast<std::uint64_t>(16 * channels) * 2 / 32;
        const std::uint64_t written =
            counted("layer_norm_rows", "global write").cost + counted("layer_norm_gradient_rows", "global write").cost;
        CHECK(written == 2 * tensor + 2 * 16);
    }
}
