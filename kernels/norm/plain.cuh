// Batch norm to be right at a glance. Moments and sums: a block per channel, whose threads walk down the rows and meet
// in a tree; the variance in a second pass, from the mean of the first. The rest: a thread per element.
#pragma once

#include "kernels/gpu.h"
#include "kernels/norm/norm.h"

namespace cambium::norm {

inline constexpr int kPlainThreads = 128;

struct PlainMemory {
    dev::Shared<float, kPlainThreads> partial;
};

// The sum over the block of what each thread brings, in all threads.
CAMBIUM_DEVICE float block_sum(PlainMemory& shared, float value) {
    const int thread = static_cast<int>(threadIdx.x);
    __syncthreads();  // the previous sum has been read
    shared.partial[thread] = value;
    for (int half = kPlainThreads / 2; half > 0; half /= 2) {
        __syncthreads();
        if (thread < half) shared.partial[thread] += shared.partial[thread + half];
    }
    __syncthreads();
    return shared.partial[0];
}

// The sum over the block's channel of value(index of an element).
template <class Value>
CAMBIUM_DEVICE float channel_sum(PlainMemory& shared, std::int64_t rows, std::int64_t channels, Value&& value) {
    float sum = 0.0f;
    for (std::int64_t row = threadIdx.x; row < rows; row += kPlainThreads) sum += value(row * channels + blockIdx.x);
    return block_sum(shared, sum);
}

template <class T>
__global__ void __launch_bounds__(kPlainThreads)
    batch_norm_moments_plain(const T* x, float* mean, float* variance, std::int64_t rows, std::int64_t channels) {
    auto& shared = dev::shared<PlainMemory>();
    const auto count = static_cast<float>(rows);
    const float average =
        channel_sum(shared, rows, channels, [&](std::int64_t i) { return static_cast<float>(x[i]); }) / count;
    const float squares = channel_sum(shared, rows, channels, [&](std::int64_t i) {
        const float deviation = static_cast<float>(x[i]) - average;
        return deviation * deviation;
    });
    if (threadIdx.x == 0) {
        mean[blockIdx.x] = average;
        variance[blockIdx.x] = squares / count;
    }
}

template <class T>
__global__ void __launch_bounds__(kPlainThreads)
    batch_norm_plain(const T* x, const float* gamma, const float* beta, const float* mean, const float* variance,
                     const T* residual, T* y, std::int64_t elements, std::int64_t channels, float epsilon,
                     Activation activation) {
    const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kPlainThreads + threadIdx.x;
    if (i >= elements) return;
    const std::int64_t c = i % channels;
    float value = gamma[c] * ((static_cast<float>(x[i]) - mean[c]) / sqrtf(variance[c] + epsilon)) + beta[c];
    if (residual != nullptr) value += static_cast<float>(residual[i]);
    y[i] = T(activation == Activation::relu && value < 0.0f ? 0.0f : value);
}

// dy behind the relu, if there was one.
template <class T>
CAMBIUM_DEVICE float summand_gradient(const T* dy, const T* relu, std::int64_t i) {
    return relu == nullptr || static_cast<float>(relu[i]) > 0.0f ? static_cast<float>(dy[i]) : 0.0f;
}

template <class T>
__global__ void __launch_bounds__(kPlainThreads)
    batch_norm_sums_plain(const T* dy, const T* x, const T* relu, const float* mean, const float* variance,
                          float* dgamma, float* dbeta, std::int64_t rows, std::int64_t channels, float epsilon) {
    auto& shared = dev::shared<PlainMemory>();
    const float centre = mean[blockIdx.x];
    const float sum =
        channel_sum(shared, rows, channels, [&](std::int64_t i) { return summand_gradient(dy, relu, i); });
    const float product = channel_sum(shared, rows, channels, [&](std::int64_t i) {
        return summand_gradient(dy, relu, i) * (static_cast<float>(x[i]) - centre);
    });
    if (threadIdx.x == 0) {
        dbeta[blockIdx.x] = sum;
        dgamma[blockIdx.x] = product / sqrtf(variance[blockIdx.x] + epsilon);
    }
}

template <class T>
__global__ void __launch_bounds__(kPlainThreads)
    batch_norm_gradient_plain(const T* dy, const T* x, const T* relu, const float* gamma, const float* mean,
                              const float* variance, const float* dgamma, const float* dbeta, T* dx, T* ds,
                              std::int64_t elements, std::int64_t channels, float epsilon) {
    const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kPlainThreads + threadIdx.x;
    if (i >= elements) return;
    const std::int64_t c = i % channels;
    const auto count = static_cast<float>(elements / channels);
    const float rstd = 1.0f / sqrtf(variance[c] + epsilon);
    const float normalised = (static_cast<float>(x[i]) - mean[c]) * rstd, gradient = summand_gradient(dy, relu, i);
    if (ds != nullptr) ds[i] = T(gradient);
    if (dx == nullptr) return;
    dx[i] = T(gamma[c] * rstd * (gradient - dbeta[c] / count - normalised * (dgamma[c] / count)));
}

}  // namespace cambium::norm
