// Channel by channel along the last axis. Where c is a whole number of vectors' worth known at compile time (the
// blocked layouts), the vectors of parameters stay in registers; sums always do, over as many rows as a tile has.
#include "engine/backends/cpu/kernels.h"
#include "engine/backends/cpu/simd.h"

namespace cambium::cpu::CAMBIUM_ISA {
namespace {

using i64 = std::int64_t;

void add_bias(const float* x, const float* bias, float* y, i64 rows, i64 c) {
    with_constant(c, [=](auto constant) {
        const i64 width = constant;
        for (i64 r = 0; r < rows; ++r) {
            const i64 row = r * width;
#pragma GCC ivdep
            for (i64 k = 0; k < width; ++k) y[row + k] = x[row + k] + bias[k];
        }
    });
}

void scale_shift(const float* x, const float* scale, const float* shift, float* y, i64 rows, i64 c) {
    with_constant(c, [=](auto constant) {
        const i64 width = constant;
        for (i64 r = 0; r < rows; ++r) {
            const i64 row = r * width;
            if (shift == nullptr) {
#pragma GCC ivdep
                for (i64 k = 0; k < width; ++k) y[row + k] = x[row + k] * scale[k];
            } else {
#pragma GCC ivdep
                for (i64 k = 0; k < width; ++k) y[row + k] = x[row + k] * scale[k] + shift[k];
            }
        }
    });
}

void normalize(const float* x, const float* mean, const float* scale, const float* shift, float* y, i64 rows, i64 c) {
    with_constant(c, [=](auto constant) {
        const i64 width = constant;
        for (i64 r = 0; r < rows; ++r) {
            const i64 row = r * width;
#pragma GCC ivdep
            for (i64 k = 0; k < width; ++k) y[row + k] = (x[row + k] - mean[k]) * scale[k] + shift[k];
        }
    });
}

void normalize_gradient(const float* dy, const float* x, const float* mean, const float* scale, const float* slope,
                        const float* offset, float* dx, i64 rows, i64 c) {
    with_constant(c, [=](auto constant) {
        const i64 width = constant;
        for (i64 r = 0; r < rows; ++r) {
            const i64 row = r * width;
#pragma GCC ivdep
            for (i64 k = 0; k < width; ++k) {
                const float linear = (x[row + k] - mean[k]) * slope[k] + offset[k];
                dx[row + k] = dy[row + k] * scale[k] - linear;
            }
        }
    });
}

// Adds up Terms sums per channel over the rows. term(i, k, sums) adds row-and-channel element i of channel k to sums;
// it is called with Doubles for wide_lanes channels at once and with double for those left over.
template <std::size_t Terms, class Wide, class Narrow>
void accumulate(i64 rows, i64 c, double* const* totals, Wide wide, Narrow narrow) {
    constexpr int unroll = 2;
    i64 k = 0;
    for (; k + unroll * wide_lanes <= c; k += unroll * wide_lanes) {
        Doubles sums[unroll][Terms]{};
        for (i64 r = 0; r < rows; ++r) {
            for (int u = 0; u < unroll; ++u) wide(r * c + k + u * wide_lanes, k + u * wide_lanes, sums[u]);
        }
        for (int u = 0; u < unroll; ++u) {
            for (std::size_t t = 0; t < Terms; ++t) add_to(totals[t] + k + u * wide_lanes, sums[u][t]);
        }
    }
    for (; k < c; ++k) {
        double sums[Terms]{};
        for (i64 r = 0; r < rows; ++r) narrow(r * c + k, k, sums);
        for (std::size_t t = 0; t < Terms; ++t) totals[t][k] += sums[t];
    }
}

void sum(const float* x, double* total, i64 rows, i64 c) {
    double* const totals[] = {total};
    accumulate<1>(
        rows, c, totals, [x](i64 i, i64, Doubles* s) { s[0] += load_wide(x + i); },
        [x](i64 i, i64, double* s) { s[0] += static_cast<double>(x[i]); });
}

void dot(const float* a, const float* b, double* total, i64 rows, i64 c) {
    double* const totals[] = {total};
    accumulate<1>(
        rows, c, totals, [a, b](i64 i, i64, Doubles* s) { s[0] += load_wide(a + i) * load_wide(b + i); },
        [a, b](i64 i, i64, double* s) { s[0] += static_cast<double>(a[i]) * static_cast<double>(b[i]); });
}

void moments(const float* x, double* total, double* square, i64 rows, i64 c) {
    double* const totals[] = {total, square};
    accumulate<2>(
        rows, c, totals,
        [x](i64 i, i64, Doubles* s) {
            const Doubles v = load_wide(x + i);
            s[0] += v;
            s[1] += v * v;
        },
        [x](i64 i, i64, double* s) {
            const double v = static_cast<double>(x[i]);
            s[0] += v;
            s[1] += v * v;
        });
}

void gradient_sums(const float* dy, const float* x, const float* mean, double* total, double* product, i64 rows,
                   i64 c) {
    double* const totals[] = {total, product};
    accumulate<2>(
        rows, c, totals,
        [=](i64 i, i64 k, Doubles* s) {
            const Doubles d = load_wide(dy + i);
            s[0] += d;
            s[1] += d * (load_wide(x + i) - load_wide(mean + k));
        },
        [=](i64 i, i64 k, double* s) {
            const double d = static_cast<double>(dy[i]);
            s[0] += d;
            s[1] += d * (static_cast<double>(x[i]) - static_cast<double>(mean[k]));
        });
}

}  // namespace

const ChannelKernels channel_table{
    .add_bias = add_bias,
    .scale_shift = scale_shift,
    .sum = sum,
    .dot = dot,
    .moments = moments,
    .gradient_sums = gradient_sums,
    .normalize = normalize,
    .normalize_gradient = normalize_gradient,
};

}  // namespace cambium::cpu::CAMBIUM_ISA
