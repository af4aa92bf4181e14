// The rasteriser against areas that can be worked out by hand.
#include "data/leaves/coverage.h"

#include <doctest/doctest.h>

#include <array>
#include <numeric>

using namespace cambium::leaves;

namespace {

double area(const std::vector<float>& mask) { return std::accumulate(mask.begin(), mask.end(), 0.0); }

constexpr std::array<Point, 4> square(float x, float y, float side) {
    return {{{x, y}, {x + side, y}, {x + side, y + side}, {x, y + side}}};
}

}  // namespace

TEST_CASE("a square covers its pixels by their share, whichever way round it is") {
    for (const bool reversed : {false, true}) {
        Coverage coverage(4, 4);
        std::array<Point, 4> corners = square(0.5f, 1.25f, 2.0f);
        if (reversed) std::swap(corners[1], corners[3]);
        coverage.add(corners);
        const std::vector<float>& mask = coverage.resolve();
        CHECK(mask[0] == 0.0f);
        CHECK(mask[4] == 0.375f);  // row 1: half of the width, three quarters of the height
        CHECK(mask[5] == 0.75f);
        CHECK(mask[9] == 1.0f);
        CHECK(mask[14] == 0.125f);  // row 3: a quarter of the height, half of the width
        CHECK(area(mask) == 4.0);
    }
}

TEST_CASE("a triangle's area is exact to rounding, also across many pixels of a row") {
    Coverage coverage(32, 32);
    coverage.add(std::array<Point, 3>{{{1.3f, 2.1f}, {30.7f, 3.4f}, {4.2f, 29.9f}}});
    const double expected = 0.5 * ((30.7 - 1.3) * (29.9 - 2.1) - (4.2 - 1.3) * (3.4 - 2.1));
    CHECK(area(coverage.resolve()) == doctest::Approx(expected).epsilon(1e-5));
}

TEST_CASE("overlap counts once, and what is cut is gone") {
    Coverage coverage(8, 8);
    coverage.add(square(1, 1, 4));
    coverage.add(square(3, 3, 4));
    Coverage with_hole = coverage;
    CHECK(area(coverage.resolve()) == 16 + 16 - 4);
    with_hole.cut(square(1, 1, 1));
    CHECK(area(with_hole.resolve()) == 16 + 16 - 4 - 1);
}

TEST_CASE("what lies outside the image is left out") {
    Coverage coverage(4, 4);
    coverage.add(square(-10, -10, 12));
    coverage.add(square(5, 0, 3));
    coverage.add(square(0, 7, 3));
    CHECK(area(coverage.resolve()) == 4);
}

TEST_CASE("a stroke covers its length times its mean width") {
    Coverage coverage(16, 16);
    coverage.add_stroke(std::array<Point, 3>{{{2, 8}, {8, 8}, {14, 8}}}, 3.0f, 1.0f);
    CHECK(area(coverage.resolve()) == doctest::Approx(12 * 2).epsilon(1e-5));
}
