// The drawing of the species: shapes are sound, differ from one another, and their mathematics needs no library.
#include "data/leaves/species.h"

#include <doctest/doctest.h>

#include <cmath>
#include <numbers>
#include <set>
#include <string>

#include "data/leaves/exact_math.h"
#include "data/leaves/outline.h"

using namespace cambium;
using namespace cambium::leaves;

TEST_CASE("our sine, cosine and power agree with the library's") {
    double worst = 0;
    for (int i = -3000; i <= 3000; ++i) {
        const float x = static_cast<float>(i) * 0.001f;
        const double angle = 2 * std::numbers::pi * static_cast<double>(x);
        worst = std::max(worst, std::abs(static_cast<double>(sin_turns(x)) - std::sin(angle)));
        worst = std::max(worst, std::abs(static_cast<double>(cos_turns(x)) - std::cos(angle)));
    }
    CHECK(worst < 2e-6);  // f32 rounding of x, an ulp of 3 turns, and the series' last term 6e-8
    worst = 0;
    for (int i = 1; i <= 1000; ++i) {
        for (const float y : {0.26f, 0.5f, 1.0f, 1.5f, 6.0f}) {
            const float x = static_cast<float>(i) * 0.001f;
            worst = std::max(worst, std::abs(static_cast<double>(power(x, y)) -
                                             std::pow(static_cast<double>(x), static_cast<double>(y))));
        }
    }
    CHECK(worst < 3e-6);  // the series of log2, times y
}

TEST_CASE("species have names of their own, fit for a folder") {
    std::set<std::string> names;
    for (const Species& species : all_species()) {
        const std::string name(species.name);
        CHECK(name.find_first_not_of("abcdefghijklmnopqrstuvwxyz_") == std::string::npos);
        names.insert(name);
    }
    CHECK(names.size() == source_species + target_species);
}

TEST_CASE("every individual's outline is finite, of leaf size, and has both halves, veins and a stalk") {
    for (const Species& species : all_species()) {
        CAPTURE(species.name);
        for (std::uint64_t i = 0; i < 20; ++i) {
            RandomStream random(i, 0);
            const LeafShape shape = draw_shape(species, random);
            CHECK(shape.left.size() == shape.right.size());
            CHECK_FALSE(shape.left.empty());
            CHECK_FALSE(shape.veins.empty());
            CHECK_FALSE(shape.stalks.empty());
            bool sound = true;
            for (const Polyline& margin : shape.margins) {
                for (const Point p : margin) sound = sound && std::abs(p.x) < 1.5f && std::abs(p.y) < 1.5f;
            }
            CHECK(sound);  // false for NaN too
        }
    }
}

TEST_CASE("individuals of one species differ") {
    RandomStream one(1, 0), two(2, 0);
    const Species& oak = all_species()[3];
    CHECK(draw_shape(oak, one).margins[0][20].x != draw_shape(oak, two).margins[0][20].x);
}
