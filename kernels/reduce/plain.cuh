// Sums to be right at a glance: a thread per result.
#pragma once

#include "kernels/gpu.h"

namespace cambium::reduce {

inline constexpr int kPlainThreads = 128;

template <class T>
__global__ void __launch_bounds__(kPlainThreads)
    sum_plain(const T* x, float* y, std::int64_t results, std::int64_t reduced, std::int64_t inner) {
    const std::int64_t result = static_cast<std::int64_t>(blockIdx.x) * kPlainThreads + threadIdx.x;
    if (result >= results) return;
    const T* first = x + result / inner * reduced * inner + result % inner;
    float sum = 0.0f;
    for (std::int64_t r = 0; r < reduced; ++r) sum += static_cast<float>(first[r * inner]);
    y[result] = sum;
}

template <class T>
__global__ void __launch_bounds__(kPlainThreads)
    dot_plain(const T* a, const T* b, float* y, std::int64_t rows, std::int64_t channels) {
    const std::int64_t c = static_cast<std::int64_t>(blockIdx.x) * kPlainThreads + threadIdx.x;
    if (c >= channels) return;
    float sum = 0.0f;
    for (std::int64_t r = 0; r < rows; ++r) {
        sum += static_cast<float>(a[r * channels + c]) * static_cast<float>(b[r * channels + c]);
    }
    y[c] = sum;
}

// Adds the squares of one tensor to *squares; `first` begins the sum.
__global__ void __launch_bounds__(1) squares_plain(const float* x, std::int64_t elements, float* squares, bool first) {
    float sum = first ? 0.0f : *squares;
    for (std::int64_t i = 0; i < elements; ++i) sum += x[i] * x[i];
    *squares = sum;
}

__global__ void __launch_bounds__(1) root_plain(const float* squares, float* y) { *y = sqrtf(*squares); }

}  // namespace cambium::reduce
