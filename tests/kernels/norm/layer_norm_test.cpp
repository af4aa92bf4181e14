// Layer norm against loops in double precision: random data within the error rule, gradients of integers exactly, the
// same bits on every schedule, and what must be refused.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "engine/base/error.h"
#include "tests/kernels/norm/layer_cases.h"
#include "tests/kernels/rule.h"
#include "tests/kernels/schedule.h"

using namespace cambium;
using namespace cambium::test;

namespace {

constexpr norm::Variant kVariants[] = {norm::Variant::plain, norm::Variant::tuned};

void check_uniform(LayerCase c) {
    const LayerData data = uniform_data(c);
    const LayerResult<double> exact = exact_layer_norm(c, data);
    const LayerResult<float> plain = low_precision_layer_norm(c, data);
    for (const norm::Variant variant : kVariants) {
        c.norm.variant = variant;
        CAPTURE(c.text());
        const LayerResult<float> found = run_on_device(c, data);
        const double rstd = *std::ranges::max_element(exact.rstd), rows = static_cast<double>(c.norm.rows);
        CHECK(breach(found.mean, plain.mean, exact.mean, c.mean + 1) == "");
        // A relative error of the variance of a row of two that nearly agree is that of their difference.
        CHECK(breach(found.rstd, plain.rstd, exact.rstd, rstd * (1 + (c.mean + 1) * rstd)) == "");
        CHECK(breach(found.y, plain.y, exact.y, 2 + (c.mean + 1) * rstd * (1 + (c.mean + 1) * rstd)) == "");
        CHECK(breach(found.dbeta, plain.dbeta, exact.dbeta, rows) == "");
        CHECK(breach(found.dgamma, plain.dgamma, exact.dgamma, 3 * rows) == "");
        CHECK(breach(found.dx, plain.dx, exact.dx, 32) == "");
    }
}

void check_integers(LayerCase c) {
    const LayerData data = integer_data(c);
    LayerResult<double> exact = exact_layer_norm(c, data);
    if (c.norm.dtype == DType::bf16) {
        for (double& x : exact.dx) x = static_cast<double>(static_cast<float>(bf16(static_cast<float>(x))));
    }
    for (const norm::Variant variant : kVariants) {
        c.norm.variant = variant;
        CAPTURE(c.text());
        const LayerResult<float> found = run_on_device(c, data);
        CHECK(unequal(found.dbeta, exact.dbeta) == 0);
        CHECK(unequal(found.dgamma, exact.dgamma) == 0);
        CHECK(unequal(found.dx, exact.dx) == 0);
    }
}

int case_count() { return is_checked_run() ? 10 : 50; }
int largest_rows() { return is_checked_run() ? 33 : 150; }

bool same(const LayerResult<float>& a, const LayerResult<float>& b) {
    return a.y == b.y && a.mean == b.mean && a.rstd == b.rstd && a.dx == b.dx && a.dgamma == b.dgamma &&
           a.dbeta == b.dbeta;
}

}  // namespace

TEST_CASE("random rows are normalised, and their gradients computed, within the error rule") {
    for (int i = 0; i < case_count(); ++i) check_uniform(random_layer_case(i, largest_rows()));
}

TEST_CASE("layer norm's gradients of integers are exact") {
    for (int i = 0; i < case_count(); ++i) check_integers(random_layer_case(1000 + i, largest_rows()));
}

TEST_CASE("every schedule, and one worker and two, give layer norm the same bits") {
    for (const std::int64_t channels : {264, 2056}) {  // a warp per row, a block per row; rows in several parts
        LayerCase c;
        c.norm = {.rows = channels == 264 ? 70 : 3, .channels = channels};
        c.in_place = true;
        const LayerData data = uniform_data(c);
        set_schedule(0);
        set_workers(1);
        const LayerResult<float> expected = run_on_device(c, data);
        for (std::uint64_t seed = 1; seed <= 20; ++seed) {
            set_schedule(seed);
            CHECK_MESSAGE(same(run_on_device(c, data), expected), c.text() << ", schedule " << seed);
        }
        set_schedule(0);
        set_workers(2);
        for (int repeat = 0; repeat < 3; ++repeat) CHECK_MESSAGE(same(run_on_device(c, data), expected), c.text());
    }
}

TEST_CASE("layer norms that make no sense are refused before anything is launched") {
    dev::Stream stream;
    dev::Buffer<float> memory(64);
    float* p = memory.data();
    const auto refuses = [&](const norm::LayerNorm& n, const norm::LayerNormForward& f, const char* why) {
        CHECK_THROWS_WITH_AS(norm::layer_norm(n, f, stream), doctest::Contains(why), UsageError);
    };
    const norm::LayerNormForward operands{.x = p, .gamma = p, .beta = p, .y = p + 16};
    refuses({.rows = 4, .channels = 0}, operands, "rows must have values");
    refuses({.rows = 4, .channels = 4, .dtype = DType::i32}, operands, "activations are f32 or bf16, not i32");
    refuses({.rows = 4, .channels = 4}, {.x = p, .gamma = p}, "an input is null");
    refuses({.rows = 4, .channels = 4}, {.x = p, .gamma = p, .beta = p, .y = p + 1}, "not aligned to 16 bytes");
    CHECK_THROWS_WITH_AS(norm::layer_norm_gradient(
                             {.rows = 4, .channels = 4},
                             {.dy = p, .x = p, .gamma = p, .mean = p, .rstd = p, .dx = p, .dgamma = p}, {}, stream),
                         doctest::Contains("both or neither"), UsageError);
}
