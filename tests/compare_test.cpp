// compare() itself: that it passes what agrees, and that it can fail in every way it promises to.
#include "tests/compare.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "engine/base/error.h"
#include "tests/hash_fill.h"

using namespace cambium;
using namespace cambium::test;

namespace {

constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();
constexpr double infinity = std::numeric_limits<double>::infinity();

Tensor tensor(Shape shape, std::vector<double> values) { return {shape, std::span<const double>(values)}; }

const std::vector<Tolerance>& every_tolerance() {
    static const std::vector<Tolerance> all{exact("test"), absolute(1e300, "test"), relative_to_largest(1e300, "test"),
                                            relative_l2(1e300, "test")};
    return all;
}

}  // namespace

TEST_CASE("compare passes equal tensors under every tolerance") {
    for (const Tolerance& tolerance : every_tolerance()) {
        CHECK(compare(tensor({2, 2}, {1, -2, 0, 4}), tensor({2, 2}, {1, -2, 0, 4}), tolerance));
        CHECK(compare(tensor({0}, {}), tensor({0}, {}), tolerance));
        CHECK(compare(tensor({}, {3}), tensor({}, {3}), tolerance));
        CHECK(compare(tensor({2}, {0, 0}), tensor({2}, {0, 0}), tolerance));
    }
}

TEST_CASE("compare fails on NaN and infinity on either side, whatever the tolerance") {
    for (const Tolerance& tolerance : every_tolerance())
        for (const double bad : {not_a_number, infinity, -infinity}) {
            CHECK_FALSE(compare(tensor({2}, {1, bad}), tensor({2}, {1, 2}), tolerance));
            CHECK_FALSE(compare(tensor({2}, {1, 2}), tensor({2}, {1, bad}), tolerance));
            CHECK_FALSE(compare(tensor({2}, {1, bad}), tensor({2}, {1, bad}), tolerance));
            CHECK_FALSE(compare(bad, bad, tolerance));
        }
    CHECK_FALSE(compare(not_a_number, 0.0, absolute(1, "test")));
}

TEST_CASE("compare fails on another shape or count, whatever the tolerance") {
    for (const Tolerance& tolerance : every_tolerance()) {
        CHECK_FALSE(compare(tensor({4}, {1, 1, 1, 1}), tensor({2, 2}, {1, 1, 1, 1}), tolerance));
        CHECK_FALSE(compare(tensor({1}, {1}), tensor({}, {1}), tolerance));
        CHECK_FALSE(compare(tensor({0}, {}), tensor({1}, {1}), tolerance));
        const std::vector<double> two{1, 1}, three{1, 1, 1};
        CHECK_FALSE(compare(std::span<const double>(two), std::span<const double>(three), tolerance));
        CHECK_FALSE(compare(std::span<const double>(three), std::span<const double>(two), tolerance));
    }
}

TEST_CASE("each tolerance fails just above its bound and passes just below") {
    const Tensor expected = tensor({2}, {3, -4});
    CHECK_FALSE(compare(tensor({2}, {3, std::nextafter(-4.0, 0.0)}), expected, exact("test")));
    CHECK(compare(tensor({2}, {3.09, -4}), expected, absolute(0.1, "test")));
    CHECK_FALSE(compare(tensor({2}, {3.11, -4}), expected, absolute(0.1, "test")));
    CHECK(compare(tensor({2}, {3.39, -4}), expected, relative_to_largest(0.1, "test")));  // the largest entry is 4
    CHECK_FALSE(compare(tensor({2}, {3.41, -4}), expected, relative_to_largest(0.1, "test")));
    CHECK(compare(tensor({2}, {3.3, -3.61}), expected, relative_l2(0.1, "test")));  // ||(3, -4)|| = 5
    CHECK_FALSE(compare(tensor({2}, {3.3, -3.59}), expected, relative_l2(0.1, "test")));
}

TEST_CASE("where all that is expected is zero, relative tolerances accept only zero") {
    const Tensor zero = tensor({2}, {0, 0}), tiny = tensor({2}, {0, 1e-300});
    CHECK_FALSE(compare(tiny, zero, relative_to_largest(1e-5, "test")));
    CHECK_FALSE(compare(tiny, zero, relative_l2(1e-5, "test")));
    CHECK(compare(zero, zero, relative_l2(1e-5, "test")));
}

TEST_CASE("the error rule allows twice the error of the plain implementation, and a little more") {
    const Tensor expected = tensor({2}, {3, -4}), plain = tensor({2}, {3.25, -4});
    CHECK(compare(tensor({2}, {3, -4.5}), expected, twice_the_error_of(plain, expected, 0x1p-10)));
    CHECK(compare(tensor({2}, {3, -4.5 - 0x1p-8}), expected, twice_the_error_of(plain, expected, 0x1p-10)));
    CHECK_FALSE(compare(tensor({2}, {3, -4.5 - 0x1.1p-8}), expected, twice_the_error_of(plain, expected, 0x1p-10)));
    CHECK_FALSE(compare(tensor({2}, {0, 0x1.1p-10}), tensor({2}, {0, 0}),
                        twice_the_error_of(tensor({2}, {0, 0}), tensor({2}, {0, 0}), 0x1p-10)));
    CHECK_THROWS_AS(twice_the_error_of(tensor({2}, {3, not_a_number}), expected, 0x1p-10), Error);
    CHECK_THROWS_AS(twice_the_error_of(tensor({1}, {3}), expected, 0x1p-10), Error);
}

TEST_CASE("a failure says where, what and why") {
    const Comparison comparison =
        compare(tensor({2, 2}, {1, 2, 3, 4}), tensor({2, 2}, {1, 2, 5, 4}), absolute(0.5, "rounded to halves"));
    CHECK(comparison.error == 2);
    for (const char* part : {"[1, 0]", "found 3", "expected 5", "exceeds 0.5", "rounded to halves"})
        CHECK(comparison.message.find(part) != std::string::npos);
}

TEST_CASE("values are compared across dtypes") {
    const std::vector<float> values{0.5f, -2.0f};
    const Tensor single(Shape{2}, std::span<const float>(values));
    CHECK(compare(single, tensor({2}, {0.5, -2}), exact("both are powers of two")));
    const std::vector<double> expected{0.5, -2};
    CHECK(compare(std::span<const float>(values), std::span<const double>(expected), exact("powers of two")));
}

TEST_CASE("a tolerance needs a reason and a sensible bound") {
    CHECK_THROWS_AS(exact(""), Error);
    CHECK_THROWS_AS(absolute(1, ""), Error);
    for (const double bound : {0.0, -1.0, not_a_number, infinity}) {
        CHECK_THROWS_AS(absolute(bound, "test"), Error);
        CHECK_THROWS_AS(relative_to_largest(bound, "test"), Error);
        CHECK_THROWS_AS(relative_l2(bound, "test"), Error);
    }
}

TEST_CASE("hash_fill gives what its Python twin gives") {  // printed by tests/oracle/hash_fill.py
    CHECK(hash_bits(0, 1) == 20814);
    CHECK(hash_bits(7, 0) == 37208);
    CHECK(hash_bits(7, 2) == 47439);
    CHECK(hash_value(3, 0, 15) == 22179.0 / 32768);
    const std::vector<std::uint32_t> labels{5, 9, 9, 2, 2, 3, 3, 7};
    for (std::size_t i = 0; i < labels.size(); ++i) CHECK(hash_below(5, i, 10) == labels[i]);
}
