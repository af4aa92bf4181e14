// The copies that a stem of three channels runs on: pixels of four channels, and back.
#pragma once

#include "kernels/conv/stem.h"
#include "kernels/gpu.h"

namespace cambium::conv {

inline constexpr int kStemThreads = 128;
inline constexpr int kMostPixels = 512;  // of a line that a block copies at a time

// Lines of pixels of kStemChannels values become lines of `padded_width` pixels of kPixelChannels, `before` further
// right; the rest are zeros.
struct Lines {
    int width, padded_width, before;
};

template <class T>
struct LineMemory {
    dev::Shared<T, kMostPixels * kStemChannels> values;
};

// A block per line and kMostPixels of y's pixels; a thread stores `Pixels` of them at once.
template <class T, int Pixels>
__global__ void __launch_bounds__(kStemThreads) pad_pixels(const T* x, T* y, Lines l) {
    auto& memory = dev::shared<LineMemory<T>>();
    const std::int64_t line = blockIdx.x;
    const int thread = static_cast<int>(threadIdx.x), first = static_cast<int>(blockIdx.y) * kMostPixels;
    const int pixels = min(kMostPixels, l.padded_width - first), origin = (first - l.before) * kStemChannels;
    const T* from = x + line * l.width * kStemChannels;
    // Threads begin before the line, so that a warp begins with a sector of x.
    for (int i = thread - 32 + l.before * kStemChannels % 32; i < pixels * kStemChannels; i += kStemThreads) {
        if (i < 0) continue;
        const bool exists = static_cast<unsigned>(origin + i) < static_cast<unsigned>(l.width * kStemChannels);
        memory.values[i] = exists ? from[origin + i] : T(0.0f);
    }
    __syncthreads();
    T* to = y + (line * l.padded_width + first) * kPixelChannels;
    for (int pixel = thread * Pixels; pixel < pixels; pixel += kStemThreads * Pixels) {
        dev::Vector<T, Pixels * kPixelChannels> values;
#pragma unroll
        for (int i = 0; i < Pixels; ++i) {
#pragma unroll
            for (int c = 0; c < kStemChannels; ++c)
                values[i * kPixelChannels + c] = memory.values[(pixel + i) * kStemChannels + c];
            values[i * kPixelChannels + kStemChannels] = T(0.0f);
        }
        dev::store_vector(to + pixel * kPixelChannels, values);
    }
}

// The other way round: a thread per element of y.
__global__ void __launch_bounds__(kStemThreads) crop_pixels(const float* x, float* y, Lines l, std::int64_t count) {
    const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kStemThreads + threadIdx.x;
    if (i >= count) return;
    const std::int64_t pixel = i / kStemChannels, line = pixel / l.width;
    y[i] = x[(line * l.padded_width + pixel - line * l.width) * kPixelChannels + i - pixel * kStemChannels];
}

}  // namespace cambium::conv
