// Layer norm with a warp per row, or a block where rows are long.
//   1. the threads of a row take every Threads-th run of Width channels: the mean, then the squared deviations from it
//      (rows.cuh); the row is a few KB and stays in L1, so device memory is read once;
//   2. a third walk stores y, or dx;
//   3. dgamma and dbeta are sums over rows: columns.cuh, with each row's mean and rstd beside its elements.
#pragma once

#include "kernels/norm/layer_norm.h"
#include "kernels/reduce/columns.cuh"
#include "kernels/reduce/rows.cuh"

namespace cambium::norm {

using reduce::kRowBlock;
using reduce::Row;

struct LayerNormMemory {
    reduce::RowMemory<float> row;
};

// Calls visit(channel) for the first channel of each of this thread's runs of its row.
template <int Threads, int Width, class Visit>
CAMBIUM_DEVICE void for_runs(std::int64_t channels, Visit&& visit) {
    for (std::int64_t c = Row<Threads>::thread() * Width; c < channels; c += Threads * Width) visit(c);
}

// The sum over a row of value(run, i), in all its threads; `run` is what load(channel) gives.
template <int Threads, int Width, class Load, class Value>
CAMBIUM_DEVICE float row_sum(LayerNormMemory& shared, std::int64_t channels, Load&& load, Value&& value) {
    float share = 0.0f;
    for_runs<Threads, Width>(channels, [&](std::int64_t c) {
        const auto run = load(c);
#pragma unroll
        for (int i = 0; i < Width; ++i) share += value(run, i);
    });
    return reduce::merge_row<Threads>(shared.row, share, reduce::Add{});
}

template <class T, int Width, int Threads>
__global__ void __launch_bounds__(kRowBlock)
    layer_norm_rows(const T* x, const float* gamma, const float* beta, T* y, float* mean, float* rstd,
                    std::int64_t rows, std::int64_t channels, float epsilon) {
    auto& shared = dev::shared<LayerNormMemory>();
    const std::int64_t row = Row<Threads>::index(), first = row * channels;
    if (row >= rows) return;
    const auto load = [&](std::int64_t c) { return dev::load_packed<Width>(x + first + c); };
    const auto count = static_cast<float>(channels);
    using Run = dev::Packed<T, Width>;
    const float centre =
        row_sum<Threads, Width>(shared, channels, load, [](const Run& run, int i) { return run[i]; }) / count;
    const float squares = row_sum<Threads, Width>(shared, channels, load, [&](const Run& run, int i) {
        const float deviation = run[i] - centre;
        return deviation * deviation;
    });
    const float scale = 1.0f / sqrtf(squares / count + epsilon);
    if (Row<Threads>::thread() == 0) {
        if (mean != nullptr) mean[row] = centre;
        if (rstd != nullptr) rstd[row] = scale;
    }
    if (y == nullptr) return;
    for_runs<Threads, Width>(channels, [&](std::int64_t c) {
        const Run run = load(c);
        float factors[Width], values[Width];
        dev::load_floats(gamma + c, factors);
        dev::load_floats(beta + c, values);
#pragma unroll
        for (int i = 0; i < Width; ++i) values[i] += (run[i] - centre) * scale * factors[i];
        dev::store_packed(y + first + c, values);
    });
}

// A run of dy, x and gamma.
template <class T, int Width>
struct GradientRun {
    dev::Packed<T, Width> dy, x;
    float gamma[Width];
};

template <class T, int Width, int Threads>
__global__ void __launch_bounds__(kRowBlock)
    layer_norm_gradient_rows(const T* dy, const T* x, const float* gamma, const float* mean, const float* rstd, T* dx,
                             std::int64_t rows, std::int64_t channels) {
    auto& shared = dev::shared<LayerNormMemory>();
    const std::int64_t row = Row<Threads>::index(), first = row * channels;
    if (row >= rows) return;
    using Run = GradientRun<T, Width>;
    const auto load = [&](std::int64_t c) {
        Run run{dev::load_packed<Width>(dy + first + c), dev::load_packed<Width>(x + first + c), {}};
        dev::load_floats(gamma + c, run.gamma);
        return run;
    };
    const float centre = mean[row], scale = rstd[row], count = static_cast<float>(channels);
    const float offset = row_sum<Threads, Width>(shared, channels, load,
                                                 [](const Run& run, int i) { return run.gamma[i] * run.dy[i]; }) /
                         count;
    const float slope = row_sum<Threads, Width>(shared, channels, load,
                                                [&](const Run& run, int i) {
                                                    return run.gamma[i] * run.dy[i] * ((run.x[i] - centre) * scale);
                                                }) /
                        count;
    for_runs<Threads, Width>(channels, [&](std::int64_t c) {
        const Run run = load(c);
        float values[Width];
#pragma unroll
        for (int i = 0; i < Width; ++i) {
            const float normalised = (run.x[i] - centre) * scale;
            values[i] = scale * (run.gamma[i] * run.dy[i] - offset - normalised * slope);
        }
        dev::store_packed(dx + first + c, values);
    });
}

// Sum dy and Sum dy x' over rows.
template <class T, int Width>
struct LayerNormSums {
    static constexpr int kWidth = Width, kTerms = 2;
    struct Loaded {
        dev::Packed<T, Width> dy, x;
        float mean, rstd;
    };
    struct State {
        float sum[Width], product[Width];
    };
    const T *dy, *x;
    const float *mean, *rstd;
    float *dgamma, *dbeta;
    std::int64_t channels;

    CAMBIUM_DEVICE Loaded load(std::int64_t row, std::int64_t channel) const {
        const std::int64_t at = row * channels + channel;
        return {dev::load_packed<Width>(dy + at), dev::load_packed<Width>(x + at), mean[row], rstd[row]};
    }
    CAMBIUM_DEVICE State begin(std::int64_t, std::int64_t) const { return {}; }
    CAMBIUM_DEVICE void add(State& state, const Loaded& loaded) const {
#pragma unroll
        for (int i = 0; i < Width; ++i) {
            state.sum[i] += loaded.dy[i];
            state.product[i] += loaded.dy[i] * ((loaded.x[i] - loaded.mean) * loaded.rstd);
        }
    }
    CAMBIUM_DEVICE void close(const State& state, std::int64_t, float (&cells)[Width][kTerms]) const {
#pragma unroll
        for (int i = 0; i < Width; ++i) {
            cells[i][0] = state.sum[i];
            cells[i][1] = state.product[i];
        }
    }
    static CAMBIUM_DEVICE void merge(float (&a)[kTerms], const float (&b)[kTerms]) {
        a[0] += b[0];
        a[1] += b[1];
    }
    CAMBIUM_DEVICE void finish(std::int64_t channel, const float (&cells)[Width][kTerms]) const {
        float sums[Width], products[Width];
#pragma unroll
        for (int i = 0; i < Width; ++i) {
            sums[i] = cells[i][0];
            products[i] = cells[i][1];
        }
        dev::store_floats(dbeta + channel, sums);
        dev::store_floats(dgamma + channel, products);
    }
};

template <class T, int Width>
__global__ void __launch_bounds__(kStripThreads)
    layer_norm_sums(const T* dy, const T* x, const float* mean, const float* rstd, float* dgamma, float* dbeta,
                    float* partials, unsigned* arrived, Strips strips) {
    reduce::reduce_columns(LayerNormSums<T, Width>{dy, x, mean, rstd, dgamma, dbeta, strips.channels}, strips, partials,
                           arrived);
}

}  // namespace cambium::norm
