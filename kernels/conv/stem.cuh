// The copies that a stem of three channels runs on: pixels of four channels, and back.
#pragma once

#include "kernels/conv/stem.h"
#include "kernels/gpu.h"

namespace cambium::conv {

inline constexpr int kStemThreads = 128;
inline constexpr int kMostPixels = 512;  // of a line that a block copies at a time

// Lines of pixels of `channels` values become lines of `padded_width` pixels of kPixelChannels, `before` further right;
// the rest are zeros. A block per line and kMostPixels of its pixels; a thread stores `Pixels` of them at once.
struct Lines {
    int width, padded_width, before, channels;
};

template <class T>
struct LineMemory {
    dev::Shared<T, kMostPixels*(kPixelChannels - 1)> values;
};

template <class T, int Pixels>
__global__ void __launch_bounds__(kStemThreads) pad_pixels(const T* x, T* y, Lines l) {
    auto& memory = dev::shared<LineMemory<T>>();
    const std::int64_t line = blockIdx.x;
    const int thread = static_cast<int>(threadIdx.x), first = static_cast<int>(blockIdx.y) * kMostPixels;
    // Of x's line those pixels that fall into [first, last) of y's; element 0 in shared memory is of pixel first -
    // before.
    const int last = min(first + kMostPixels, l.padded_width), origin = (first - l.before) * l.channels;
    const int begin = max(origin, 0), end = min(last - l.before, l.width) * l.channels;
    for (int i = begin + thread; i < end; i += kStemThreads)
        memory.values[i - origin] = x[line * l.width * l.channels + i];
    __syncthreads();
    for (int pixel = first + thread * Pixels; pixel < last; pixel += kStemThreads * Pixels) {
        dev::Vector<T, Pixels * kPixelChannels> values;
#pragma unroll
        for (int i = 0; i < Pixels * kPixelChannels; ++i) {
            const int channel = i % kPixelChannels, at = (pixel - first + i / kPixelChannels) * l.channels + channel;
            const bool exists = channel < l.channels && at + origin >= 0 && at + origin < l.width * l.channels;
            values[i] = exists ? memory.values[at] : T(0.0f);
        }
        dev::store_vector(y + (line * l.padded_width + pixel) * kPixelChannels, values);
    }
}

// The other way round: a thread per element of y.
__global__ void __launch_bounds__(kStemThreads) crop_pixels(const float* x, float* y, Lines l, std::int64_t count) {
    const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kStemThreads + threadIdx.x;
    if (i >= count) return;
    const std::int64_t pixel = i / l.channels, line = pixel / l.width;
    y[i] = x[(line * l.padded_width + pixel - line * l.width) * kPixelChannels + i - pixel * l.channels];
}

}  // namespace cambium::conv
