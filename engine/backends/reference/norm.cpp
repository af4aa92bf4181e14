// Batch norm (the gradient as in Ioffe & Szegedy 2015, section 3) and layer norm; two passes for the moments.
#include <algorithm>
#include <cmath>

#include "engine/backends/reference/reference.h"

namespace cambium::reference {
namespace {

// For each channel the mean over all rows of f(row * channels + c, c).
template <class F>
std::vector<double> channel_means(const Rows& rows, F f) {
    std::vector<double> means(static_cast<std::size_t>(rows.columns), 0.0);
    for (std::int64_t row = 0; row < rows.count; ++row)
        for (std::int64_t c = 0; c < rows.columns; ++c)
            means[static_cast<std::size_t>(c)] += f(row * rows.columns + c, c);
    for (double& mean : means) mean /= static_cast<double>(rows.count);
    return means;
}

template <class F>
void for_each_element(const Rows& rows, F f) {
    for (std::int64_t row = 0; row < rows.count; ++row)
        for (std::int64_t c = 0; c < rows.columns; ++c) f(row * rows.columns + c, c);
}

}  // namespace

void run(const ops::BatchNormApply& op, const Operands& operands) {
    double* y = operands.out(0);
    if (y == nullptr) return;
    const double *x = operands.in(0), *gamma = operands.in(1), *beta = operands.in(2);
    const double *mean = operands.in(3), *variance = operands.in(4);
    for_each_element(Rows(operands.shape(0)), [&](std::int64_t i, std::int64_t c) {
        y[i] = gamma[c] * (x[i] - mean[c]) / std::sqrt(variance[c] + op.epsilon) + beta[c];
    });
}

void run(const ops::BatchNorm& op, const Operands& operands) {
    const Rows rows(operands.shape(0));
    const double *x = operands.in(0), *gamma = operands.in(1), *beta = operands.in(2);
    const std::vector<double> means = channel_means(rows, [&](std::int64_t i, std::int64_t) { return x[i]; });
    const double* mean = means.data();
    const std::vector<double> variances = channel_means(rows, [&](std::int64_t i, std::int64_t c) {
        const double centred = x[i] - mean[c];
        return centred * centred;
    });
    const double* variance = variances.data();
    if (double* y = operands.out(0)) {
        for_each_element(rows, [&](std::int64_t i, std::int64_t c) {
            y[i] = gamma[c] * (x[i] - mean[c]) / std::sqrt(variance[c] + op.epsilon) + beta[c];
        });
    }
    if (double* out = operands.out(1)) std::copy(means.begin(), means.end(), out);
    if (double* out = operands.out(2)) std::copy(variances.begin(), variances.end(), out);
}

namespace {

// With x' = (x - mean) / sqrt(variance + epsilon) and E the mean over a channel's values:
//   dgamma = Sum dy x',  dbeta = Sum dy,  dx = gamma / sqrt(variance + epsilon) (dy - E[dy] - x' E[dy x']).
// The last four inputs are x, gamma, mean, variance, from number `first` on.
void batch_norm_gradient(const double* dy, double epsilon, std::size_t first, const Operands& operands) {
    const Rows rows(operands.shape(0));
    const double *x = operands.in(first), *gamma = operands.in(first + 1);
    const double *mean = operands.in(first + 2), *variance = operands.in(first + 3);
    const auto normalised = [&](std::int64_t i, std::int64_t c) {
        return (x[i] - mean[c]) / std::sqrt(variance[c] + epsilon);
    };
    const std::vector<double> dy_means = channel_means(rows, [&](std::int64_t i, std::int64_t) { return dy[i]; });
    const std::vector<double> product_means =
        channel_means(rows, [&](std::int64_t i, std::int64_t c) { return dy[i] * normalised(i, c); });
    const double *dy_mean = dy_means.data(), *product_mean = product_means.data();
    if (double* dx = operands.out(0)) {
        for_each_element(rows, [&](std::int64_t i, std::int64_t c) {
            const double factor = gamma[c] / std::sqrt(variance[c] + epsilon);
            dx[i] = factor * (dy[i] - dy_mean[c] - normalised(i, c) * product_mean[c]);
        });
    }
    const auto count = static_cast<double>(rows.count);
    if (double* dgamma = operands.out(1)) {
        for (std::int64_t c = 0; c < rows.columns; ++c) dgamma[c] = count * product_mean[c];
    }
    if (double* dbeta = operands.out(2)) {
        for (std::int64_t c = 0; c < rows.columns; ++c) dbeta[c] = count * dy_mean[c];
    }
}

}  // namespace

void run(const ops::BatchNormGradient& op, const Operands& operands) {
    batch_norm_gradient(operands.in(0), op.epsilon, 1, operands);
}

void run(const ops::BatchNormReluGradient& op, const Operands& operands) {
    const double *dy = operands.in(0), *y = operands.in(1);
    std::vector<double> ds(static_cast<std::size_t>(operands.shape(0).count()));
    for (std::size_t i = 0; i < ds.size(); ++i) ds[i] = y[i] > 0 ? dy[i] : 0;
    if (double* out = operands.out(3)) std::copy(ds.begin(), ds.end(), out);
    batch_norm_gradient(ds.data(), op.epsilon, 2, operands);
}

void run(const ops::BatchNormScale& op, const Operands& operands) {
    const double *gamma = operands.in(0), *variance = operands.in(1);
    for (std::int64_t c = 0; c < operands.count(); ++c)
        operands.out()[c] = gamma[c] / std::sqrt(variance[c] + op.epsilon);
}

void run(const ops::BatchNormShift&, const Operands& operands) {
    const double *beta = operands.in(0), *mean = operands.in(1), *scale = operands.in(2);
    for (std::int64_t c = 0; c < operands.count(); ++c) operands.out()[c] = beta[c] - mean[c] * scale[c];
}

void run(const ops::ScaleFilter&, const Operands& operands) {
    const std::int64_t K = operands.shape(0)[0];
    const std::int64_t slice = K == 0 ? 0 : operands.count() / K;
    const double *w = operands.in(0), *scale = operands.in(1);
    for (std::int64_t i = 0; i < K * slice; ++i) operands.out()[i] = w[i] * scale[i / slice];
}

void run(const ops::LayerNorm& op, const Operands& operands) {
    const Rows rows(operands.shape(0));
    const double *x = operands.in(0), *gamma = operands.in(1), *beta = operands.in(2);
    const auto C = static_cast<double>(rows.columns);
    for (std::int64_t row = 0; row < rows.count; ++row, x += rows.columns) {
        double mean = 0, variance = 0;
        for (std::int64_t c = 0; c < rows.columns; ++c) mean += x[c] / C;
        for (std::int64_t c = 0; c < rows.columns; ++c) variance += (x[c] - mean) * (x[c] - mean) / C;
        const double rstd = 1 / std::sqrt(variance + op.epsilon);
        if (double* y = operands.out(0)) {
            for (std::int64_t c = 0; c < rows.columns; ++c)
                y[row * rows.columns + c] = gamma[c] * (x[c] - mean) * rstd + beta[c];
        }
        if (double* means = operands.out(1)) means[row] = mean;
        if (double* rstds = operands.out(2)) rstds[row] = rstd;
    }
}

void run(const ops::LayerNormGradient&, const Operands& operands) {
    const Rows rows(operands.shape(0));
    const double *dy = operands.in(0), *x = operands.in(1), *gamma = operands.in(2);
    const double *mean = operands.in(3), *rstd = operands.in(4);
    double *dx = operands.out(0), *dgamma = operands.out(1), *dbeta = operands.out(2);
    if (dgamma != nullptr) std::fill_n(dgamma, rows.columns, 0.0);
    if (dbeta != nullptr) std::fill_n(dbeta, rows.columns, 0.0);
    const auto C = static_cast<double>(rows.columns);
    for (std::int64_t row = 0; row < rows.count; ++row, dy += rows.columns, x += rows.columns) {
        const auto normalised = [&](std::int64_t c) { return (x[c] - mean[row]) * rstd[row]; };
        double gradient_mean = 0, product_mean = 0;
        for (std::int64_t c = 0; c < rows.columns; ++c) {
            gradient_mean += gamma[c] * dy[c] / C;
            product_mean += gamma[c] * dy[c] * normalised(c) / C;
            if (dgamma != nullptr) dgamma[c] += dy[c] * normalised(c);
            if (dbeta != nullptr) dbeta[c] += dy[c];
        }
        if (dx == nullptr) continue;
        for (std::int64_t c = 0; c < rows.columns; ++c)
            dx[row * rows.columns + c] = rstd[row] * (gamma[c] * dy[c] - gradient_mean - normalised(c) * product_mean);
    }
}

}  // namespace cambium::reference
