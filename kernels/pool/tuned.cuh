// Pooling bound by memory. A block writes one line of pixels; its threads stand side by side on runs of Width channels
// (threadIdx.x), then on pixels (threadIdx.y), and walk along the line.
//   1. what depends on the line alone, its range of rows or windows, is computed once for all its pixels;
//   2. what depends on the column, once for all its channels: no division is left inside;
//   3. runs of 16 bytes, so that a warp reads and writes contiguous memory; indices as runs of 8 or 4 bytes.
// Windows overlap, so inputs are read more than once, but by neighbours in one block, from L1.
#pragma once

#include "kernels/packed.cuh"
#include "kernels/pool/axis.cuh"

namespace cambium::pool {

inline constexpr int kLineThreads = 256;
// 1024 threads, which memory needs, of 64 registers; left alone, ptxas spills some to have more threads.
inline constexpr int kBlocksPerMultiprocessor = 4;

// The line that this block writes, of those of [N, height, ...].
struct Line {
    std::int64_t n;
    int row;
};
CAMBIUM_DEVICE Line line_of_block(int height) {
    const unsigned lines = static_cast<unsigned>(height);
    return {blockIdx.x / lines, static_cast<int>(blockIdx.x % lines)};
}

// Calls visit(column, prepare(column), channel) for this thread's runs of a line of `width` pixels.
template <int Width, class Prepare, class Visit>
CAMBIUM_DEVICE void walk_line(int width, std::int64_t channels, Prepare&& prepare, Visit&& visit) {
    for (int column = static_cast<int>(threadIdx.y); column < width; column += static_cast<int>(blockDim.y)) {
        const auto prepared = prepare(column);
        for (std::int64_t c = threadIdx.x * Width; c < channels; c += blockDim.x * Width) visit(column, prepared, c);
    }
}

// Width neighbouring indices.
template <int Width>
using Indices = std::conditional_t<Width == 1, std::uint8_t, dev::Vector<std::uint8_t, Width == 1 ? 4 : Width>>;

template <int Width>
CAMBIUM_DEVICE int index_at(const Indices<Width>& indices, int i) {
    if constexpr (Width == 1) {
        return indices;
    } else {
        return indices[i];
    }
}

template <int Width>
CAMBIUM_DEVICE void store_index(std::uint8_t* index, const int (&positions)[Width]) {
    if constexpr (Width == 1) {
        *index = static_cast<std::uint8_t>(positions[0]);
    } else {
        Indices<Width> indices;
#pragma unroll
        for (int i = 0; i < Width; ++i) indices[i] = static_cast<std::uint8_t>(positions[i]);
        dev::store_vector(index, indices);
    }
}

template <class T, int Width>
__global__ void __launch_bounds__(kLineThreads, kBlocksPerMultiprocessor)
    max_pool_tuned(const T* x, T* y, std::uint8_t* index, Frame f) {
    const Line line = line_of_block(f.rows.windows);
    const Range rows = f.rows.positions(line.row);
    const int top = f.rows.origin(line.row);
    walk_line<Width>(
        f.columns.windows, f.channels, [&](int q) { return f.columns.positions(q); },
        [&](int q, const Range& columns, std::int64_t c) {
            const int left = f.columns.origin(q);
            float largest[Width];
            int position[Width];
#pragma unroll
            for (int i = 0; i < Width; ++i) {
                largest[i] = -INFINITY;
                position[i] = (rows.begin - top) * f.columns.kernel + columns.begin - left;
            }
            for (int h = rows.begin; h < rows.end; ++h) {
                const T* pixel = x + f.input_pixel(line.n, h, columns.begin) + c;
                for (int w = columns.begin; w < columns.end; ++w, pixel += f.channels) {
                    const auto loaded = dev::load_packed<Width>(pixel);
#pragma unroll
                    for (int i = 0; i < Width; ++i) {
                        if (!is_larger(loaded[i], largest[i])) continue;
                        largest[i] = loaded[i];
                        position[i] = (h - top) * f.columns.kernel + w - left;
                    }
                }
            }
            const std::int64_t at = f.output_pixel(line.n, line.row, q) + c;
            if (y != nullptr) dev::store_packed(y + at, largest);
            if (index != nullptr) store_index(index + at, position);
        });
}

template <class T, int Width>
__global__ void __launch_bounds__(kLineThreads, kBlocksPerMultiprocessor)
    max_pool_gradient_tuned(const T* dy, const std::uint8_t* index, T* dx, Frame f) {
    const Line line = line_of_block(f.rows.extent);
    const Range rows = f.rows.covering(line.row);
    walk_line<Width>(
        f.columns.extent, f.channels, [&](int w) { return f.columns.covering(w); },
        [&](int w, const Range& columns, std::int64_t c) {
            float sum[Width] = {};
            for (int p = rows.begin; p < rows.end; ++p) {
                const int row_position = (line.row - f.rows.origin(p)) * f.columns.kernel;
                int position = row_position + w - f.columns.origin(columns.begin);
                std::int64_t at = f.output_pixel(line.n, p, columns.begin) + c;
                for (int q = columns.begin; q < columns.end; ++q) {
                    const auto gradient = dev::load_packed<Width>(dy + at);
                    const auto where = dev::load_vector<Indices<Width>>(index + at);
#pragma unroll
                    for (int i = 0; i < Width; ++i) {
                        sum[i] += index_at<Width>(where, i) == position ? gradient[i] : 0.0f;
                    }
                    position -= f.columns.stride;
                    at += f.channels;
                }
            }
            dev::store_packed(dx + f.input_pixel(line.n, line.row, w) + c, sum);
        });
}

template <class T, int Width>
__global__ void __launch_bounds__(kLineThreads, kBlocksPerMultiprocessor)
    average_pool_tuned(const T* x, T* y, Frame f) {
    const Line line = line_of_block(f.rows.windows);
    const Range rows = f.rows.positions(line.row);
    walk_line<Width>(
        f.columns.windows, f.channels, [&](int q) { return f.columns.positions(q); },
        [&](int q, const Range& columns, std::int64_t c) {
            float sum[Width] = {};
            for (int h = rows.begin; h < rows.end; ++h) {
                const T* pixel = x + f.input_pixel(line.n, h, columns.begin) + c;
#pragma unroll 4
                for (int w = columns.begin; w < columns.end; ++w, pixel += f.channels) {
                    const auto loaded = dev::load_packed<Width>(pixel);
#pragma unroll
                    for (int i = 0; i < Width; ++i) sum[i] += loaded[i];
                }
            }
            const float factor = mean_factor(f, line.row, q);
#pragma unroll
            for (int i = 0; i < Width; ++i) sum[i] *= factor;
            dev::store_packed(y + f.output_pixel(line.n, line.row, q) + c, sum);
        });
}

template <class T, int Width>
__global__ void __launch_bounds__(kLineThreads, kBlocksPerMultiprocessor)
    average_pool_gradient_tuned(const T* dy, T* dx, Frame f) {
    const Line line = line_of_block(f.rows.extent);
    const Range rows = f.rows.covering(line.row);
    walk_line<Width>(
        f.columns.extent, f.channels, [&](int w) { return f.columns.covering(w); },
        [&](int w, const Range& columns, std::int64_t c) {
            float sum[Width] = {};
            for (int p = rows.begin; p < rows.end; ++p) {
                for (int q = columns.begin; q < columns.end; ++q) {
                    const auto gradient = dev::load_packed<Width>(dy + f.output_pixel(line.n, p, q) + c);
                    const float factor = mean_factor(f, p, q);
#pragma unroll
                    for (int i = 0; i < Width; ++i) sum[i] += gradient[i] * factor;
                }
            }
            dev::store_packed(dx + f.input_pixel(line.n, line.row, w) + c, sum);
        });
}

}  // namespace cambium::pool
