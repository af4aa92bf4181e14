// Batch norm whose moments came with x, as cells of its rows: merged, they are those of x; applied, they give what
// forward() gives with them.
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

struct Merged {
    std::vector<float> mean, variance;
    bool operator==(const Merged&) const = default;
};

std::size_t size(std::int64_t value) { return static_cast<std::size_t>(value); }

// The first value, the mean minus that and the squared deviations of each `cell_rows` rows of x, rounded to f32 once:
// [cells, 3, C].
std::vector<float> cells_of(const NormCase& c, const NormData& data, std::int64_t cell_rows) {
    const std::int64_t channels = c.norm.channels;
    std::vector<float> cells;
    for (std::int64_t first = 0; first < c.norm.rows; first += cell_rows) {
        const std::int64_t end = std::min(first + cell_rows, c.norm.rows);
        std::vector<float> values, beyond, squares;
        for (std::int64_t k = 0; k < channels; ++k) {
            double sum = 0, deviations = 0;
            for (std::int64_t row = first; row < end; ++row)
                sum += static_cast<double>(data.x[size(row * channels + k)]);
            const double mean = sum / static_cast<double>(end - first);
            for (std::int64_t row = first; row < end; ++row) {
                const double deviation = static_cast<double>(data.x[size(row * channels + k)]) - mean;
                deviations += deviation * deviation;
            }
            values.push_back(data.x[size(first * channels + k)]);
            beyond.push_back(static_cast<float>(mean - static_cast<double>(values.back())));
            squares.push_back(static_cast<float>(deviations));
        }
        for (const auto* terms : {&values, &beyond, &squares}) cells.insert(cells.end(), terms->begin(), terms->end());
    }
    return cells;
}

Merged merged(const NormCase& c, const NormData& data, std::int64_t cell_rows) {
    dev::Stream stream;
    const dev::Buffer<float> cells(cells_of(c, data, cell_rows), stream, "cells");
    dev::Buffer<float> mean(size(c.norm.channels), "mean"), variance(size(c.norm.channels), "variance");
    const norm::CellMoments moments{.rows = c.norm.rows,
                                    .channels = c.norm.channels,
                                    .cell_rows = cell_rows,
                                    .cells = cells.data(),
                                    .mean = mean.data(),
                                    .variance = variance.data()};
    dev::Buffer<std::byte> workspace(norm::workspace_bytes(moments), "workspace");
    norm::merge_moments(moments, {workspace.data(), workspace.size()}, stream);
    Merged result{std::vector<float>(size(c.norm.channels)), std::vector<float>(size(c.norm.channels))};
    mean.download(result.mean, stream);
    variance.download(result.variance, stream);
    return result;
}

template <class T>
std::vector<float> applied(const NormCase& c, const NormData& data, const NormResult<float>& moments) {
    dev::Stream stream;
    const auto device = [&](const std::vector<float>& values) { return dev::Buffer<T>(converted<T>(values), stream); };
    const dev::Buffer<T> x = device(data.x), residual = device(data.residual);
    const dev::Buffer<float> gamma(data.gamma, stream), beta(data.beta, stream), mean(moments.mean, stream),
        variance(moments.variance, stream);
    dev::Buffer<T> y(data.x.size(), "y");
    norm::apply(c.norm,
                {.x = x.data(),
                 .gamma = gamma.data(),
                 .beta = beta.data(),
                 .mean = mean.data(),
                 .variance = variance.data(),
                 .residual = c.residual ? residual.data() : nullptr,
                 .y = y.data()},
                stream);
    std::vector<T> host(data.x.size());
    y.download(host, stream);
    return widened(host);
}

}  // namespace

TEST_CASE("merged cells have the moments of their rows, within the error rule") {
    for (int i = 0; i < (is_checked_run() ? 10 : 50); ++i) {
        const NormCase c = random_case(2000 + i, is_checked_run() ? 100 : 700);
        const NormData data = uniform_data(c);
        const NormResult<double> exact = exact_norm(c, data);
        const NormResult<float> plain = low_precision_norm(c, data);
        for (const std::int64_t cell_rows : {1, 3, 32, 64}) {
            CAPTURE(c.text());
            CAPTURE(cell_rows);
            const Merged found = merged(c, data, cell_rows);
            CHECK(breach(found.mean, plain.mean, exact.mean, c.mean + 1) == "");
            CHECK(breach(found.variance, plain.variance, exact.variance, *std::ranges::max_element(exact.variance)) ==
                  "");
        }
    }
}

TEST_CASE("given moments are applied as forward() applies its own, to the bit") {
    for (int i = 0; i < (is_checked_run() ? 10 : 50); ++i) {
        NormCase c = random_case(3000 + i, is_checked_run() ? 100 : 300);
        c.in_place = false;
        const NormData data = uniform_data(c);
        for (const norm::Variant variant : {norm::Variant::plain, norm::Variant::tuned}) {
            c.norm.variant = variant;
            CAPTURE(c.text());
            const NormResult<float> expected = run_on_device(c, data);
            CHECK((c.norm.dtype == DType::bf16 ? applied<bf16>(c, data, expected)
                                               : applied<float>(c, data, expected)) == expected.y);
        }
    }
}

TEST_CASE("every schedule, and one worker and two, merge cells to the same bits") {
    NormCase c;
    c.norm = {.rows = 700, .channels = 36};
    const NormData data = uniform_data(c);
    const Merged expected = merged(c, data, 1);
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        set_schedule(seed);
        CHECK(merged(c, data, 1) == expected);
    }
    set_schedule(0);
    for (const int workers : {1, 2}) {
        set_workers(workers);
        CHECK(merged(c, data, 1) == expected);
    }
}

TEST_CASE("cells that make no sense are refused") {
    dev::Stream stream;
    dev::Buffer<float> memory(64);
    norm::CellMoments good{.rows = 8,
                           .channels = 4,
                           .cell_rows = 4,
                           .cells = memory.data(),
                           .mean = memory.data() + 32,
                           .variance = memory.data() + 48};
    norm::CellMoments m = good;
    m.cell_rows = 0;
    CHECK_THROWS_AS(norm::merge_moments(m, {}, stream), UsageError);
    m = good;
    m.mean = nullptr;
    CHECK_THROWS_WITH_AS(norm::merge_moments(m, {}, stream), doctest::Contains("null or not aligned"), UsageError);
    m = good;
    m.rows = 100000;
    CHECK_THROWS_WITH_AS(norm::merge_moments(m, {}, stream), doctest::Contains("the workspace has 0 bytes"),
                         UsageError);
}
