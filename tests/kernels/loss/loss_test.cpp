// The losses against loops in double precision: within the error rule, counts exactly, rows that are left out, labels
// that are no class, values that are no number, and what must be refused.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "engine/base/error.h"
#include "tests/kernels/loss/cases.h"
#include "tests/kernels/rule.h"
#include "tests/kernels/schedule.h"

using namespace cambium;
using namespace cambium::test;

namespace {

constexpr loss::Variant kVariants[] = {loss::Variant::plain, loss::Variant::tuned};

void check(LossCase c) {
    const LossData data = make_data(c);
    const LossResult<double> exact = exact_losses(c, data);
    const LossResult<float> plain = low_precision_losses(c, data);
    for (const loss::Variant variant : kVariants) {
        c.matrix.variant = variant;
        CAPTURE(c.text());
        const LossResult<float> found = run_on_device(c, data);
        // Errors of exp(x) are relative to x: logits of 30 cost five more bits.
        const auto spread = static_cast<double>(c.spread), rows = static_cast<double>(c.matrix.rows);
        CHECK(breach(found.softmax, plain.softmax, exact.softmax, spread) == "");
        CHECK(breach(found.softmax_gradient, plain.softmax_gradient, exact.softmax_gradient, 2) == "");
        CHECK(breach(found.sum, plain.sum, exact.sum, rows * (2 * spread + std::log(1000.0)) * 1.5) == "");
        CHECK(breach(found.denominator, plain.denominator, exact.denominator, 1.5 * rows) == "");
        CHECK(breach(found.dlogits, plain.dlogits, exact.dlogits, 1.5 * spread) == "");
        CHECK(unequal(found.count, exact.count) == 0);
    }
}

int case_count() { return is_checked_run() ? 15 : 90; }

// Rows 0 to 3 of a case with labels: 0, left out, no class, 0.
struct Edge {
    LossCase c;
    LossData data;
    explicit Edge(loss::Variant variant) {
        c.matrix = {.rows = 4, .classes = 300, .variant = variant};
        c.k = 300;
        data = make_data(c);
        data.labels = {0, -1, 300, 0};
    }
    std::vector<float> gradient_row(const LossResult<float>& result, int row) const {
        const auto first = result.dlogits.begin() + row * 300;
        return {first, first + 300};
    }
};

bool is_nan(float x) { return std::isnan(x); }

}  // namespace

TEST_CASE("losses, gradients and counts of random logits are within the error rule") {
    for (int i = 0; i < case_count(); ++i) check(random_case(i, is_checked_run() ? 33 : 100));
}

TEST_CASE("more rows than the block that adds them has threads") {
    LossCase c;
    c.matrix = {.rows = 600, .classes = 3};
    c.weights = true;
    check(c);
}

TEST_CASE("a label that is no class shows in the loss, and in the gradient of its row alone") {
    for (const loss::Variant variant : kVariants) {
        const Edge edge(variant);
        const LossResult<float> found = run_on_device(edge.c, edge.data);
        CHECK(std::isnan(found.sum[0]));
        CHECK(std::isnan(found.denominator[0]));
        CHECK(std::ranges::all_of(edge.gradient_row(found, 2), is_nan));
        CHECK(std::ranges::none_of(edge.gradient_row(found, 0), is_nan));
        CHECK(found.count[0] == 2.0f);  // rows 0 and 3; the others do not count
    }
}

TEST_CASE("a row that is left out has no say, whatever its logits are") {
    for (const loss::Variant variant : kVariants) {
        Edge edge(variant);
        edge.data.labels = {0, -1, 0, 0};
        std::fill_n(edge.data.logits.begin() + 300, 300, std::nanf(""));
        const LossResult<float> found = run_on_device(edge.c, edge.data);
        CHECK(!std::isnan(found.sum[0]));
        CHECK(found.denominator[0] == 3.0f);
        CHECK(edge.gradient_row(found, 1) == std::vector<float>(300, 0.0f));
    }
}

TEST_CASE("a logit that is not a number makes its row's results so, and its label is never right") {
    for (const loss::Variant variant : kVariants) {
        Edge edge(variant);
        edge.data.labels = {0, 5, 0, 0};
        edge.c.k = 299;
        edge.data.logits[300 + 5] = std::nanf("");
        const LossResult<float> found = run_on_device(edge.c, edge.data);
        CHECK(std::isnan(found.sum[0]));
        CHECK(std::ranges::all_of(edge.gradient_row(found, 1), is_nan));
        CHECK(found.count[0] == 3.0f);
    }
}

TEST_CASE("large logits do not overflow") {
    for (const loss::Variant variant : kVariants) {
        Edge edge(variant);
        edge.data.labels = {0, 0, 0, 0};
        for (float& x : edge.data.logits) x *= 1e4f;
        const LossResult<float> found = run_on_device(edge.c, edge.data);
        CHECK(std::isfinite(found.sum[0]));
        CHECK(std::ranges::none_of(found.softmax, is_nan));
        CHECK(std::ranges::none_of(found.dlogits, is_nan));
    }
}

TEST_CASE("no rows: sums of nothing") {
    dev::Stream stream;
    dev::Buffer<float> results(3);
    loss::cross_entropy({.rows = 0, .classes = 5}, {}, nullptr, results.data(), results.data() + 1, {}, stream);
    loss::top_k_count({.rows = 0, .classes = 5}, 1, nullptr, nullptr, results.data() + 2, {}, stream);
    std::vector<float> found(3);
    results.download(found, stream);
    CHECK(found == std::vector<float>{0, 0, 0});
}

TEST_CASE("descriptors that make no sense are refused before anything is launched") {
    dev::Stream stream;
    dev::Buffer<float> memory(64);
    dev::Buffer<std::int32_t> labels(4);
    float* p = memory.data();
    const loss::Matrix good{.rows = 2, .classes = 4};
    const auto refuses = [&](const loss::Matrix& m, const loss::Targets& t, const float* logits, const char* why) {
        CHECK_THROWS_WITH_AS(loss::cross_entropy(m, t, logits, p, p, {}, stream), doctest::Contains(why), UsageError);
    };
    const loss::Targets targets{.labels = labels.data()};
    refuses({.rows = -2, .classes = 4}, targets, p, "sizes must not be negative");
    refuses(good, targets, nullptr, "an operand is null");
    refuses(good, {}, p, "give either labels or probabilities");
    refuses(good, {.labels = labels.data(), .probabilities = p}, p, "give either labels or probabilities");
    refuses(good, {.labels = labels.data(), .label_smoothing = 1}, p, "label smoothing must be in [0, 1)");
    refuses(good, targets, p, "the workspace has 0 bytes and must have 20");
    CHECK_THROWS_WITH_AS(loss::top_k_count(good, 0, labels.data(), p, p, {}, stream),
                         doctest::Contains("k must be at least 1"), UsageError);
}
