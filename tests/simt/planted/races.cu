// Races within a block and within a warp.
#include <vector>

#include "tests/simt/planted/planted.h"

namespace cambium::planted {
namespace {

template <bool bug>
__global__ void missing_barrier_after_store(int* out, const int* in) {
    auto& s = dev::shared<Arrays>();
    const unsigned t = threadIdx.x;
    s.a[t] = in[t];  // bug: missing_barrier_after_store
    if (!bug) __syncthreads();
    out[t] = s.a[t ^ 32];  // bug: missing_barrier_after_store
}

template <bool bug>
__global__ void missing_barrier_before_reuse(int* out, const int* in) {
    auto& s = dev::shared<Arrays>();
    const unsigned t = threadIdx.x;
    s.a[t] = in[t];
    __syncthreads();
    const int neighbour = s.a[(t + 64) % 128];  // bug: missing_barrier_before_reuse
    if (!bug) __syncthreads();
    s.a[t] = neighbour + 1;  // bug: missing_barrier_before_reuse
    __syncthreads();
    out[t] = s.a[t];
}

template <bool bug>
__global__ void single_barrier_in_loop(int* out, const int* in) {
    auto& s = dev::shared<Arrays>();
    const unsigned t = threadIdx.x;
    int sum = 0;
    for (int round = 0; round < 3; ++round) {
        s.a[t] = in[t] + round;  // bug: single_barrier_in_loop
        __syncthreads();
        sum += s.a[127 - t];  // bug: single_barrier_in_loop
        if (!bug) __syncthreads();
    }
    out[t] = sum;
}

template <bool bug>
__global__ void alternating_buffers(int* out, const int* in) {  // two buffers need one barrier a round, one buffer two
    auto& s = dev::shared<Arrays>();
    const unsigned t = threadIdx.x;
    int sum = 0;
    for (int round = 0; round < 4; ++round) {
        auto& buffer = bug || round % 2 == 0 ? s.a : s.b;
        buffer[t] = in[t] * round;  // bug: alternating_buffers
        __syncthreads();
        sum += buffer[t ^ 96];  // bug: alternating_buffers
    }
    out[t] = sum;
}

template <bool bug>
__global__ void missing_syncwarp(int* out, const int* in) {
    auto& s = dev::shared<Arrays>();
    const unsigned t = threadIdx.x;
    s.a[t] = in[t];  // bug: missing_syncwarp
    if (!bug) __syncwarp();
    out[t] = s.a[t ^ 1];  // bug: missing_syncwarp
}

template <bool bug>
__global__ void warp_tree_without_sync(int* out, const int* in) {
    auto& s = dev::shared<Arrays>();
    const unsigned t = threadIdx.x;
    s.a[t] = in[t];
    __syncwarp();
    for (unsigned step = 16; step > 0; step /= 2) {
        if (t < step) s.a[t] += s.a[t + step];  // bug: warp_tree_without_sync
        if (!bug) __syncwarp();
    }
    if (t == 0) out[0] = s.a[0];
}

template <bool bug>
__global__ void reuse_within_warp(int* out, const int* in) {
    auto& s = dev::shared<Arrays>();
    const unsigned t = threadIdx.x;
    s.a[t] = in[t];
    __syncwarp();
    const int value = s.a[31 - t];  // bug: reuse_within_warp
    if (!bug) __syncwarp();
    s.a[t] = value;  // bug: reuse_within_warp
    out[t] = value;
}

template <bool bug>
__global__ void shuffle_orders_nothing(int* out, const int* in) {
    auto& s = dev::shared<Arrays>();
    const unsigned t = threadIdx.x;
    s.a[t] = in[t];  // bug: shuffle_orders_nothing
    const int other = __shfl_xor_sync(0xffffffffu, static_cast<int>(t), 1);
    if (!bug) __syncwarp();
    out[t] = s.a[other];  // bug: shuffle_orders_nothing
}

template <bool bug>
__global__ void vote_orders_nothing(int* out, const int* in) {
    auto& s = dev::shared<Arrays>();
    const unsigned t = threadIdx.x;
    s.a[t] = in[t];  // bug: vote_orders_nothing
    const bool all = __all_sync(0xffffffffu, in[t] >= 0);
    if (!bug) __syncwarp();
    out[t] = all ? s.a[31 - t] : 0;  // bug: vote_orders_nothing
}

template <bool bug>
__global__ void half_warps_sync_apart(int* out, const int* in) {
    auto& s = dev::shared<Arrays>();
    const unsigned t = threadIdx.x;
    s.a[t] = in[t];  // bug: half_warps_sync_apart
    __syncwarp(bug ? (t < 16 ? 0x0000ffffu : 0xffff0000u) : 0xffffffffu);
    out[t] = s.a[t ^ 16];  // bug: half_warps_sync_apart
}

template <bool bug>
__global__ void syncwarp_is_not_enough(int* out, const int* in) {  // the reader is in another warp
    auto& s = dev::shared<Arrays>();
    const unsigned t = threadIdx.x;
    s.a[t] = in[t];  // bug: syncwarp_is_not_enough
    if (bug) {
        __syncwarp();
    } else {
        __syncthreads();
    }
    out[t] = s.a[t ^ 32];  // bug: syncwarp_is_not_enough
}

template <bool bug>
__global__ void neighbouring_bytes(int* out, const int* in) {  // each thread its own byte: no race; two bytes: one
    auto* bytes = dev::shared_array<unsigned char>(256);
    const unsigned t = threadIdx.x;
    bytes[t] = static_cast<unsigned char>(in[t]);     // bug: neighbouring_bytes
    if (bug && t + 1 < blockDim.x) bytes[t + 1] = 0;  // bug: neighbouring_bytes
    __syncthreads();
    out[t] = bytes[t];
}

template <bool bug>
__global__ void third_reader(int* out, const int* in) {  // of three readers the second does not tell the writer
    auto& s = dev::shared<Arrays>();
    const unsigned t = threadIdx.x, warp = t / 32;
    if (t == 0) s.a[0] = in[0];
    __syncthreads();
    if (warp < 3) {
        if (t % 32 == 0) out[warp] = s.a[0];  // bug: third_reader
        if (!bug || warp != 1) dev::barrier_arrive(1, bug ? 96 : 128);
    } else {
        dev::barrier_sync(1, bug ? 96 : 128);
        if (t % 32 == 0) s.a[0] = 7;  // bug: third_reader
    }
}

template <bool bug>
__global__ void all_write_one_word(int* out, const int* in) {
    auto& s = dev::shared<Arrays>();
    const unsigned t = threadIdx.x;
    if (bug || t == 0) s.a[0] = in[t];  // bug: all_write_one_word
    __syncthreads();
    out[t] = s.a[0];
}

template <bool bug>
__global__ void unsynchronised_initialisation(int* out, const int*) {
    auto& s = dev::shared<Arrays>();
    if (threadIdx.x == 0) s.a[0] = 0;  // bug: unsynchronised_initialisation
    if (!bug) __syncthreads();
    const bool counts = threadIdx.x == 0 || threadIdx.x >= 32;
    if (counts) atomicAdd(&s.a[0], 1);  // bug: unsynchronised_initialisation
    __syncthreads();
    out[threadIdx.x] = s.a[0];
}

template <bool bug>
__global__ void counter_read_too_early(int* out, const int*) {
    auto& s = dev::shared<Arrays>();
    if (threadIdx.x == 0) s.a[0] = 0;
    __syncthreads();
    atomicAdd(&s.a[0], 1);  // bug: counter_read_too_early
    if (!bug) __syncthreads();
    out[threadIdx.x] = s.a[0];  // bug: counter_read_too_early
}

template <bool bug>
__global__ void memcpy_by_two_threads(int* out, const int* in) {
    if (threadIdx.x % 32 != 0) return;
    const unsigned part = bug ? 0 : threadIdx.x / 32 * 8;
    memcpy(out + part, in, 8 * sizeof(int));  // bug: memcpy_by_two_threads
}

template <bool bug>
__global__ void consumer_ignores_barrier(int* out, const int* in) {
    auto& s = dev::shared<Arrays>();
    const unsigned t = threadIdx.x;
    if (t < 64) {
        s.a[t] = in[t];  // bug: consumer_ignores_barrier
        dev::barrier_arrive(3, 128);
    } else {
        if (bug) {
            dev::barrier_sync(4, 64);
        } else {
            dev::barrier_sync(3, 128);
        }
        out[t] = s.a[t - 64];  // bug: consumer_ignores_barrier
    }
}

template <bool bug>
__global__ void flag_without_fence(int* out, const int* in) {
    auto& s = dev::shared<Arrays>();
    volatile unsigned* flag = s.flags.begin();
    if (threadIdx.x == 0) *flag = 0;
    __syncthreads();
    if (threadIdx.x == 0) {
        s.a[0] = in[5];  // bug: flag_without_fence
        if (!bug) __threadfence_block();
        *flag = 1;
    } else if (threadIdx.x == 32) {
        while (*flag == 0) {}
        if (!bug) __threadfence_block();
        out[0] = s.a[0];  // bug: flag_without_fence
    }
}

template <bool bug>
__global__ void scan_in_place(int* out, const int* in) {  // Hillis-Steele without a copy of the previous round
    auto& s = dev::shared<Arrays>();
    const unsigned t = threadIdx.x;
    s.a[t] = in[t];
    __syncthreads();
    for (unsigned step = 1; step < blockDim.x; step *= 2) {
        const int left = t >= step ? s.a[t - step] : 0;  // bug: scan_in_place
        if (!bug) __syncthreads();
        s.a[t] += left;  // bug: scan_in_place
        __syncthreads();
    }
    out[t] = s.a[t];
}

template <bool bug>
__global__ void transpose_without_barrier(int* out, const int* in) {
    auto& s = dev::shared<Arrays>();
    const unsigned t = threadIdx.x, x = t % 16, y = t / 16;
    s.a[y * 16 + x] = in[t];  // bug: transpose_without_barrier
    if (!bug) __syncthreads();
    out[t] = s.a[x * 16 + y];  // bug: transpose_without_barrier
}

constexpr Case kCases[] = {
    {"missing_barrier_after_store", simt::Kind::race_in_block, CAMBIUM_SIMPLE(missing_barrier_after_store, 1, 128)},
    {"missing_barrier_before_reuse", simt::Kind::race_in_block, CAMBIUM_SIMPLE(missing_barrier_before_reuse, 1, 128)},
    {"single_barrier_in_loop", simt::Kind::race_in_block, CAMBIUM_SIMPLE(single_barrier_in_loop, 1, 128)},
    {"alternating_buffers", simt::Kind::race_in_block, CAMBIUM_SIMPLE(alternating_buffers, 1, 128)},
    {"missing_syncwarp", simt::Kind::race_in_warp, CAMBIUM_SIMPLE(missing_syncwarp, 1, 32)},
    {"warp_tree_without_sync", simt::Kind::race_in_warp, CAMBIUM_SIMPLE(warp_tree_without_sync, 1, 32)},
    {"reuse_within_warp", simt::Kind::race_in_warp, CAMBIUM_SIMPLE(reuse_within_warp, 1, 32)},
    {"shuffle_orders_nothing", simt::Kind::race_in_warp, CAMBIUM_SIMPLE(shuffle_orders_nothing, 1, 32)},
    {"vote_orders_nothing", simt::Kind::race_in_warp, CAMBIUM_SIMPLE(vote_orders_nothing, 1, 32)},
    {"half_warps_sync_apart", simt::Kind::race_in_warp, CAMBIUM_SIMPLE(half_warps_sync_apart, 1, 32)},
    {"syncwarp_is_not_enough", simt::Kind::race_in_block, CAMBIUM_SIMPLE(syncwarp_is_not_enough, 1, 64)},
    {"neighbouring_bytes", simt::Kind::race_in_warp, CAMBIUM_SIMPLE(neighbouring_bytes, 1, 32)},
    {"third_reader", simt::Kind::race_in_block, CAMBIUM_SIMPLE(third_reader, 1, 128)},
    {"all_write_one_word", simt::Kind::race_in_warp, CAMBIUM_SIMPLE(all_write_one_word, 1, 32)},
    {"unsynchronised_initialisation", simt::Kind::race_in_block, CAMBIUM_SIMPLE(unsynchronised_initialisation, 1, 64)},
    {"counter_read_too_early", simt::Kind::race_in_block, CAMBIUM_SIMPLE(counter_read_too_early, 1, 64)},
    {"memcpy_by_two_threads", simt::Kind::race_in_block, CAMBIUM_SIMPLE(memcpy_by_two_threads, 1, 64)},
    {"consumer_ignores_barrier", simt::Kind::race_in_block, CAMBIUM_SIMPLE(consumer_ignores_barrier, 1, 128)},
    {"flag_without_fence", simt::Kind::race_in_block, CAMBIUM_SIMPLE(flag_without_fence, 1, 64)},
    {"scan_in_place", simt::Kind::race_in_block, CAMBIUM_SIMPLE(scan_in_place, 1, 128)},
    {"transpose_without_barrier", simt::Kind::race_in_block, CAMBIUM_SIMPLE(transpose_without_barrier, 1, 256)},
};

}  // namespace

std::span<const Case> race_cases() { return kCases; }

}  // namespace cambium::planted
