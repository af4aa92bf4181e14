// The lookup's kernels and its gradient's.
#pragma once

#include "kernels/packed.cuh"

namespace cambium::embedding {

inline constexpr int kThreads = 128, kWarps = kThreads / 32;

CAMBIUM_DEVICE std::int64_t first_thread() { return static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; }
CAMBIUM_DEVICE std::int64_t all_threads() { return static_cast<std::int64_t>(gridDim.x) * blockDim.x; }

// table [V, E], index [K], y [K, E]; Width divides E. A grid-stride loop over runs of Width elements of y.
template <class T, int Width>
__global__ void embedding_rows(const float* table, const std::int32_t* index, T* y, std::int64_t V, std::int64_t E,
                               std::int64_t K) {
    const std::int64_t runs = E / Width;
    for (std::int64_t at = first_thread(); at < K * runs; at += all_threads()) {
        const std::int64_t k = at / runs, column = at % runs * Width, row = index[k];
        float values[Width] = {};
        if (row >= 0 && row < V) dev::load_floats(table + row * E + column, values);
        dev::store_packed(y + k * E + column, values);
    }
}

// dy [K, E], index [K], dtable [V, E]: a thread per element of dtable.
template <class T>
__global__ void embedding_gradient_plain(const T* dy, const std::int32_t* index, float* dtable, std::int64_t V,
                                         std::int64_t E, std::int64_t K) {
    for (std::int64_t at = first_thread(); at < V * E; at += all_threads()) {
        float sum = 0;
        for (std::int64_t k = 0; k < K; ++k) {
            if (index[k] == at / E) sum += static_cast<float>(dy[k * E + at % E]);
        }
        dtable[at] = sum;
    }
}

// A warp per row of the table and strip of 32 Width columns: the lanes look at 32 indices together, and whoever finds
// the row's number makes all of them add that row of dy.
template <class T, int Width>
__global__ void __launch_bounds__(kThreads)
    embedding_gradient_rows(const T* dy, const std::int32_t* index, float* dtable, std::int64_t V, std::int64_t E,
                            std::int64_t K) {
    const int lane = static_cast<int>(dev::lane_index());
    const std::int64_t strips = (E + 32 * Width - 1) / (32 * Width);
    const std::int64_t warp = static_cast<std::int64_t>(blockIdx.x) * kWarps + dev::warp_index();
    const std::int64_t row = warp / strips, column = (warp % strips * 32 + lane) * Width;
    if (row >= V) return;
    float sums[Width] = {};
    for (std::int64_t first = 0; first < K; first += 32) {
        const bool found = first + lane < K && index[first + lane] == row;
        for (unsigned found_by = __ballot_sync(0xffffffffu, found); found_by != 0; found_by &= found_by - 1) {
            if (column >= E) continue;
            const std::int64_t k = first + __ffs(static_cast<int>(found_by)) - 1;
            const auto run = dev::load_packed<Width>(dy + k * E + column);
#pragma unroll
            for (int i = 0; i < Width; ++i) sums[i] += run[i];
        }
    }
    if (column < E) dev::store_floats(dtable + row * E + column, sums);
}

}  // namespace cambium::embedding
