// Batch norm against loops in double precision: random data within the error rule, integers exactly where the result is
// one, variances that a single pass in f32 would lose, parameters, and what must be refused.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "engine/base/error.h"
#include "tests/kernels/norm/cases.h"
#include "tests/kernels/rule.h"
#include "tests/kernels/schedule.h"

using namespace cambium;
using namespace cambium::test;

namespace {

constexpr norm::Variant kVariants[] = {norm::Variant::plain, norm::Variant::tuned};

double largest(const std::vector<double>& values) {
    double result = 0;
    for (const double x : values) result = std::max(result, std::fabs(x));
    return result;
}

void check_uniform(NormCase c) {
    const NormData data = uniform_data(c);
    const NormResult<double> exact = exact_norm(c, data);
    const NormResult<float> plain = low_precision_norm(c, data);
    for (const norm::Variant variant : kVariants) {
        c.norm.variant = variant;
        CAPTURE(c.text());
        const NormResult<float> found = run_on_device(c, data);
        // Terms: of a mean, x; of a variance, squares; of a sum over M values, M times a few units.
        const auto rows = static_cast<double>(c.norm.rows);
        const double rstd =
            1 / std::sqrt(*std::ranges::min_element(exact.variance) + static_cast<double>(c.norm.epsilon));
        CHECK(breach(found.mean, plain.mean, exact.mean, c.mean + 1) == "");
        CHECK(breach(found.variance, plain.variance, exact.variance, largest(exact.variance)) == "");
        CHECK(breach(found.y, plain.y, exact.y, largest(exact.y) + (c.mean + 1) * rstd) == "");
        CHECK(breach(found.dbeta, plain.dbeta, exact.dbeta, rows) == "");
        CHECK(breach(found.dgamma, plain.dgamma, exact.dgamma, 3 * rows) == "");
        CHECK(breach(found.dx, plain.dx, exact.dx, 16) == "");
        CHECK(unequal(found.ds, exact.ds) == 0);
    }
}

void check_integers(NormCase c) {
    c = with_exact_gradient(c);
    const NormData data = integer_data(c);
    NormResult<double> exact = exact_norm(c, data);
    if (c.norm.dtype == DType::bf16) {
        for (double& x : exact.dx) x = static_cast<double>(static_cast<float>(bf16(static_cast<float>(x))));
    }
    for (const norm::Variant variant : kVariants) {
        c.norm.variant = variant;
        CAPTURE(c.text());
        const NormResult<float> found = run_on_device(c, data);
        CHECK(unequal(found.dbeta, exact.dbeta) == 0);
        CHECK(unequal(found.dgamma, exact.dgamma) == 0);
        CHECK(unequal(found.dx, exact.dx) == 0);
        CHECK(unequal(found.ds, exact.ds) == 0);
    }
}

int case_count() { return is_checked_run() ? 12 : 50; }
int largest_rows() { return is_checked_run() ? 100 : 700; }

double largest_relative_error(const std::vector<float>& found, const std::vector<double>& exact) {
    double result = 0;
    for (std::size_t i = 0; i < exact.size(); ++i) {
        const double error = std::fabs(static_cast<double>(found[i]) - exact[i]) / exact[i];
        result = error <= result ? result : error;
    }
    return result;
}

}  // namespace

TEST_CASE("random matrices are normalised, and their gradients computed, within the error rule") {
    for (int i = 0; i < case_count(); ++i) check_uniform(random_case(i, largest_rows()));
}

TEST_CASE("gradients of integers are exact") {
    for (int i = 0; i < case_count(); ++i) check_integers(random_case(1000 + i, largest_rows()));
}

TEST_CASE("a mean a thousand times the deviation costs the variance nothing") {
    for (const norm::Variant variant : kVariants) {
        NormCase c;
        c.norm = {.rows = 300, .channels = 128, .variant = variant};
        c.mean = 1000;
        const NormData data = uniform_data(c);
        CHECK(largest_relative_error(run_on_device(c, data).variance, exact_norm(c, data).variance) < 1e-5);
    }
}

TEST_CASE("neither does a first row far from all others, from which deviations are taken") {
    NormCase c;
    c.norm = {.rows = 300, .channels = 128};
    NormData data = uniform_data(c);
    std::fill_n(data.x.begin(), 128, 1e4f);
    CHECK(largest_relative_error(run_on_device(c, data).variance, exact_norm(c, data).variance) < 1e-5);
}

TEST_CASE("equal values have no variance") {
    for (const norm::Variant variant : kVariants) {
        NormCase c;
        c.norm = {.rows = 300, .channels = 20, .variant = variant};
        NormData data = uniform_data(c);
        std::ranges::fill(data.x, 3.0f);
        const NormResult<float> found = run_on_device(c, data);
        CHECK(found.variance == std::vector<float>(20, 0.0f));
        CHECK(found.mean == std::vector<float>(20, 3.0f));
    }
}

TEST_CASE("a value that is not a number makes its channel's moments and results not a number") {
    for (const norm::Variant variant : kVariants) {
        NormCase c;
        c.norm = {.rows = 40, .channels = 3, .activation = norm::Activation::relu, .variant = variant};
        NormData data = uniform_data(c);
        data.x[3 * 17 + 1] = std::nanf("");
        const NormResult<float> found = run_on_device(c, data);
        CHECK(std::isnan(found.mean[1]));
        CHECK(std::isnan(found.variance[1]));
        CHECK(std::isnan(found.y[1]));
        CHECK(!std::isnan(found.variance[0]));
        CHECK(!std::isnan(found.y[0]));
    }
}

TEST_CASE("what nobody asks for needs no memory of the caller's") {
    NormCase c;
    c.norm = {.rows = 300, .channels = 64};
    const NormData data = uniform_data(c);
    const NormResult<float> expected = run_on_device(c, data);
    dev::Stream stream;
    const dev::Buffer<float> x(data.x, stream), dy(data.dy, stream), gamma(data.gamma, stream), beta(data.beta, stream),
        mean(data.mean, stream), variance(data.variance, stream);
    dev::Buffer<float> result(data.x.size());
    dev::Buffer<std::byte> workspace(norm::workspace_bytes(c.norm));
    const std::span<std::byte> memory(workspace.data(), workspace.size());
    std::vector<float> found(result.size());
    norm::forward(c.norm, {.x = x.data(), .gamma = gamma.data(), .beta = beta.data(), .y = result.data()}, memory,
                  stream);
    result.download(found, stream);
    CHECK(found == expected.y);
    norm::backward(c.norm,
                   {.dy = dy.data(),
                    .x = x.data(),
                    .gamma = gamma.data(),
                    .mean = mean.data(),
                    .variance = variance.data(),
                    .dx = result.data()},
                   memory, stream);
    result.download(found, stream);
    CHECK(found == expected.dx);
}

TEST_CASE("scale, shift and scaled filters") {
    dev::Stream stream;
    const std::vector<float> gamma{1, 2, -3}, variance{3, 8, 0}, beta{1, 2, 3}, mean{10, 0, -1};
    const dev::Buffer<float> device_gamma(gamma, stream), device_variance(variance, stream), device_beta(beta, stream),
        device_mean(mean, stream), filter(std::vector<float>{1, 2, 3, 4, 5, 6}, stream);
    dev::Buffer<float> scale(3), shift(3), scaled(6);
    norm::batch_norm_scale(3, 1.0f, device_gamma.data(), device_variance.data(), scale.data(), stream);
    norm::batch_norm_shift(3, device_beta.data(), device_mean.data(), scale.data(), shift.data(), stream);
    norm::scale_filter(3, 2, filter.data(), scale.data(), scaled.data(), stream);
    std::vector<float> found(3), found_filter(6);
    scale.download(found, stream);
    CHECK(found == std::vector<float>{0.5f, 2.0f / 3.0f, -3.0f});
    shift.download(found, stream);
    CHECK(found == std::vector<float>{-4.0f, 2.0f, 0.0f});
    scaled.download(found_filter, stream);
    CHECK(found_filter == std::vector<float>{0.5f, 1.0f, 2.0f, 4.0f * (2.0f / 3.0f), -15.0f, -18.0f});
}

TEST_CASE("descriptors that make no sense are refused before anything is launched") {
    dev::Stream stream;
    dev::Buffer<float> memory(1024);
    dev::Buffer<std::byte> workspace(4096);
    float* p = memory.data();
    const auto refuses = [&](const norm::BatchNorm& n, const norm::Forward& f, std::size_t bytes, const char* why) {
        CHECK_THROWS_WITH_AS(norm::forward(n, f, {workspace.data(), bytes}, stream), doctest::Contains(why),
                             UsageError);
    };
    const norm::BatchNorm good{.rows = 8, .channels = 4};
    const norm::Forward operands{.x = p, .gamma = p, .beta = p, .y = p + 64};
    norm::BatchNorm n = good;
    n.rows = 0;
    refuses(n, operands, 4096, "at least one value per channel");
    n = good;
    n.dtype = DType::f16;
    refuses(n, operands, 4096, "activations are f32 or bf16, not f16");
    norm::Forward f = operands;
    f.gamma = nullptr;
    refuses(good, f, 4096, "an input is null");
    f = operands;
    f.y = p + 1;
    refuses(good, f, 4096, "not aligned to 16 bytes");
    refuses(good, operands, 16, "the workspace has 16 bytes and must have 512");
    n = good;
    n.channels = 0;
    norm::forward(n, {}, {}, stream);  // nothing to do
}
