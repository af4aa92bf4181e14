// Sums against loops in double precision: integers exactly, random data within the error rule, and what must be
// refused.
#include <doctest/doctest.h>

#include <cmath>

#include "engine/base/error.h"
#include "tests/kernels/reduce/cases.h"
#include "tests/kernels/rule.h"
#include "tests/kernels/schedule.h"

using namespace cambium;
using namespace cambium::test;

namespace {

reduce::Variant& variant_of(SumCase& c) { return c.sum.variant; }
reduce::Variant& variant_of(DotCase& c) { return c.dot.variant; }
reduce::Variant& variant_of(NormCase& c) { return c.variant; }

// The largest sum of terms' magnitudes: one for each element that a result has.
double terms_of(const SumCase& c) { return static_cast<double>(c.sum.reduced); }
double terms_of(const DotCase& c) { return static_cast<double>(c.dot.rows); }
double terms_of(const NormCase& c) { return std::sqrt(static_cast<double>(c.elements.size()) * 2e4); }

template <class Case>
void check(Case c) {
    const SumData uniform = make_data(c, Fill::uniform), integers = make_data(c, Fill::integers);
    const std::vector<double> exact = exact_sums(c, uniform), expected = exact_sums(c, integers);
    const std::vector<float> plain = low_precision_sums(c, uniform);
    for (const reduce::Variant variant : {reduce::Variant::plain, reduce::Variant::tuned}) {
        variant_of(c) = variant;
        CAPTURE(c.text());
        CHECK(breach(run_on_device(c, uniform), plain, exact, terms_of(c)) == "");
        CHECK(unequal(run_on_device(c, integers), expected) == 0);
    }
}

int case_count() { return is_checked_run() ? 18 : 90; }

}  // namespace

TEST_CASE("sums over an axis") {
    for (int i = 0; i < case_count(); ++i) check(random_sum(i));
}

TEST_CASE("dot products per channel") {
    for (int i = 0; i < case_count() / 2; ++i) check(random_dot(i));
}

TEST_CASE("norms of several tensors, more than one launch holds included") {
    for (int i = 0; i < case_count() / 3; ++i) check(random_norm(i));
}

TEST_CASE("more reductions side by side than one launch holds") {
    SumCase c;
    c.sum = {.outer = 65537, .reduced = 2, .inner = 2};
    if (is_checked_run()) return;  // 17 million threads, of which the first thousands are as these
    const SumData data = make_data(c, Fill::integers);
    CHECK(unequal(run_on_device(c, data), exact_sums(c, data)) == 0);
}

TEST_CASE("a value that is not a number is not lost") {
    SumCase sum;
    sum.sum = {.outer = 2, .reduced = 5000, .inner = 1};
    SumData data = make_data(sum, Fill::uniform);
    data.x[4321] = std::nanf("");
    CHECK(std::isnan(run_on_device(sum, data)[0]));
    CHECK(!std::isnan(run_on_device(sum, data)[1]));
    NormCase norm;
    norm.elements = {3, 10000};
    data = make_data(norm, Fill::uniform);
    data.x[9000] = std::nanf("");
    CHECK(std::isnan(run_on_device(norm, data)[0]));
}

TEST_CASE("descriptors that make no sense are refused before anything is launched") {
    dev::Stream stream;
    dev::Buffer<float> memory(64);
    float* p = memory.data();
    const auto refuses = [&](const reduce::Sum& s, const void* x, float* y, const char* why) {
        CHECK_THROWS_WITH_AS(reduce::sum(s, x, y, {}, stream), doctest::Contains(why), UsageError);
    };
    const reduce::Sum good{.outer = 1, .reduced = 4, .inner = 4};
    reduce::Sum s = good;
    s.reduced = -1;
    refuses(s, p, p, "sizes must not be negative");
    s = good;
    s.dtype = DType::u8;
    refuses(s, p, p, "activations are f32 or bf16, not u8");
    refuses(good, nullptr, p, "an operand is null");
    refuses(good, p + 1, p, "not aligned to 16 bytes");
    s.dtype = DType::f32;
    s = {.outer = 1, .reduced = 20000, .inner = 1};
    refuses(s, p, p, "the workspace has 0 bytes and must have 256");
    CHECK_THROWS_WITH_AS(reduce::global_norm({}, reduce::Variant::tuned, p, {}, stream),
                         doctest::Contains("it needs at least one"), UsageError);
    CHECK_THROWS_WITH_AS(reduce::dot({.rows = 2, .channels = 4}, p, nullptr, p, {}, stream),
                         doctest::Contains("an operand is null"), UsageError);
}
