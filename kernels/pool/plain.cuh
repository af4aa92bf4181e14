// Pooling to be right at a glance: a thread per element of what is written.
#pragma once

#include "kernels/pool/axis.cuh"

namespace cambium::pool {

inline constexpr int kPlainThreads = 128;

// The element of an [N, height, width, C] that this thread writes.
struct Element {
    std::int64_t index, n, c;
    int row, column;
};
CAMBIUM_DEVICE Element element_of_thread(int height, int width, std::int64_t channels) {
    const std::int64_t index = static_cast<std::int64_t>(blockIdx.x) * kPlainThreads + threadIdx.x;
    const std::int64_t pixel = index / channels, line = pixel / width;
    return {index, line / height, index % channels, static_cast<int>(line % height), static_cast<int>(pixel % width)};
}

template <class T>
__global__ void __launch_bounds__(kPlainThreads)
    max_pool_plain(const T* x, T* y, std::uint8_t* index, Frame f, std::int64_t elements) {
    const Element e = element_of_thread(f.rows.windows, f.columns.windows, f.channels);
    if (e.index >= elements) return;
    const Range rows = f.rows.positions(e.row), columns = f.columns.positions(e.column);
    const int top = f.rows.origin(e.row), left = f.columns.origin(e.column);
    int position = (rows.begin - top) * f.columns.kernel + columns.begin - left;
    float largest = -INFINITY;
    for (int h = rows.begin; h < rows.end; ++h) {
        for (int w = columns.begin; w < columns.end; ++w) {
            const float value = static_cast<float>(x[f.input_pixel(e.n, h, w) + e.c]);
            if (!is_larger(value, largest)) continue;
            largest = value;
            position = (h - top) * f.columns.kernel + w - left;
        }
    }
    if (y != nullptr) y[e.index] = T(largest);
    if (index != nullptr) index[e.index] = static_cast<std::uint8_t>(position);
}

template <class T>
__global__ void __launch_bounds__(kPlainThreads)
    max_pool_gradient_plain(const T* dy, const std::uint8_t* index, T* dx, Frame f, std::int64_t elements) {
    const Element e = element_of_thread(f.rows.extent, f.columns.extent, f.channels);
    if (e.index >= elements) return;
    const Range rows = f.rows.covering(e.row), columns = f.columns.covering(e.column);
    float sum = 0.0f;
    for (int p = rows.begin; p < rows.end; ++p) {
        for (int q = columns.begin; q < columns.end; ++q) {
            const std::int64_t at = f.output_pixel(e.n, p, q) + e.c;
            const int position = (e.row - f.rows.origin(p)) * f.columns.kernel + e.column - f.columns.origin(q);
            if (index[at] == position) sum += static_cast<float>(dy[at]);
        }
    }
    dx[e.index] = T(sum);
}

template <class T>
__global__ void __launch_bounds__(kPlainThreads) average_pool_plain(const T* x, T* y, Frame f, std::int64_t elements) {
    const Element e = element_of_thread(f.rows.windows, f.columns.windows, f.channels);
    if (e.index >= elements) return;
    const Range rows = f.rows.positions(e.row), columns = f.columns.positions(e.column);
    float sum = 0.0f;
    for (int h = rows.begin; h < rows.end; ++h) {
        for (int w = columns.begin; w < columns.end; ++w) {
            sum += static_cast<float>(x[f.input_pixel(e.n, h, w) + e.c]);
        }
    }
    y[e.index] = T(sum * mean_factor(f, e.row, e.column));
}

template <class T>
__global__ void __launch_bounds__(kPlainThreads)
    average_pool_gradient_plain(const T* dy, T* dx, Frame f, std::int64_t elements) {
    const Element e = element_of_thread(f.rows.extent, f.columns.extent, f.channels);
    if (e.index >= elements) return;
    const Range rows = f.rows.covering(e.row), columns = f.columns.covering(e.column);
    float sum = 0.0f;
    for (int p = rows.begin; p < rows.end; ++p) {
        for (int q = columns.begin; q < columns.end; ++q) {
            sum += static_cast<float>(dy[f.output_pixel(e.n, p, q) + e.c]) * mean_factor(f, p, q);
        }
    }
    dx[e.index] = T(sum);
}

}  // namespace cambium::pool
