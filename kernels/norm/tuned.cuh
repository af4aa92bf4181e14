// Batch norm bound by memory: each pass reads every tensor once, 16 bytes a thread where channels are a multiple of
// that. Forward: moments (one pass, parts combined by the block that arrives last), then apply. Backward: two sums,
// then apply. The second pass takes the rows in the opposite order, so that it begins with what the first read last and
// L2 still holds.
#pragma once

#include "kernels/norm/norm.h"
#include "kernels/reduce/columns.cuh"

namespace cambium::norm {

// Count, sum and squared deviations of a channel. A thread sums x - s and (x - s)^2 over its n values, s being the
// first of them. Their combination cancels little: with D the sum of squared deviations and m the mean, Sum (x - s)^2 =
// D + n (s - m)^2 <= (n + 1) D, as (s - m)^2 is a term of D. Cells are combined by the update of Chan, Golub & LeVeque
// 1979, which cancels nothing; their sums are taken about the channel's value in row 0, lest the difference of two
// means be lost in their common size.
template <class T, int Width>
struct Moments {
    static constexpr int kWidth = Width, kTerms = 3;  // count, sum of x - row 0, sum of squared deviations
    struct State {
        float shift[Width], sum[Width], squares[Width], count;
    };
    const T* x;
    float *mean, *variance;
    std::int64_t channels;

    CAMBIUM_DEVICE dev::Packed<T, Width> load(std::int64_t row, std::int64_t channel) const {
        return dev::load_packed<Width>(x + row * channels + channel);
    }
    CAMBIUM_DEVICE State begin(std::int64_t row, std::int64_t channel) const {
        State state{};
        const auto first = load(row, channel);
#pragma unroll
        for (int i = 0; i < Width; ++i) state.shift[i] = first[i];
        return state;
    }
    CAMBIUM_DEVICE void add(State& state, const dev::Packed<T, Width>& loaded) const {
        state.count += 1.0f;
#pragma unroll
        for (int i = 0; i < Width; ++i) {
            const float deviation = loaded[i] - state.shift[i];
            state.sum[i] += deviation;
            state.squares[i] += deviation * deviation;
        }
    }
    CAMBIUM_DEVICE void close(const State& state, std::int64_t channel, float (&cells)[Width][kTerms]) const {
        const auto origin = load(0, channel);
#pragma unroll
        for (int i = 0; i < Width; ++i) {
            const float squares = state.squares[i] - state.sum[i] * (state.sum[i] / state.count);
            cells[i][0] = state.count;
            cells[i][1] = state.sum[i] + state.count * (state.shift[i] - origin[i]);
            cells[i][2] = squares < 0.0f ? 0.0f : squares;
        }
    }
    static CAMBIUM_DEVICE void merge(float (&a)[kTerms], const float (&b)[kTerms]) {
        if (b[0] == 0.0f) return;
        if (a[0] != 0.0f) {
            const float difference = b[1] / b[0] - a[1] / a[0];
            a[2] += difference * difference * (a[0] * (b[0] / (a[0] + b[0])));
        }
        a[0] += b[0];
        a[1] += b[1];
        a[2] += b[2];
    }
    CAMBIUM_DEVICE void finish(std::int64_t channel, const float (&cells)[Width][kTerms]) const {
        const auto origin = load(0, channel);
        float means[Width], variances[Width];
#pragma unroll
        for (int i = 0; i < Width; ++i) {
            means[i] = origin[i] + cells[i][1] / cells[i][0];
            variances[i] = cells[i][2] / cells[i][0];
        }
        dev::store_floats(mean + channel, means);
        dev::store_floats(variance + channel, variances);
    }
};

// Moments of a channel from those of cells of its rows; a row of the reduction is a cell. Means are taken about the
// first cell's value.
template <int Width>
struct MergedMoments {
    static constexpr int kWidth = Width, kTerms = 3;  // count, mean - origin, sum of squared deviations
    struct Row {
        float count, value[Width], beyond[Width], squares[Width];
    };
    struct State {
        float origin[Width], cells[Width][kTerms];
    };
    const float* cells;
    float *mean, *variance;
    std::int64_t rows, cell_rows, channels;

    CAMBIUM_DEVICE Row load(std::int64_t cell, std::int64_t channel) const {
        const std::int64_t left = rows - cell * cell_rows;
        Row row;
        row.count = static_cast<float>(left < cell_rows ? left : cell_rows);
        const float* first = cells + 3 * cell * channels + channel;
        dev::load_floats(first, row.value);
        dev::load_floats(first + channels, row.beyond);
        dev::load_floats(first + 2 * channels, row.squares);
        return row;
    }
    CAMBIUM_DEVICE State begin(std::int64_t, std::int64_t channel) const {
        State state{};
        dev::load_floats(cells + channel, state.origin);
        return state;
    }
    CAMBIUM_DEVICE void add(State& state, const Row& row) const {
#pragma unroll
        for (int i = 0; i < Width; ++i) {
            merge(state.cells[i], {row.count, row.value[i] - state.origin[i] + row.beyond[i], row.squares[i]});
        }
    }
    CAMBIUM_DEVICE void close(const State& state, std::int64_t, float (&closed)[Width][kTerms]) const {
#pragma unroll
        for (int i = 0; i < Width; ++i)
            for (int t = 0; t < kTerms; ++t) closed[i][t] = state.cells[i][t];
    }
    static CAMBIUM_DEVICE void merge(float (&a)[kTerms], const float (&b)[kTerms]) {
        if (b[0] == 0.0f) return;
        const float count = a[0] + b[0], share = b[0] / count, difference = b[1] - a[1];
        a[2] += b[2] + difference * difference * (a[0] * share);
        a[1] += difference * share;
        a[0] = count;
    }
    CAMBIUM_DEVICE void finish(std::int64_t channel, const float (&merged)[Width][kTerms]) const {
        float origin[Width], means[Width], variances[Width];
        dev::load_floats(cells + channel, origin);
#pragma unroll
        for (int i = 0; i < Width; ++i) {
            means[i] = origin[i] + merged[i][1];
            variances[i] = merged[i][2] / merged[i][0];
        }
        dev::store_floats(mean + channel, means);
        dev::store_floats(variance + channel, variances);
    }
};

// Whether there was a relu between y and what dy is the gradient of. Instances without one need half the registers.
enum class Behind : std::uint8_t { nothing, relu };

// A row of the operands of a gradient: dy, x and, where there was a relu, its result.
template <class T, int Width, Behind behind>
struct GradientRow {
    static constexpr int kOperands = behind == Behind::relu ? 3 : 2;
    dev::Packed<T, Width> operand[kOperands];
    std::int64_t at;

    static CAMBIUM_DEVICE GradientRow loaded(const T* dy, const T* x, const T* relu, std::int64_t at) {
        GradientRow row;
        row.at = at;
        row.operand[0] = dev::load_packed<Width>(dy + at);
        row.operand[1] = dev::load_packed<Width>(x + at);
        if constexpr (behind == Behind::relu) row.operand[2] = dev::load_packed<Width>(relu + at);
        return row;
    }
    CAMBIUM_DEVICE float x(int i) const { return operand[1][i]; }
    // The gradient of what relu was applied to.
    CAMBIUM_DEVICE float ds(int i) const {
        if constexpr (behind == Behind::relu) {
            if (!(operand[2][i] > 0.0f)) return 0.0f;
        }
        return operand[0][i];
    }
};

// Sum ds and Sum ds (x - mean), ds being dy where there was no relu; and ds itself, where it is wanted.
template <class T, int Width, Behind behind>
struct GradientSums {
    static constexpr int kWidth = Width, kTerms = 2;
    using Row = GradientRow<T, Width, behind>;
    struct State {
        float mean[Width], sum[Width], product[Width];
    };
    const T *dy, *x, *relu;
    const float *mean, *variance;
    float *dgamma, *dbeta;
    T* ds;
    std::int64_t channels;
    float epsilon;

    CAMBIUM_DEVICE Row load(std::int64_t row, std::int64_t channel) const {
        return Row::loaded(dy, x, relu, row * channels + channel);
    }
    CAMBIUM_DEVICE State begin(std::int64_t, std::int64_t channel) const {
        State state{};
        dev::load_floats(mean + channel, state.mean);
        return state;
    }
    CAMBIUM_DEVICE void add(State& state, const Row& loaded) const {
        float gradients[Width];
#pragma unroll
        for (int i = 0; i < Width; ++i) {
            gradients[i] = loaded.ds(i);
            state.sum[i] += gradients[i];
            state.product[i] += gradients[i] * (loaded.x(i) - state.mean[i]);
        }
        if constexpr (behind == Behind::relu) {
            if (ds != nullptr) dev::store_packed(ds + loaded.at, gradients);
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
        float sums[Width], products[Width], variances[Width];
        dev::load_floats(variance + channel, variances);
#pragma unroll
        for (int i = 0; i < Width; ++i) {
            sums[i] = cells[i][0];
            products[i] = cells[i][1] / sqrtf(variances[i] + epsilon);
        }
        dev::store_floats(dbeta + channel, sums);
        dev::store_floats(dgamma + channel, products);
    }
};

template <class T, int Width>
__global__ void __launch_bounds__(kStripThreads)
    batch_norm_moments(const T* x, float* mean, float* variance, float* partials, unsigned* arrived, Strips strips) {
    reduce::reduce_columns(Moments<T, Width>{x, mean, variance, strips.channels}, strips, partials, arrived);
}

template <int Width>
__global__ void __launch_bounds__(kStripThreads)
    merge_cell_moments(const float* cells, float* mean, float* variance, std::int64_t rows, std::int64_t cell_rows,
                       float* partials, unsigned* arrived, Strips strips) {
    reduce::reduce_columns(MergedMoments<Width>{cells, mean, variance, rows, cell_rows, strips.channels}, strips,
                           partials, arrived);
}

template <class T, int Width, Behind behind>
__global__ void __launch_bounds__(kStripThreads)
    batch_norm_sums(const T* dy, const T* x, const T* relu, const float* mean, const float* variance, float* dgamma,
                    float* dbeta, T* ds, float* partials, unsigned* arrived, Strips strips, float epsilon) {
    reduce::reduce_columns(
        GradientSums<T, Width, behind>{dy, x, relu, mean, variance, dgamma, dbeta, ds, strips.channels, epsilon},
        strips, partials, arrived);
}

// The part of the rows that this block takes in a second pass.
CAMBIUM_DEVICE std::int64_t part_from_the_end() { return static_cast<std::int64_t>(gridDim.x) - 1 - blockIdx.x; }

template <class T, int Width>
__global__ void __launch_bounds__(kStripThreads)
    batch_norm_apply(const T* x, const float* gamma, const float* beta, const float* mean, const float* variance,
                     const T* residual, T* y, Strips strips, float epsilon, Activation activation) {
    const StripShare share = strip_share<Width>(strips, part_from_the_end());
    if (share.first >= share.end) return;
    float centre[Width], scale[Width], shift[Width], variances[Width];
    dev::load_floats(mean + share.channel, centre);
    dev::load_floats(gamma + share.channel, scale);
    dev::load_floats(beta + share.channel, shift);
    dev::load_floats(variance + share.channel, variances);
#pragma unroll
    for (int i = 0; i < Width; ++i) scale[i] /= sqrtf(variances[i] + epsilon);
    struct Row {
        dev::Packed<T, Width> x, residual;
    };
    walk_rows(
        share,
        [&](std::int64_t row) {
            const std::int64_t at = row * strips.channels + share.channel;
            Row loaded{dev::load_packed<Width>(x + at), {}};
            if (residual != nullptr) loaded.residual = dev::load_packed<Width>(residual + at);
            return loaded;
        },
        [&](std::int64_t row, const Row& loaded) {
            float values[Width];
#pragma unroll
            for (int i = 0; i < Width; ++i) {
                values[i] = (loaded.x[i] - centre[i]) * scale[i] + shift[i];
                if (residual != nullptr) values[i] += loaded.residual[i];
                if (activation == Activation::relu && values[i] < 0.0f) values[i] = 0.0f;
            }
            dev::store_packed(y + row * strips.channels + share.channel, values);
        });
}

// dx = scale ds - slope (x - mean) - offset, with the three constants of a channel in registers.
template <class T, int Width, Behind behind>
__global__ void __launch_bounds__(kStripThreads)
    batch_norm_gradient_apply(const T* dy, const T* x, const T* relu, const float* gamma, const float* mean,
                              const float* variance, const float* dgamma, const float* dbeta, T* dx, Strips strips,
                              float epsilon) {
    const StripShare share = strip_share<Width>(strips, part_from_the_end());
    if (share.first >= share.end) return;
    const float per_value = 1.0f / static_cast<float>(strips.rows);
    float centre[Width], scale[Width], slope[Width], offset[Width], variances[Width];
    dev::load_floats(mean + share.channel, centre);
    dev::load_floats(gamma + share.channel, scale);
    dev::load_floats(dgamma + share.channel, slope);
    dev::load_floats(dbeta + share.channel, offset);
    dev::load_floats(variance + share.channel, variances);
#pragma unroll
    for (int i = 0; i < Width; ++i) {
        const float rstd = 1.0f / sqrtf(variances[i] + epsilon);
        scale[i] *= rstd;
        slope[i] *= scale[i] * rstd * per_value;
        offset[i] *= scale[i] * per_value;
    }
    using Row = GradientRow<T, Width, behind>;
    walk_rows(
        share, [&](std::int64_t row) { return Row::loaded(dy, x, relu, row * strips.channels + share.channel); },
        [&](std::int64_t row, const Row& loaded) {
            float values[Width];
#pragma unroll
            for (int i = 0; i < Width; ++i) {
                values[i] = scale[i] * loaded.ds(i) - slope[i] * (loaded.x(i) - centre[i]) - offset[i];
            }
            dev::store_packed(dx + row * strips.channels + share.channel, values);
        });
}

}  // namespace cambium::norm
