// Rows of softmax and layer norm. Sums are in f64: their f32 terms are exact there, so one pass serves.
#include "engine/backends/cpu/kernels.h"
#include "engine/backends/cpu/simd.h"
#include "engine/backends/cpu/vector_math.h"

namespace cambium::cpu::CAMBIUM_ISA {
namespace {

using i64 = std::int64_t;

double total(Doubles v) {
    double sum = 0;
    for (int lane = 0; lane < wide_lanes; ++lane) sum += v[lane];
    return sum;
}

float maximum(const float* x, i64 n) {
    float largest = x[0];
    i64 i = 0;
    if (n >= lanes) {
        Floats best = load(x);
        for (i = lanes; i + lanes <= n; i += lanes) {
            const Floats v = load(x + i);
            best = v > best ? v : best;
        }
        for (int lane = 0; lane < lanes; ++lane) largest = best[lane] > largest ? best[lane] : largest;
    }
    for (; i < n; ++i) largest = x[i] > largest ? x[i] : largest;
    return largest;
}

void exponentials(const float* x, float scale, float shift, float* y, i64 n) {
#pragma GCC ivdep
    for (i64 i = 0; i < n; ++i) y[i] = exponential(scale * x[i] - shift);
}

void softmax_gradient(const float* p, const float* dp, float mean, float scale, float* ds, i64 n) {
#pragma GCC ivdep
    for (i64 i = 0; i < n; ++i) ds[i] = scale * p[i] * (dp[i] - mean);
}

double dot(const float* a, const float* b, i64 n) {
    Doubles even{}, odd{};
    i64 i = 0;
    for (; i + 2 * wide_lanes <= n; i += 2 * wide_lanes) {
        even += load_wide(a + i) * load_wide(b + i);
        odd += load_wide(a + i + wide_lanes) * load_wide(b + i + wide_lanes);
    }
    double result = total(even + odd);
    for (; i < n; ++i) result += static_cast<double>(a[i]) * static_cast<double>(b[i]);
    return result;
}

void layer_norm(const float* x, const float* gamma, const float* beta, float mean, float rstd, float* y, i64 n) {
#pragma GCC ivdep
    for (i64 i = 0; i < n; ++i) y[i] = (x[i] - mean) * rstd * gamma[i] + beta[i];
}

LayerNormSums layer_norm_sums(const float* dy, const float* x, const float* gamma, float mean, float rstd,
                              double* dgamma, double* dbeta, i64 n) {
    const double mean64 = static_cast<double>(mean), rstd64 = static_cast<double>(rstd);
    Doubles gradients{}, products{};
    i64 i = 0;
    for (; i + wide_lanes <= n; i += wide_lanes) {
        const Doubles d = load_wide(dy + i), normalised = (load_wide(x + i) - mean64) * rstd64;
        const Doubles g = d * load_wide(gamma + i);
        add_to(dgamma + i, d * normalised);
        add_to(dbeta + i, d);
        gradients += g;
        products += g * normalised;
    }
    LayerNormSums sums{total(gradients), total(products)};
    for (; i < n; ++i) {
        const double d = static_cast<double>(dy[i]), normalised = (static_cast<double>(x[i]) - mean64) * rstd64;
        const double g = d * static_cast<double>(gamma[i]);
        dgamma[i] += d * normalised;
        dbeta[i] += d;
        sums.gradient += g;
        sums.product += g * normalised;
    }
    return sums;
}

void layer_norm_gradient(const float* dy, const float* x, const float* gamma, float mean, float rstd, float offset,
                         float slope, float* dx, i64 n) {
#pragma GCC ivdep
    for (i64 i = 0; i < n; ++i) dx[i] = rstd * (dy[i] * gamma[i] - offset - (x[i] - mean) * rstd * slope);
}

}  // namespace

const RowKernels row_table{
    .maximum = maximum,
    .exponentials = exponentials,
    .softmax_gradient = softmax_gradient,
    .dot = dot,
    .layer_norm = layer_norm,
    .layer_norm_sums = layer_norm_sums,
    .layer_norm_gradient = layer_norm_gradient,
};

}  // namespace cambium::cpu::CAMBIUM_ISA
