// Races between blocks of one launch and between streams: fences, scopes, events.
#include <vector>

#include "tests/simt/planted/planted.h"

namespace cambium::planted {
namespace {

enum class Flaw { none, no_release, no_acquire, block_fence, no_barrier };

// The last block to arrive adds what all blocks left behind.
template <Flaw flaw>
__global__ void last_arriver(int* out, int* partial, unsigned* arrived) {
    auto& s = dev::shared<Arrays>();
    partial[blockIdx.x * blockDim.x + threadIdx.x] = static_cast<int>(threadIdx.x);  // bug: last_arriver
    if (flaw != Flaw::no_barrier) __syncthreads();
    if (threadIdx.x == 0) {
        if (flaw == Flaw::block_fence) {
            __threadfence_block();
        } else if (flaw != Flaw::no_release) {
            __threadfence();
        }
        s.flags[0] = atomicAdd(arrived, 1u) == gridDim.x - 1 ? 1u : 0u;
        if (flaw != Flaw::no_acquire) __threadfence();
    }
    __syncthreads();
    if (s.flags[0] == 0) return;
    int sum = 0;
    for (unsigned b = 0; b < gridDim.x; ++b) sum += partial[b * blockDim.x + threadIdx.x];  // bug: last_arriver
    out[threadIdx.x] = sum;
}

template <Flaw flaw>
void run_last_arriver(bool bug) {
    dev::Stream stream;
    dev::Buffer<int> out(64, "output"), partial(64 * 5, "partial");
    dev::Buffer<unsigned> arrived(1, "arrived");
    arrived.fill(0, stream);
    dev::launch(bug ? last_arriver<flaw> : last_arriver<Flaw::none>, dim3(5), dim3(64), sizeof(Arrays), stream,
                out.data(), partial.data(), arrived.data());
    std::vector<int> values(64);
    out.download(values, stream);
}

// As the CUDA C++ Programming Guide has it: partial sums are volatile, hence no fence by the reader, and the last block
// sets the counter back by a plain store. Without volatile the reader lacks a fence.
template <class Partial>
__global__ void last_block_of_the_guide(int* out, Partial* partial, unsigned* arrived) {
    auto& s = dev::shared<Arrays>();
    if (threadIdx.x == 0) {
        partial[blockIdx.x] = static_cast<int>(blockIdx.x);  // bug: last_block_of_the_guide
        __threadfence();
        s.flags[0] = atomicInc(arrived, gridDim.x) == gridDim.x - 1 ? 1u : 0u;
    }
    __syncthreads();
    if (s.flags[0] != 0 && threadIdx.x == 0) {
        int sum = 0;
        for (unsigned b = 0; b < gridDim.x; ++b) sum += partial[b];  // bug: last_block_of_the_guide
        out[0] = sum;
        *arrived = 0;
    }
}
void run_last_block_of_the_guide(bool bug) {
    dev::Stream stream;
    dev::Buffer<int> out(1, "output"), partial(5, "partial");
    dev::Buffer<unsigned> arrived(1, "arrived");
    arrived.fill(0, stream);
    for (int launch = 0; launch < 2; ++launch) {
        if (bug) {
            dev::launch(last_block_of_the_guide<int>, dim3(5), dim3(64), sizeof(Arrays), stream, out.data(),
                        partial.data(), arrived.data());
        } else {
            dev::launch(last_block_of_the_guide<volatile int>, dim3(5), dim3(64), sizeof(Arrays), stream, out.data(),
                        partial.data(), arrived.data());
        }
    }
    int value = 0;
    out.download({&value, 1}, stream);
}

// The fence stands in every reader, but behind the barrier: it must follow the atomic in the thread that did it.
template <bool bug>
__global__ void fence_in_the_wrong_thread(int* out, int* partial, unsigned* arrived) {
    auto& s = dev::shared<Arrays>();
    if (threadIdx.x == 0) {
        partial[blockIdx.x] = static_cast<int>(blockIdx.x);  // bug: fence_in_the_wrong_thread
        __threadfence();
        s.flags[0] = atomicAdd(arrived, 1u) == gridDim.x - 1 ? 1u : 0u;
        if (!bug) __threadfence();
    }
    __syncthreads();
    if (s.flags[0] == 0) return;
    if (bug) __threadfence();
    out[threadIdx.x] = partial[threadIdx.x % gridDim.x];  // bug: fence_in_the_wrong_thread
    if (threadIdx.x == 0) *arrived = 0;
}
void run_fence_in_the_wrong_thread(bool bug) {
    dev::Stream stream;
    dev::Buffer<int> out(64, "output"), partial(5, "partial");
    dev::Buffer<unsigned> arrived(1, "arrived");
    arrived.fill(0, stream);
    dev::launch(bug ? fence_in_the_wrong_thread<true> : fence_in_the_wrong_thread<false>, dim3(5), dim3(64),
                sizeof(Arrays), stream, out.data(), partial.data(), arrived.data());
    std::vector<int> values(64);
    out.download(values, stream);
}

// The block of the highest number is not the last to arrive.
template <bool bug>
__global__ void counter_set_back_by_highest_block(int* out, const int*) {
    if (threadIdx.x != 0) return;
    if (!bug) __threadfence();
    const int before = atomicAdd(&out[0], 1);  // bug: counter_set_back_by_highest_block
    const unsigned last = bug ? blockIdx.x : static_cast<unsigned>(before);
    if (last == gridDim.x - 1) out[0] = 0;  // bug: counter_set_back_by_highest_block
}

template <bool bug>
__global__ void plain_histogram(int* out, const int* in) {
    const int bin = in[blockIdx.x * blockDim.x + threadIdx.x] / 8;
    if (bug) {
        out[bin] += 1;  // bug: plain_histogram
    } else {
        atomicAdd(&out[bin], 1);
    }
}

template <bool bug>
__global__ void block_scope_atomic(int* out, const int*) {
    if (threadIdx.x != 0) return;
    if (bug) {
        atomicAdd_block(&out[0], 1);  // bug: block_scope_atomic
    } else {
        atomicAdd(&out[0], 1);
    }
}

// Block 0 hands data to block 1 through a flag; blocks start in order, so the wait ends.
template <dev::Order store_order, dev::Scope store_scope, dev::Order load_order>
__global__ void hand_over(int* out, int* data, unsigned* flag) {
    if (blockIdx.x == 0) {
        data[0] = 42;  // bug: hand_over
        dev::store_strong<store_order, store_scope>(flag, 1u);
    } else {
        while (dev::load_strong<load_order>(flag) == 0) {}
        out[0] = data[0];  // bug: hand_over
    }
}

template <dev::Order store_order, dev::Scope store_scope, dev::Order load_order>
void run_hand_over(bool bug) {
    dev::Stream stream;
    dev::Buffer<int> out(1, "output"), data(1, "data");
    dev::Buffer<unsigned> flag(1, "flag");
    flag.fill(0, stream);
    dev::launch(bug ? hand_over<store_order, store_scope, load_order>
                    : hand_over<dev::Order::release, dev::Scope::device, dev::Order::acquire>,
                dim3(2), dim3(1), 0, stream, out.data(), data.data(), flag.data());
    int value = 0;
    out.download({&value, 1}, stream);
}

template <bool bug>
__global__ void overlapping_ranges(int* out, const int* in) {
    const unsigned first = blockIdx.x * 16, count = bug ? 17 : 16;
    for (unsigned i = threadIdx.x; i < count; i += blockDim.x) {
        out[first + i] = in[i];  // bug: overlapping_ranges
    }
}

template <bool bug>
__global__ void counter_reset_by_first_block(int* out, const int*) {
    if (threadIdx.x != 0) return;
    if (bug && blockIdx.x == 0) out[0] = 0;  // bug: counter_reset_by_first_block
    atomicAdd(&out[0], 1);                   // bug: counter_reset_by_first_block
}

template <bool bug>
__global__ void lock_without_fences(int* out, unsigned* lock) {
    if (threadIdx.x != 0) return;
    while (atomicCAS(lock, 0u, 1u) != 0u) {}
    if (!bug) __threadfence();
    out[0] += 1;  // bug: lock_without_fences
    if (!bug) __threadfence();
    atomicExch(lock, 0u);
}

void run_lock(bool bug) {
    dev::Stream stream;
    dev::Buffer<int> out(1, "sum");
    dev::Buffer<unsigned> lock(1, "lock");
    out.fill(0, stream);
    lock.fill(0, stream);
    dev::launch(bug ? lock_without_fences<true> : lock_without_fences<false>, dim3(4), dim3(32), 0, stream, out.data(),
                lock.data());
    int value = 0;
    out.download({&value, 1}, stream);
}

template <bool bug>
__global__ void stencil_in_place(int* out, const int* in) {
    const unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
    const int left = i == 0 ? 0 : (bug ? out[i - 1] : in[i - 1]);  // bug: stencil_in_place
    out[i] = left + in[i];                                         // bug: stencil_in_place
}

template <bool bug>
__global__ void grid_maximum(int* out, const int* in) {
    const int value = in[blockIdx.x * blockDim.x + threadIdx.x];
    if (bug) {
        if (value > out[0]) out[0] = value;  // bug: grid_maximum
    } else {
        atomicMax(&out[0], value);
    }
}

// --- streams
// ------------------------------------------------------------------------------------------------------------

__global__ void store_all(int* to, int value) {
    to[threadIdx.x] = value;  // bug: streams
}
__global__ void copy_all(int* to, const int* from) {
    to[threadIdx.x] = from[threadIdx.x];  // bug: streams
}

void no_event(bool bug) {
    dev::Stream first, second;
    dev::Buffer<int> middle(64, "middle"), out(64, "output");
    dev::launch(store_all, dim3(1), dim3(64), 0, first, middle.data(), 1);
    if (!bug) {
        dev::Event done;
        done.record(first);
        done.make_wait(second);
    }
    dev::launch(copy_all, dim3(1), dim3(64), 0, second, out.data(), middle.data());
    second.synchronize();
}

void early_event(bool bug) {
    dev::Stream first, second;
    dev::Buffer<int> middle(64, "middle"), out(64, "output");
    middle.fill(0, first);
    dev::Event done;
    if (bug) done.record(first);
    dev::launch(store_all, dim3(1), dim3(64), 0, first, middle.data(), 1);
    if (!bug) done.record(first);
    done.make_wait(second);
    dev::launch(copy_all, dim3(1), dim3(64), 0, second, out.data(), middle.data());
    second.synchronize();
}

void upload_beside_kernel(bool bug) {
    dev::Stream first, second;
    dev::Buffer<int> in = ramp(64, first), out(64, "output");
    first.synchronize();
    dev::launch(copy_all, dim3(1), dim3(64), 0, first, out.data(), in.data());
    if (!bug) first.synchronize();
    const std::vector<int> fresh(64, 3);
    in.upload(fresh, second);
    second.synchronize();
    first.synchronize();
}

void download_elsewhere(bool bug) {
    dev::Stream first, second;
    dev::Buffer<int> out(64, "output");
    out.fill(0, first);
    first.synchronize();
    dev::launch(store_all, dim3(1), dim3(64), 0, first, out.data(), 1);
    if (!bug) first.synchronize();
    std::vector<int> values(64);
    out.download(values, second);
    first.synchronize();
}

constexpr dev::Order kRelaxed = dev::Order::relaxed, kAcquire = dev::Order::acquire, kRelease = dev::Order::release;
constexpr simt::Kind kBetween = simt::Kind::race_between_blocks;

constexpr Case kBlockCases[] = {
    {.name = "no_release_fence", .kind = kBetween, .run = run_last_arriver<Flaw::no_release>, .mark = "last_arriver"},
    {.name = "no_acquire_fence", .kind = kBetween, .run = run_last_arriver<Flaw::no_acquire>, .mark = "last_arriver"},
    {.name = "block_scope_fence", .kind = kBetween, .run = run_last_arriver<Flaw::block_fence>, .mark = "last_arriver"},
    {.name = "no_barrier_before_fence",
     .kind = kBetween,
     .run = run_last_arriver<Flaw::no_barrier>,
     .mark = "last_arriver"},
    {"plain_histogram", kBetween, CAMBIUM_SIMPLE(plain_histogram, 3, 1)},
    {"block_scope_atomic", kBetween, CAMBIUM_SIMPLE(block_scope_atomic, 3, 32)},
    {.name = "relaxed_store",
     .kind = kBetween,
     .run = run_hand_over<kRelaxed, dev::Scope::device, kAcquire>,
     .mark = "hand_over"},
    {.name = "relaxed_load",
     .kind = kBetween,
     .run = run_hand_over<kRelease, dev::Scope::device, kRelaxed>,
     .mark = "hand_over"},
    {.name = "block_scope_release",
     .kind = kBetween,
     .run = run_hand_over<kRelease, dev::Scope::block, kAcquire>,
     .mark = "hand_over"},
    {"overlapping_ranges", kBetween, CAMBIUM_SIMPLE(overlapping_ranges, 4, 32)},
    {"counter_reset_by_first_block", kBetween, CAMBIUM_SIMPLE(counter_reset_by_first_block, 3, 32)},
    {"lock_without_fences", kBetween, run_lock},
    {"stencil_in_place", kBetween, CAMBIUM_SIMPLE(stencil_in_place, 3, 1)},
    {"grid_maximum", kBetween, CAMBIUM_SIMPLE(grid_maximum, 3, 1)},
    {"last_block_of_the_guide", kBetween, run_last_block_of_the_guide},
    {"fence_in_the_wrong_thread", kBetween, run_fence_in_the_wrong_thread},
    {"counter_set_back_by_highest_block", kBetween, CAMBIUM_SIMPLE(counter_set_back_by_highest_block, 3, 32)},
};
constexpr Case kStreamCases[] = {
    {.name = "no_event", .kind = simt::Kind::race_between_streams, .run = no_event, .mark = "streams"},
    {.name = "early_event", .kind = simt::Kind::race_between_streams, .run = early_event, .mark = "streams"},
    {.name = "upload_beside_kernel",
     .kind = simt::Kind::race_between_streams,
     .run = upload_beside_kernel,
     .mark = "streams"},
    {.name = "download_elsewhere",
     .kind = simt::Kind::race_between_streams,
     .run = download_elsewhere,
     .mark = "streams"},
};

}  // namespace

std::span<const Case> block_cases() { return kBlockCases; }
std::span<const Case> stream_cases() { return kStreamCases; }

}  // namespace cambium::planted
