// Reductions along rows, the contiguous axis: the threads of a row, a warp or a block, each take every Threads-th run
// of it and meet by shuffles, and a block's eight warps in shared memory. Every thread gets the result, and it is the
// same whoever adds, since a + b and b + a have the same bits.
#pragma once

#include "kernels/gpu.h"

namespace cambium::reduce {

inline constexpr int kRowBlock = 256;  // threads of a block: eight rows of a warp each, or one row

// What a thread's value becomes is a Merge: merge(a, b) gives the value of both; it must not depend on their order.
template <class Value>
struct RowMemory {
    dev::Shared<Value, kRowBlock / 32> of_warp;
};

// The threads that share a row.
template <int Threads>
struct Row {
    static_assert(Threads == 32 || Threads == kRowBlock, "a warp or a block");
    static constexpr int kRowsPerBlock = kRowBlock / Threads;

    // Its number, and this thread's in it. Rows beyond the last are a whole warp's or block's.
    static CAMBIUM_DEVICE std::int64_t index() {
        return static_cast<std::int64_t>(blockIdx.x) * kRowsPerBlock + threadIdx.x / Threads;
    }
    static CAMBIUM_DEVICE int thread() { return static_cast<int>(threadIdx.x % Threads); }
};

// What all threads of the row bring, merged, for each of them. `Value` has 4 or 8 bytes.
template <int Threads, class Value, class Merge>
CAMBIUM_DEVICE Value merge_row(RowMemory<Value>& shared, Value value, Merge&& merge) {
#pragma unroll
    for (int distance = 16; distance > 0; distance /= 2) {
        value = merge(value, __shfl_xor_sync(0xffffffffu, value, distance));
    }
    if constexpr (Threads > 32) {
        const int warp = static_cast<int>(dev::warp_index());
        __syncthreads();  // what was merged before has been read
        if (dev::lane_index() == 0) shared.of_warp[warp] = value;
        __syncthreads();
        value = shared.of_warp[0];
#pragma unroll
        for (int other = 1; other < Threads / 32; ++other) value = merge(value, shared.of_warp[other]);
    }
    return value;
}

struct Add {
    CAMBIUM_DEVICE float operator()(float a, float b) const { return a + b; }
};

}  // namespace cambium::reduce
