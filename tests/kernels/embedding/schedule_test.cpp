// The same bits whatever the order of threads and blocks; in the checked build also silence on every schedule, for a
// report is an exception there.
#include <doctest/doctest.h>

#include "tests/kernels/embedding/cases.h"
#include "tests/kernels/schedule.h"

using namespace cambium;
using namespace cambium::test;

namespace {

constexpr int kSeeds = 20;

}  // namespace

TEST_CASE("every schedule, and one worker and two, give the same bits") {
    for (const embedding::Variant variant : {embedding::Variant::plain, embedding::Variant::tuned}) {
        EmbeddingCase c;
        c.embedding = {.rows = 9, .columns = 40, .lookups = 50, .variant = variant};
        const EmbeddingData data = make_data(c, false);
        set_schedule(0);
        set_workers(1);
        const EmbeddingResult expected = run_on_device(c, data);
        const auto check = [&] {
            const EmbeddingResult found = run_on_device(c, data);
            CHECK((found.y == expected.y && found.dtable == expected.dtable));
        };
        for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
            set_schedule(seed);
            check();
        }
        set_schedule(0);
        set_workers(2);
        for (int repeat = 0; repeat < 3; ++repeat) check();
    }
}
