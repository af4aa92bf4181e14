// Layer norm to be right at a glance: a thread per row, and per channel for the sums over rows.
#pragma once

#include "kernels/gpu.h"

namespace cambium::norm {

inline constexpr int kPlainRows = 64;

CAMBIUM_DEVICE std::int64_t plain_index() { return static_cast<std::int64_t>(blockIdx.x) * kPlainRows + threadIdx.x; }

template <class T>
__global__ void __launch_bounds__(kPlainRows)
    layer_norm_plain(const T* x, const float* gamma, const float* beta, T* y, float* mean, float* rstd,
                     std::int64_t rows, std::int64_t channels, float epsilon) {
    const std::int64_t row = plain_index();
    if (row >= rows) return;
    const T* from = x + row * channels;
    const auto count = static_cast<float>(channels);
    float centre = 0.0f, variance = 0.0f;
    for (std::int64_t c = 0; c < channels; ++c) centre += static_cast<float>(from[c]) / count;
    for (std::int64_t c = 0; c < channels; ++c) {
        const float deviation = static_cast<float>(from[c]) - centre;
        variance += deviation * deviation / count;
    }
    const float scale = 1.0f / sqrtf(variance + epsilon);
    if (mean != nullptr) mean[row] = centre;
    if (rstd != nullptr) rstd[row] = scale;
    for (std::int64_t c = 0; c < channels && y != nullptr; ++c) {
        y[row * channels + c] = T((static_cast<float>(from[c]) - centre) * scale * gamma[c] + beta[c]);
    }
}

template <class T>
__global__ void __launch_bounds__(kPlainRows)
    layer_norm_gradient_plain(const T* dy, const T* x, const float* gamma, const float* mean, const float* rstd, T* dx,
                              std::int64_t rows, std::int64_t channels) {
    const std::int64_t row = plain_index(), first = row * channels;
    if (row >= rows) return;
    const auto count = static_cast<float>(channels);
    const auto normalised = [&](std::int64_t c) { return (static_cast<float>(x[first + c]) - mean[row]) * rstd[row]; };
    float offset = 0.0f, slope = 0.0f;
    for (std::int64_t c = 0; c < channels; ++c) {
        const float g = gamma[c] * static_cast<float>(dy[first + c]);
        offset += g / count;
        slope += g * normalised(c) / count;
    }
    for (std::int64_t c = 0; c < channels; ++c) {
        const float g = gamma[c] * static_cast<float>(dy[first + c]);
        dx[first + c] = T(rstd[row] * (g - offset - normalised(c) * slope));
    }
}

template <class T>
__global__ void __launch_bounds__(kPlainRows)
    layer_norm_sums_plain(const T* dy, const T* x, const float* mean, const float* rstd, float* dgamma, float* dbeta,
                          std::int64_t rows, std::int64_t channels) {
    const std::int64_t c = plain_index();
    if (c >= channels) return;
    float sum = 0.0f, product = 0.0f;
    for (std::int64_t row = 0; row < rows; ++row) {
        const float gradient = static_cast<float>(dy[row * channels + c]);
        sum += gradient;
        product += gradient * ((static_cast<float>(x[row * channels + c]) - mean[row]) * rstd[row]);
    }
    dbeta[c] = sum;
    dgamma[c] = product;
}

}  // namespace cambium::norm
