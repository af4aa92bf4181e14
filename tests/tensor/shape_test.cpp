#include "engine/tensor/shape.h"

#include <doctest/doctest.h>

#include <limits>

#include "engine/base/error.h"

using namespace cambium;

TEST_CASE("a shape knows rank, extents and count") {
    const Shape shape{8, 224, 224, 3};
    CHECK(shape.rank() == 4);
    CHECK(shape.count() == 8 * 224 * 224 * 3);
    CHECK(shape[0] == 8);
    CHECK(shape[-1] == 3);
    CHECK(shape[-4] == 8);
    CHECK(to_string(shape) == "[8, 224, 224, 3]");
    CHECK(shape == Shape({8, 224, 224, 3}));
    CHECK(shape != Shape({8, 224, 224}));
}

TEST_CASE("a scalar has one element, an empty extent none") {
    CHECK(Shape().count() == 1);
    CHECK(Shape().rank() == 0);
    CHECK(to_string(Shape()) == "[]");
    CHECK(Shape({0, 5}).count() == 0);
}

TEST_CASE("one extent is replaced") {
    CHECK(Shape({8, 3}).with(0, 2) == Shape({2, 3}));
    CHECK(Shape({8, 3}).with(-1, 2) == Shape({8, 2}));
    CHECK_THROWS_AS(Shape({8, 3}).with(2, 1), Error);
    CHECK_THROWS_AS(Shape({8, 3}).with(0, -1), Error);
}

TEST_CASE("impossible shapes are refused") {
    CHECK_THROWS_WITH_AS(Shape({1, 2, 3, 4, 5, 6}), "a tensor has at most 5 axes, not 6", Error);
    CHECK_THROWS_WITH_AS(Shape({2, -1}), "a tensor cannot have the extent -1", Error);
    const std::int64_t large = std::int64_t{1} << 40;
    CHECK_THROWS_AS(Shape({large, large}), Error);
    CHECK_THROWS_AS(Shape({std::numeric_limits<std::int64_t>::max(), 8}), Error);
    CHECK_THROWS_AS(Shape({std::int64_t{1} << 61}), Error);  // its bytes would wrap around
    CHECK_THROWS_AS(Shape({0, large, large}), Error);        // an empty axis hides nothing
}

TEST_CASE("an axis that is not there is named with the shape") {
    CHECK_THROWS_WITH_AS(static_cast<void>(Shape({2, 3})[2]), "a tensor of shape [2, 3] has no axis 2", Error);
    CHECK_THROWS_WITH_AS(static_cast<void>(Shape({2, 3})[-3]), "a tensor of shape [2, 3] has no axis -3", Error);
    CHECK_THROWS_AS(static_cast<void>(Shape()[0]), Error);
}
