// The moments that a convolution takes of what it stores, against those of the same values in double precision.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "engine/base/error.h"
#include "tests/kernels/conv/cases.h"
#include "tests/kernels/rule.h"
#include "tests/kernels/schedule.h"

using namespace cambium;
using namespace cambium::test;

namespace {

template <class Real>
struct ChannelMoments {
    std::vector<Real> mean, variance;
};

// Two passes over the values, one sum after the other.
template <class Real>
ChannelMoments<Real> moments_of(const std::vector<float>& y, std::size_t channels) {
    ChannelMoments<Real> result{std::vector<Real>(channels), std::vector<Real>(channels)};
    const auto rows = static_cast<Real>(y.size() / channels);
    for (std::size_t i = 0; i < y.size(); ++i) result.mean[i % channels] += static_cast<Real>(y[i]);
    for (Real& mean : result.mean) mean /= rows;
    for (std::size_t i = 0; i < y.size(); ++i) {
        const Real deviation = static_cast<Real>(y[i]) - result.mean[i % channels];
        result.variance[i % channels] += deviation * deviation;
    }
    for (Real& variance : result.variance) variance /= rows;
    return result;
}

void check_moments(const ConvCase& c, const ConvData& data) {
    CAPTURE(c.text());
    const WithMoments found = run_with_moments(c, data);
    CHECK(found.y == run_on_device(c, data));
    const auto channels = static_cast<std::size_t>(c.conv.sizes.k);
    const ChannelMoments<double> exact = moments_of<double>(found.y, channels);
    const ChannelMoments<float> plain = moments_of<float>(found.y, channels);
    double largest = 0;
    for (const float y : found.y) largest = std::max(largest, std::fabs(static_cast<double>(y)));
    CHECK(breach(found.mean, plain.mean, exact.mean, largest) == "");
    CHECK(breach(found.variance, plain.variance, exact.variance, *std::ranges::max_element(exact.variance)) == "");
}

// Random cases whose kernel takes moments: all tiles and types, split sums, groups, channels of every remainder.
std::vector<ConvCase> cases_with_moments(int count) {
    std::vector<ConvCase> cases;
    for (int i = 0; static_cast<int>(cases.size()) < count; ++i) {
        ConvCase c = random_case(3 * i, is_checked_run() ? 24 : 72);  // every third is an fprop
        if (conv::moment_rows(c.conv) > 0) cases.push_back(c);
    }
    return cases;
}

}  // namespace

TEST_CASE("moments of random convolutions are those of what is stored, within the error rule") {
    for (const ConvCase& c : cases_with_moments(is_checked_run() ? 20 : 100)) {
        check_moments(c, make_data(c, Fill::uniform));
    }
}

TEST_CASE("a mean far from zero costs the variance nothing") {
    ConvCase c{.conv = {.sizes = {.n = 2, .h = 9, .w = 9, .c = 8, .k = 20, .r = 3, .s = 3}, .math = conv::Math::f32},
               .bias = true};
    ConvData data = make_data(c, Fill::uniform);
    for (float& x : data.bias) x += 1000.0f;
    check_moments(c, data);
}

TEST_CASE("every schedule, and one worker and two, give the same moments") {
    for (ConvCase& c : cases_with_moments(6)) {
        const ConvData data = make_data(c, Fill::uniform);
        set_schedule(0);
        const WithMoments expected = run_with_moments(c, data);
        for (std::uint64_t seed = 1; seed <= 20; ++seed) {
            set_schedule(seed);
            CHECK_MESSAGE(run_with_moments(c, data) == expected, c.text() << ", schedule " << seed);
        }
        set_schedule(0);
        for (const int workers : {1, 2}) {
            set_workers(workers);
            CHECK_MESSAGE(run_with_moments(c, data) == expected, c.text() << ", workers " << workers);
        }
    }
}

TEST_CASE("where no kernel takes moments, they are refused") {
    dev::Stream stream;
    const dev::Buffer<float> x(16, "x"), w(16, "w");
    dev::Buffer<float> y(64, "y"), cells(64, "cells");
    conv::Conv c{.sizes = {.n = 1, .h = 2, .w = 2, .c = 2, .k = 2, .r = 1, .s = 1},
                 .math = conv::Math::f32,
                 .plan = conv::Plan{.variant = conv::Variant::plain}};
    CHECK(conv::moment_rows(c) == 0);
    c.epilogue.moments = cells.data();
    CHECK_THROWS_WITH_AS(conv::run(c, x.data(), w.data(), y.data(), {}, stream),
                         doctest::Contains("its kernel takes no moments"), UsageError);
    c.plan = {};
    c.epilogue.moments = cells.data() + 1;
    CHECK_THROWS_WITH_AS(conv::run(c, x.data(), w.data(), y.data(), {}, stream),
                         doctest::Contains("moments are not aligned"), UsageError);
    c.direction = conv::Direction::dgrad;
    CHECK(conv::moment_rows(c) == 0);
}
