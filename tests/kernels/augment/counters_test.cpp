// The augmentation's counters, as committed: no bank conflict where a tile is gathered, and whole sectors where it is
// stored. The plain variant, which stores a pixel's channels one by one, pays three sectors for one, so that a lost
// gathering cannot pass here.
#include <doctest/doctest.h>

#include "tests/kernels/augment/cases.h"
#include "tests/kernels/counters.h"

using namespace cambium;
using namespace cambium::test;

namespace {

void count(DType dtype, augment::Variant variant) {
    AugmentCase c;
    c.batch = {.images = 2, .height = 16, .width = 32, .dtype = dtype, .variant = variant};
    c.table.resize(2);
    on_device(c, pixels_of(c));
}

}  // namespace

TEST_CASE("tiles are gathered without bank conflicts and stored as whole sectors") {
    for (const DType dtype : {DType::f32, DType::bf16}) {
        CAPTURE(name_of(dtype));
        const Counting counting;
        count(dtype, augment::Variant::tuned);
        CHECK(counted("augment_kernel", "shared write").worst == 1.0);
        CHECK(counted("augment_kernel", "shared read").worst == 1.0);
        CHECK(counted("augment_kernel", "global read").worst == 3.0);  // a pixel's channels are three accesses
        CHECK(counted("augment_kernel", "global write").worst == 1.0);
        CHECK(counted("augment_kernel", "global write").cost == 2 * 16 * 32 * 3 * size_of(dtype) / 32);
    }
}

TEST_CASE("stored one by one, a warp's channels lie three elements apart") {
    const Counting counting;
    count(DType::f32, augment::Variant::plain);
    CHECK(counted("augment_kernel", "global write").worst == 3.0);
}
