// The runtime does what the kernels say, in the fast run and, silently, in the checked run, whatever the schedule.
#include <doctest/doctest.h>

#include <numeric>

#include "engine/base/error.h"
#include "kernels/simt/simt.h"
#include "tests/simt/runtime_kernels.h"

using namespace cambium;

namespace {

std::vector<float> ramp(std::size_t count, int period) {
    std::vector<float> values(count);
    for (std::size_t i = 0; i < count; ++i) values[i] = static_cast<float>(static_cast<int>(i) % period - period / 2);
    return values;
}

const std::uint64_t kSeeds[] = {0, 1, 2, 3, 4, 5};

}  // namespace

TEST_CASE("a block reduction gives exact sums of integers on every schedule") {
    const std::vector<float> values = ramp(1000, 17);
    for (const std::uint64_t seed : kSeeds) {
        simt::options().seed = seed;
        const std::vector<float> sums = test::block_sums(values, 256);
        REQUIRE(sums.size() == 4);
        for (std::size_t b = 0; b < sums.size(); ++b) {
            const auto begin = values.begin() + static_cast<std::ptrdiff_t>(b * 256);
            const auto end = b == 3 ? values.end() : begin + 256;
            CHECK(sums[b] == std::accumulate(begin, end, 0.0f));
        }
    }
    simt::options().seed = 0;
}

TEST_CASE("the last block to arrive adds all partial sums, and that is no race") {
    const std::vector<float> values = ramp(5000, 23);
    const float expected = std::accumulate(values.begin(), values.end(), 0.0f);
    for (const std::uint64_t seed : kSeeds) {
        simt::options().seed = seed;
        CHECK(test::last_arriver_sum(values, 7) == expected);
    }
    simt::options().seed = 0;
}

TEST_CASE("a recorded fill and launch run at each replay, on what their buffers hold then") {
    const std::vector<float> once = ramp(3000, 23), other = ramp(3000, 7);
    const float sum = std::accumulate(once.begin(), once.end(), 0.0f);
    const float other_sum = std::accumulate(other.begin(), other.end(), 0.0f);
    CHECK(test::replayed_sums({once, other, once}, 5) == std::vector<float>{sum, other_sum, sum, 2});
}

TEST_CASE("cp.async, ldmatrix and mma.sync multiply integer matrices exactly") {
    const int m = 64, n = 96, k = 48;
    const std::vector<float> a = ramp(static_cast<std::size_t>(m * k), 7), b = ramp(static_cast<std::size_t>(k * n), 5);
    for (const std::uint64_t seed : kSeeds) {
        simt::options().seed = seed;
        const std::vector<float> c = test::tensor_core_product(a, b, m, n, k);
        int wrong = 0;
        for (int i = 0; i < m; ++i) {
            for (int j = 0; j < n; ++j) {
                float sum = 0;
                for (int p = 0; p < k; ++p)
                    sum += a[static_cast<std::size_t>(i * k + p)] * b[static_cast<std::size_t>(p * n + j)];
                wrong += c[static_cast<std::size_t>(i * n + j)] == sum ? 0 : 1;
            }
        }
        CHECK(wrong == 0);
    }
    simt::options().seed = 0;
}

TEST_CASE("a ballot counts the lanes whose predicate holds") {
    CHECK(test::lanes_below(0) == 0);
    CHECK(test::lanes_below(13) == 13);
    CHECK(test::lanes_below(99) == 32);
}

TEST_CASE("lanes that have left the kernel are not waited for, which sm_70 and later allow") {
    std::vector<int> expected(64);
    std::iota(expected.begin(), expected.end(), 0);
    simt::options().exit_counts = false;
    for (const std::uint64_t seed : kSeeds) {
        simt::options().seed = seed;
        CHECK(test::sync_by_odd_lanes() == expected);
    }
    simt::options().seed = 0;
    simt::options().exit_counts = true;
}

TEST_CASE("a launch that no GPU could make is refused with a sentence") {
    CHECK_NOTHROW(test::launch_with(1, 1024));
    CHECK_THROWS_WITH_AS(test::launch_with(1, 1025), doctest::Contains("1025 x 1 x 1 threads; a block has 1 to 1024"),
                         Error);
    CHECK_THROWS_WITH_AS(test::launch_with(1, 0), doctest::Contains("a block has 1 to 1024"), Error);
    CHECK_THROWS_WITH_AS(test::launch_with(65536, 32), doctest::Contains("y and z end at 65535"), Error);
    CHECK_THROWS_WITH_AS(test::launch_with(0, 32), doctest::Contains("extents start at 1"), Error);
}
