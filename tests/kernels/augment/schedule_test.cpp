// The same bits whatever the order of threads and blocks; in the checked build also silence on every schedule, for a
// report is an exception there.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>

#include "tests/kernels/augment/cases.h"
#include "tests/kernels/schedule.h"

using namespace cambium;
using namespace cambium::test;

namespace {

constexpr std::uint64_t kSeeds = 20;

// Several tiles an image, means, mixing; both element types.
std::vector<AugmentCase> scheduled_cases() {
    std::vector<AugmentCase> cases;
    for (const DType dtype : {DType::f32, DType::bf16}) {
        AugmentCase c = random_case(8, 30);
        c.batch.images = 3, c.batch.height = 17, c.batch.width = dtype == DType::f32 ? 24 : 19;
        c.batch.dtype = dtype;
        c.table.resize(3, c.table.front());
        for (AugmentParameters& row : c.table) {
            std::ranges::copy(std::array{1.0f, 3.0f, 0.0f, 2.0f}, row.order);
            row.jitter[AugmentParameters::contrast] = 0.5f;
        }
        cases.push_back(c);
    }
    return cases;
}

}  // namespace

TEST_CASE("every schedule gives the same bits") {
    for (const AugmentCase& c : scheduled_cases()) {
        const std::vector<std::uint8_t> pixels = pixels_of(c);
        set_schedule(0);
        const std::vector<float> expected = on_device(c, pixels);
        for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
            set_schedule(seed);
            CHECK_MESSAGE(on_device(c, pixels) == expected, c.text() << ", schedule " << seed);
        }
        set_schedule(0);
    }
}

TEST_CASE("one worker and two give the same bits") {
    for (const AugmentCase& c : scheduled_cases()) {
        const std::vector<std::uint8_t> pixels = pixels_of(c);
        set_workers(1);
        const std::vector<float> expected = on_device(c, pixels);
        set_workers(2);
        for (int repeat = 0; repeat < 3; ++repeat) CHECK_MESSAGE(on_device(c, pixels) == expected, c.text());
    }
}
