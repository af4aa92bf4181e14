// Moments of the columns of D as they are stored, for a batch norm behind the product, which then need not read D to
// find its mean and variance: each warp leaves those of its own rows, a cell.
#pragma once

#include "kernels/gemm/gemm.h"
#include "kernels/gpu.h"

namespace cambium::gemm {

// Count, mean and squared deviations of some values; the mean as one of the values and what it is more than that, lest
// the difference of two means be lost in their common size. merge() is the update of Chan, Golub & LeVeque 1979, which
// cancels nothing.
struct Moments {
    float count = 0, value = 0, beyond = 0, squares = 0;

    // Where this is empty, so is `other`.
    CAMBIUM_DEVICE void merge(const Moments& other) {
        if (other.count == 0.0f) return;
        const float total = count + other.count, share = other.count / total,
                    difference = other.value - value + (other.beyond - beyond);
        squares += other.squares + difference * difference * (count * share);
        beyond += difference * share;
        count = total;
    }
};

// One lane's: the sums of x - s and (x - s)^2 over its rows, s being the first of them. That cancels little: with Q the
// sum of squared deviations and m the mean, Sum (x - s)^2 = Q + n (s - m)^2 <= (n + 1) Q, as (s - m)^2 is a term of Q.
template <int Columns>
struct LaneMoments {
    float count = 0, first[Columns] = {}, sum[Columns] = {}, squares[Columns] = {};

    CAMBIUM_DEVICE void add(const float (&values)[Columns]) {
        for (int i = 0; i < Columns; ++i) {
            if (count == 0.0f) first[i] = values[i];
            const float deviation = values[i] - first[i];
            sum[i] += deviation;
            squares[i] += deviation * deviation;
        }
        count += 1.0f;
    }
    CAMBIUM_DEVICE Moments column(int i) const {
        if (count == 0.0f) return {};
        const float mean = sum[i] / count, rest = squares[i] - sum[i] * mean;
        return {count, first[i], mean, rest < 0.0f ? 0.0f : rest};
    }
};

// Stores the cell of a warp whose lanes l, l + Lanes, ... share columns. cells: [cells, 3, n], a value, what the mean
// is more than that, and the squared deviations of each column; `column` is this lane's first, those from `end` on do
// not exist. Lanes hold lower rows than those behind them.
template <int Lanes, int Columns>
CAMBIUM_DEVICE void store_cell(const LaneMoments<Columns>& lane, float* cells, std::int64_t cell, std::int64_t n,
                               std::int64_t column, std::int64_t end) {
    dev::Vector<float, Columns> terms[3];
    for (int i = 0; i < Columns; ++i) {
        Moments moments = lane.column(i);
#pragma unroll
        for (int distance = 16; distance >= Lanes; distance /= 2) {
            Moments other;
            other.count = __shfl_down_sync(0xffffffffu, moments.count, distance);
            other.value = __shfl_down_sync(0xffffffffu, moments.value, distance);
            other.beyond = __shfl_down_sync(0xffffffffu, moments.beyond, distance);
            other.squares = __shfl_down_sync(0xffffffffu, moments.squares, distance);
            moments.merge(other);
        }
        terms[0][i] = moments.value;
        terms[1][i] = moments.beyond;
        terms[2][i] = moments.squares;
    }
    if (static_cast<int>(dev::lane_index()) >= Lanes || column >= end) return;
    for (int term = 0; term < 3; ++term) {
        float* target = cells + (3 * cell + term) * n + column;
        if (n % Columns == 0 && column % Columns == 0 && column + Columns <= end) {
            dev::store_vector(target, terms[term]);
        } else {
            for (int i = 0; i < Columns && column + i < end; ++i) target[i] = terms[term][i];
        }
    }
}

}  // namespace cambium::gemm
