// Elementwise operators against loops in double precision: integers exactly, random data within the error rule; special
// values, the bits of dropout, and what must be refused.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "engine/base/error.h"
#include "kernels/grid.h"
#include "tests/kernels/elementwise/cases.h"
#include "tests/kernels/rule.h"
#include "tests/kernels/schedule.h"

using namespace cambium;
using namespace cambium::test;

namespace {

constexpr elementwise::Variant kVariants[] = {elementwise::Variant::plain, elementwise::Variant::tuned};

double largest(const std::vector<double>& values) {
    double result = 0;
    for (const double x : values) result = std::max(result, std::fabs(x));
    return result;
}

void check_uniform(ElementwiseCase c) {
    if (c.op == Operator::dropout) c.rate = 0.1;
    if (c.op == Operator::lerp) c.scalar = 0.3f;
    const ElementwiseData data = uniform_data(c);
    const std::vector<double> exact = exact_result(c, data);
    const std::vector<float> plain = low_precision_result(c, data);
    for (const elementwise::Variant variant : kVariants) {
        c.variant = variant;
        CAPTURE(c.text());
        CHECK(breach(run_on_device(c, data), plain, exact, largest(exact) + 3) == "");
    }
}

void check_integers(ElementwiseCase c) {
    if (c.op == Operator::gelu || c.op == Operator::gelu_gradient) return;
    const ElementwiseData data = integer_data(c);
    const std::vector<float> expected = low_precision_result(c, data);
    for (const elementwise::Variant variant : kVariants) {
        c.variant = variant;
        CAPTURE(c.text());
        CHECK(unequal(run_on_device(c, data), expected) == 0);
    }
}

// Checked runs are a hundred times slower and are after accesses.
int case_count() { return is_checked_run() ? 4 * kOperators : 10 * kOperators; }
int largest_count() { return is_checked_run() ? 3000 : 60000; }

}  // namespace

TEST_CASE("integers of random shapes are exact") {
    for (int i = 0; i < case_count(); ++i) check_integers(random_case(i, largest_count()));
}

TEST_CASE("random data of random shapes keep the error rule") {
    for (int i = 0; i < case_count(); ++i) check_uniform(random_case(1000 + i, largest_count()));
}

TEST_CASE("a grid that is smaller than the tensor walks on, channel by channel") {
    for (const Operator op : {Operator::scale_shift, Operator::normalize_bgr, Operator::dropout, Operator::guard}) {
        if (is_checked_run() && op != Operator::scale_shift) continue;  // millions of elements
        ElementwiseCase c{.op = op, .rows = 1100001, .channels = 3, .dtype = DType::bf16};
        if (op == Operator::scale_shift) c.channels = 5, c.rows = 660001;  // 5 does not divide the grid's step
        if (op == Operator::guard) c.dtype = DType::f32, c.rows *= 2;
        const ElementwiseData data = integer_data(c);
        CAPTURE(c.text());
        CHECK(unequal(run_on_device(c, data), low_precision_result(c, data)) == 0);
    }
}

TEST_CASE("relu lets NaN through, its gradient and dropout stop infinity") {
    ElementwiseCase c{.op = Operator::relu, .rows = 1, .channels = 5};
    const ElementwiseData data{.a = {NAN, INFINITY, -INFINITY, -0.5f, 2.0f},
                               .b = {-1, 0, -1, NAN, 1},
                               .scale = std::vector<float>(5),
                               .shift = std::vector<float>(5)};
    std::vector<float> y = run_on_device(c, data);
    CHECK(std::isnan(y[0]));
    CHECK(y[1] == INFINITY);
    CHECK(y[2] == 0.0f);
    c.op = Operator::relu_gradient;
    CHECK(run_on_device(c, data) == std::vector<float>{0, 0, 0, 0, 2});
    c.op = Operator::dropout;
    c.rate = 0.99999;
    CHECK(run_on_device(c, data) == std::vector<float>{0, 0, 0, 0, 0});
}

TEST_CASE("the grid looks at sizes only") {
    CHECK(grid_for(1).threads == 32);
    CHECK(grid_for(250).threads == 256);
    CHECK(grid_for(257).blocks == 2);
    CHECK(grid_for(std::int64_t{1} << 40).blocks == 1056);
}

TEST_CASE("what makes no sense is refused before anything is launched") {
    dev::Stream stream;
    dev::Buffer<float> memory(64);
    float* p = memory.data();
    using elementwise::Elements, elementwise::Unary;
    const auto refuses = [](auto&& call, const char* why) {
        CHECK_THROWS_WITH_AS(call(), doctest::Contains(why), UsageError);
    };
    refuses([&] { elementwise::unary(Unary::relu, {.count = -1}, p, p, stream); }, "must not be negative");
    refuses([&] { elementwise::unary(Unary::relu, {.count = 4}, nullptr, p, stream); }, "an operand is null");
    refuses([&] { elementwise::unary(Unary::relu, {.count = 4, .dtype = DType::i32}, p, p, stream); }, "not i32");
    refuses([&] { elementwise::add_bias({.count = 4}, 3, p, p, p, stream); }, "no rows of 3 channels");
    refuses([&] { elementwise::scale_shift({.count = 4}, 2, p, nullptr, p, p, stream); }, "the scale is null");
    refuses([&] { elementwise::lerp({.count = 4, .dtype = DType::bf16}, p, p, p, p, stream); }, "which are f32");
    refuses([&] { elementwise::convert({4, DType::f32, DType::i32}, p, p, stream); }, "from f32 to i32");
    refuses([&] { elementwise::dropout({.rate = 1}, {.count = 4}, p, nullptr, p, stream); }, "the rate must be in");
    elementwise::unary(Unary::relu, {.count = 0}, nullptr, nullptr, stream);  // nothing to do
}
