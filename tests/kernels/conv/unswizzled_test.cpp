// What the swizzle is worth: without it the factors rise to what the bank rule predicts, so that a lost swizzle cannot
// pass counters_test.cpp.
#include <doctest/doctest.h>

#include "tests/kernels/conv/counters.h"

using namespace cambium;
using namespace cambium::test;

TEST_CASE("without the swizzle the factors are those of the bank rule") {
    using conv::Direction, conv::Math;
    for (const Direction direction : {Direction::fprop, Direction::dgrad, Direction::wgrad}) {
        for (const Math math : {Math::bf16, Math::tf32, Math::f32}) {
            const ConvCase c = whole_tiles(direction, math);
            CAPTURE(c.text());
            count(c, make_data(c, Fill::integers));
            // ldmatrix and 16-byte reads of eight rows at one column: eight on a bank. wgrad's operands lie along m and
            // n: tf32 reads four rows of single elements, f32 whole rows.
            const double along_mn = math == Math::tf32 ? 4 : math == Math::f32 ? 1 : 8;
            CHECK(worst("shared read") == (direction == Direction::wgrad ? along_mn : 8));
        }
    }
}
