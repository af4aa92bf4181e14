// What batch norm's parameters become where its statistics are constants. A few thousand numbers, once per change.
#pragma once

#include "kernels/gpu.h"

namespace cambium::norm {

inline constexpr int kParameterThreads = 128;

__global__ void __launch_bounds__(kParameterThreads)
    batch_norm_scale_kernel(const float* gamma, const float* variance, float* scale, std::int64_t channels,
                            float epsilon) {
    const std::int64_t c = static_cast<std::int64_t>(blockIdx.x) * kParameterThreads + threadIdx.x;
    if (c < channels) scale[c] = gamma[c] / sqrtf(variance[c] + epsilon);
}

__global__ void __launch_bounds__(kParameterThreads)
    batch_norm_shift_kernel(const float* beta, const float* mean, const float* scale, float* shift,
                            std::int64_t channels) {
    const std::int64_t c = static_cast<std::int64_t>(blockIdx.x) * kParameterThreads + threadIdx.x;
    if (c < channels) shift[c] = beta[c] - mean[c] * scale[c];
}

// A block per filter, whose threads walk along it.
__global__ void __launch_bounds__(kParameterThreads)
    scale_filter_kernel(const float* w, const float* scale, float* scaled, std::int64_t elements) {
    const std::int64_t first = blockIdx.x * elements;
    const float factor = scale[blockIdx.x];
    for (std::int64_t i = threadIdx.x; i < elements; i += kParameterThreads) {
        scaled[first + i] = w[first + i] * factor;
    }
}

}  // namespace cambium::norm
