// cp.async used wrongly: waits that are missing, too weak or not followed by a barrier, and memory touched in flight.
#include "tests/simt/planted/planted.h"

namespace cambium::planted {
namespace {

template <bool bug>
__global__ void missing_wait(int* out, const int* in) {
    auto& s = dev::shared<Arrays>();
    const unsigned t = threadIdx.x;
    dev::cp_async<4>(&s.a[t], in + t);  // bug: missing_wait
    dev::cp_async_commit();
    if (!bug) dev::cp_async_wait<0>();
    __syncthreads();
    out[t] = s.a[t];  // bug: missing_wait
}
template <bool bug>
__global__ void weak_wait(int* out, const int* in) {
    auto& s = dev::shared<Arrays>();
    const unsigned t = threadIdx.x;
    dev::cp_async<4>(&s.a[t], in + t);
    dev::cp_async_commit();
    dev::cp_async<4>(&s.b[t], in + t + 64);  // bug: weak_wait
    dev::cp_async_commit();
    dev::cp_async_wait<bug ? 1 : 0>();
    __syncthreads();
    out[t] = s.a[t] + s.b[t];  // bug: weak_wait
}
template <bool bug>
__global__ void wait_without_barrier(int* out, const int* in) {
    auto& s = dev::shared<Arrays>();
    const unsigned t = threadIdx.x;
    dev::cp_async<4>(&s.a[t], in + t);  // bug: wait_without_barrier
    dev::cp_async_commit();
    dev::cp_async_wait<0>();
    if (!bug) __syncthreads();
    out[t] = s.a[t ^ 32];  // bug: wait_without_barrier
}
template <bool bug>
__global__ void barrier_before_wait(int* out, const int* in) {
    auto& s = dev::shared<Arrays>();
    const unsigned t = threadIdx.x;
    dev::cp_async<4>(&s.a[t], in + t);  // bug: barrier_before_wait
    dev::cp_async_commit();
    if (bug) __syncthreads();
    dev::cp_async_wait<0>();
    if (!bug) __syncthreads();
    out[t] = s.a[t ^ 32];  // bug: barrier_before_wait
}
template <bool bug>
__global__ void never_committed(int* out, const int* in) {
    auto& s = dev::shared<Arrays>();
    const unsigned t = threadIdx.x;
    dev::cp_async<4>(&s.a[t], in + t);  // bug: never_committed
    if (!bug) dev::cp_async_commit();
    dev::cp_async_wait<0>();
    __syncthreads();
    out[t] = s.a[t];  // bug: never_committed
}
template <bool bug>
__global__ void source_overwritten(int* out, const int* in) {
    auto& s = dev::shared<Arrays>();
    const unsigned t = threadIdx.x;
    out[t] = in[t];
    dev::cp_async<4>(&s.a[t], out + t);  // bug: source_overwritten
    dev::cp_async_commit();
    if (!bug) dev::cp_async_wait<0>();
    out[t] = 0;  // bug: source_overwritten
    dev::cp_async_wait<0>();
    out[t] = s.a[t];
}
template <bool bug>
__global__ void target_stored_in_flight(int* out, const int* in) {
    auto& s = dev::shared<Arrays>();
    const unsigned t = threadIdx.x;
    dev::cp_async<4>(&s.a[t], in + t);  // bug: target_stored_in_flight
    dev::cp_async_commit();
    if (!bug) dev::cp_async_wait<0>();
    s.a[t] = 5;  // bug: target_stored_in_flight
    dev::cp_async_wait<0>();
    out[t] = s.a[t];
}
template <bool bug>
__global__ void refill_while_read(int* out, const int* in) {
    auto& s = dev::shared<Arrays>();
    const unsigned t = threadIdx.x;
    int sum = 0;
    for (int round = 0; round < 2; ++round) {
        dev::cp_async<4>(&s.a[t], in + t + round * 64);  // bug: refill_while_read
        dev::cp_async_commit();
        dev::cp_async_wait<0>();
        __syncthreads();
        sum += s.a[t ^ 32];  // bug: refill_while_read
        if (!bug) __syncthreads();
    }
    out[t] = sum;
}
template <bool bug>
__global__ void too_few_stages(int* out, const int* in) {  // a three-deep pipeline in two buffers
    auto* ring = dev::shared_array<int>(3 * 64);
    const unsigned t = threadIdx.x;
    constexpr int kStages = bug ? 2 : 3;
    for (int stage = 0; stage < 2; ++stage) {
        dev::cp_async<4>(ring + stage * 64 + t, in + stage * 64 + t);
        dev::cp_async_commit();
    }
    int sum = 0;
    for (int k = 0; k < 3; ++k) {
        dev::cp_async_wait<1>();
        __syncthreads();
        int* const target = ring + (k + 2) % kStages * 64 + t;
        if (k + 2 < 4) dev::cp_async<4>(target, in + (k + 2) * 64 + t);  // bug: too_few_stages
        dev::cp_async_commit();
        sum += ring[k % kStages * 64 + (t ^ 32)];  // bug: too_few_stages
    }
    out[t] = sum;
}
void run_too_few_stages(bool bug) {
    run_simple(bug ? too_few_stages<true> : too_few_stages<false>, dim3(1), dim3(64), 3 * 64 * sizeof(int));
}
template <bool bug>
__global__ void targets_overlap(int* out, const int* in) {
    auto& s = dev::shared<Arrays>();
    const unsigned t = threadIdx.x;
    dev::cp_async<16>(&s.a[t * 4], in + t * 4);                            // bug: targets_overlap
    dev::cp_async<16>(bug ? &s.a[t * 4] : &s.b[t * 4], in + t * 4 + 128);  // bug: targets_overlap
    dev::cp_async_commit();
    dev::cp_async_wait<0>();
    __syncthreads();
    out[t] = s.a[t];
}
template <bool bug>
__global__ void store_before_copy_unordered(int* out, const int* in) {  // another thread's store, then my copy over it
    auto& s = dev::shared<Arrays>();
    const unsigned t = threadIdx.x;
    s.a[t] = 0;  // bug: store_before_copy_unordered
    if (!bug) __syncthreads();
    dev::cp_async<4>(&s.a[t ^ 32], in + t);  // bug: store_before_copy_unordered
    dev::cp_async_commit();
    dev::cp_async_wait<0>();
    __syncthreads();
    out[t] = s.a[t];
}
template <bool bug>
__global__ void past_the_end(int* out, const int* in) {  // zero fill needs the source size, not only a shorter loop
    auto& s = dev::shared<Arrays>();
    const unsigned t = threadIdx.x, left = t < 63 ? 16u : 8u;      // 254 elements
    dev::cp_async<16>(&s.a[t * 4], in + t * 4, bug ? 16u : left);  // bug: past_the_end
    dev::cp_async_commit();
    dev::cp_async_wait<0>();
    __syncthreads();
    out[t] = s.a[t * 4 + 3];
}
void run_past_the_end(bool bug) {
    dev::Stream stream;
    dev::Buffer<int> in = ramp(254, stream), out(64, "output");
    dev::launch(bug ? past_the_end<true> : past_the_end<false>, dim3(1), dim3(64), sizeof(Arrays), stream, out.data(),
                in.data());
    stream.synchronize();
}

using simt::Kind;
constexpr Case kCases[] = {
    {"missing_wait", Kind::race_with_async_copy, CAMBIUM_SIMPLE(missing_wait, 1, 64)},
    {"weak_wait", Kind::race_with_async_copy, CAMBIUM_SIMPLE(weak_wait, 1, 64)},
    {"wait_without_barrier", Kind::race_with_async_copy, CAMBIUM_SIMPLE(wait_without_barrier, 1, 64)},
    {"barrier_before_wait", Kind::race_with_async_copy, CAMBIUM_SIMPLE(barrier_before_wait, 1, 64)},
    {"never_committed", Kind::race_with_async_copy, CAMBIUM_SIMPLE(never_committed, 1, 64)},
    {"source_overwritten", Kind::race_with_async_copy, CAMBIUM_SIMPLE(source_overwritten, 1, 64)},
    {"target_stored_in_flight", Kind::race_with_async_copy, CAMBIUM_SIMPLE(target_stored_in_flight, 1, 64)},
    {"refill_while_read", Kind::race_with_async_copy, CAMBIUM_SIMPLE(refill_while_read, 1, 64)},
    {"too_few_stages", Kind::race_with_async_copy, run_too_few_stages},
    {"targets_overlap", Kind::race_with_async_copy, CAMBIUM_SIMPLE(targets_overlap, 1, 32)},
    {"store_before_copy_unordered", Kind::race_with_async_copy, CAMBIUM_SIMPLE(store_before_copy_unordered, 1, 64)},
    {"past_the_end", Kind::out_of_bounds, run_past_the_end},
};

}  // namespace

std::span<const Case> async_cases() { return kCases; }

}  // namespace cambium::planted
