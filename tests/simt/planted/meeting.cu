// Threads that do not meet as they should: barriers, masks, warp instructions, waits without end, ends by assertion.
#undef NDEBUG
#include <cassert>

#include "tests/simt/planted/planted.h"

namespace cambium::planted {
namespace {

template <bool bug>
__global__ void barrier_in_both_branches(int* out, const int* in) {
    auto& s = dev::shared<Arrays>();
    const unsigned t = threadIdx.x;
    s.a[t] = in[t];
    if (bug && t % 2 == 0) {
        __syncthreads();  // bug: barrier_in_both_branches
    } else {
        __syncthreads();  // bug: barrier_in_both_branches
    }
    out[t] = s.a[t ^ 32];
}
template <bool bug>
__global__ void barrier_in_condition(int* out, const int* in) {
    auto& s = dev::shared<Arrays>();
    const unsigned t = threadIdx.x;
    s.a[t] = in[t];
    if (!bug || t < 48) __syncthreads();  // bug: barrier_in_condition
    s.b[t] = s.a[t];
    __syncthreads();  // bug: barrier_in_condition
    out[t] = s.b[t];
}
template <bool bug>
__global__ void barrier_in_uneven_loop(int* out, const int* in) {
    auto& s = dev::shared<Arrays>();
    const unsigned t = threadIdx.x;
    const unsigned rounds = bug ? 2 + t / 32 : 2;
    for (unsigned r = 0; r < rounds; ++r) {
        __syncthreads();  // bug: barrier_in_uneven_loop
        s.a[t] = in[t];
    }
    out[t] = s.a[t];
}
template <bool bug>
__global__ void return_before_barrier(int* out, const int* in) {
    auto& s = dev::shared<Arrays>();
    const unsigned t = threadIdx.x;
    if (bug && t >= 40) return;
    s.a[t] = in[t];
    __syncthreads();  // bug: return_before_barrier
    out[t] = s.a[t ^ 1];
}
template <bool bug>
__global__ void different_counts(int* out, const int* in) {
    const unsigned t = threadIdx.x;
    if (t < 32) {
        dev::barrier_arrive(2, bug ? 96 : 64);  // bug: different_counts
    } else {
        dev::barrier_sync(2, 64);  // bug: different_counts
    }
    out[t] = in[t];
}

template <bool bug>
__global__ void exit_before_shuffle(int* out, const int* in) {
    const unsigned t = threadIdx.x;
    if (bug && t >= 24) return;
    out[t] = __shfl_down_sync(0xffffffffu, in[t], 1);  // bug: exit_before_shuffle
}
template <bool bug>
__global__ void mask_without_oneself(int* out, const int* in) {
    const unsigned t = threadIdx.x;
    const unsigned mask = bug ? 0x0000ffffu : 0xffffffffu;
    out[t] = __shfl_sync(mask, in[t], 0);  // bug: mask_without_oneself
}
template <bool bug>
__global__ void masks_disagree(int* out, const int* in) {
    const unsigned t = threadIdx.x;
    const unsigned mask = bug && t < 8 ? 0x000000ffu : 0xffffffffu;
    out[t] = __shfl_xor_sync(mask, in[t], 1);  // bug: masks_disagree
}
// Half of the warp meets on its own while the other half waits for it, which is no fault; a lane that names more is
// one.
template <bool bug>
__global__ void half_meets_before_all(int* out, const int* in) {
    const unsigned t = threadIdx.x;
    int value = in[t];
    const unsigned mask = bug && t == 3 ? 0x0001ffffu : 0x0000ffffu;
    if (t < 16) value = __shfl_xor_sync(mask, value, 8);  // bug: half_meets_before_all
    __syncwarp();                                         // bug: half_meets_before_all
    out[t] = value;
}
template <bool bug>
__global__ void shuffle_from_outsider(int* out, const int* in) {
    const unsigned t = threadIdx.x;
    if (t < 16) out[t] = __shfl_sync(0x0000ffffu, in[t], bug ? 20 : 3);  // bug: shuffle_from_outsider
}
template <bool bug>
__global__ void full_mask_in_branch(int* out, const int* in) {
    const unsigned t = threadIdx.x;
    int value = in[t];
    if (!bug || t < 16) value = __shfl_xor_sync(0xffffffffu, value, 1);  // bug: full_mask_in_branch
    out[t] = value;
}
template <bool bug>
__global__ void vote_by_the_rest(int* out, const int* in) {
    const unsigned t = threadIdx.x;
    const unsigned mask = bug ? 0x00ffffffu : 0x0000ffffu;
    if (t < 16) out[t] = static_cast<int>(__ballot_sync(mask, in[t] > 3));  // bug: vote_by_the_rest
}

template <bool bug>
__global__ void first_lanes_reduce(int* out, const int* in) {  // the second step of a block's sum
    const unsigned t = threadIdx.x;
    int value = in[t];
    if (t < 8) {
        const unsigned mask = bug ? 0xffffffffu : 0x000000ffu;
        for (int d = 4; d > 0; d /= 2) value += __shfl_down_sync(mask, value, d, 8);  // bug: first_lanes_reduce
    }
    __syncthreads();  // bug: first_lanes_reduce
    out[t] = value;
}
template <bool bug>
__global__ void shuffle_in_scan_condition(int* out, const int* in) {
    const unsigned t = threadIdx.x;
    int value = in[t];
    for (unsigned d = 1; d < 32; d *= 2) {
        if (bug) {
            if (t % 32 >= d) value += __shfl_up_sync(0xffffffffu, value, d);  // bug: shuffle_in_scan_condition
        } else {
            const int below = __shfl_up_sync(0xffffffffu, value, d);
            if (t % 32 >= d) value += below;
        }
    }
    __syncthreads();  // bug: shuffle_in_scan_condition
    out[t] = value;
}
template <bool bug>
__global__ void sync_of_half_a_warp(int* out, const int* in) {
    const unsigned t = threadIdx.x;
    if (!bug || t % 2 == 0) __syncwarp();            // bug: sync_of_half_a_warp
    out[t] = __reduce_max_sync(0xffffffffu, in[t]);  // bug: sync_of_half_a_warp
}
// What __activemask returns promises nothing about lanes that will come; a ballot does.
template <bool bug>
__global__ void active_lanes_are_not_all(int* out, const int* in) {
    const unsigned t = threadIdx.x;
    const unsigned mask = bug ? __activemask() : __ballot_sync(0xffffffffu, 1);
    out[t] = __shfl_sync(mask, in[t], 0);  // bug: active_lanes_are_not_all
}
template <bool bug>
__global__ void matching_lanes(int* out, const int* in) {  // one atomic for all lanes of a bin
    const unsigned t = threadIdx.x, bin = static_cast<unsigned>(in[t]) % 3;
    if (t < 20) {
        const unsigned same = __match_any_sync(bug ? 0xffffffffu : 0x000fffffu, bin);  // bug: matching_lanes
        if (static_cast<int>(t) == __ffs(static_cast<int>(same)) - 1) atomicAdd(&out[bin], __popc(same));
    }
    __syncwarp();  // bug: matching_lanes
}

template <bool bug>
__global__ void assertion(int* out, const int* in) {
    const unsigned t = threadIdx.x;
    assert(in[t] < (bug ? 40 : 64));  // bug: assertion
    out[t] = in[t];
}
template <bool bug>
__global__ void trap(int* out, const int* in) {
    const unsigned t = threadIdx.x;
    if (in[t] >= (bug ? 40 : 64)) __trap();  // bug: trap
    out[t] = in[t];
}

template <bool bug>
__global__ void mma_at_two_places(int* out, const int*) {
    dev::FragmentA<bf16, 1> a = {};
    dev::FragmentB<bf16, 2> b = {};
    dev::Accumulator<1, 2> c;
    dev::clear(c);
    if (bug && threadIdx.x < 16) {
        dev::mma_tile(c, a, b);  // bug: mma_at_two_places
    } else {
        dev::mma_tile(c, a, b);  // bug: mma_at_two_places
    }
    out[threadIdx.x] = static_cast<int>(c.value[0][0][0]);
}
template <bool bug>
__global__ void shuffle_meets_vote(int* out, const int* in) {
    const unsigned t = threadIdx.x;
    if (bug && t < 16) {
        out[t] = __shfl_xor_sync(0xffffffffu, in[t], 1);  // bug: shuffle_meets_vote
    } else {
        out[t] = __any_sync(0xffffffffu, in[t]);  // bug: shuffle_meets_vote
    }
}

template <bool bug>
__global__ void mma_by_half_a_warp(int* out, const int*) {
    dev::FragmentA<bf16, 1> a = {};
    dev::FragmentB<bf16, 2> b = {};
    dev::Accumulator<1, 2> c;
    dev::clear(c);
    if (!bug || threadIdx.x < 16) dev::mma_tile(c, a, b);  // bug: mma_by_half_a_warp
    __syncthreads();                                       // bug: mma_by_half_a_warp
    out[threadIdx.x] = static_cast<int>(c.value[0][0][0]);
}
template <bool bug>
__global__ void nobody_arrives(int* out, const int* in) {
    const unsigned t = threadIdx.x;
    if (t < 32) {
        dev::barrier_sync(1, 64);  // bug: nobody_arrives
    } else if (!bug) {
        dev::barrier_arrive(1, 64);
    }
    out[t] = in[t];
}
template <bool bug>
__global__ void flag_never_set(int* out, const int*) {
    auto& s = dev::shared<Arrays>();
    volatile unsigned* flag = s.flags.begin();
    if (threadIdx.x == 0) *flag = 0;
    __syncthreads();
    if (threadIdx.x == 0) {
        if (!bug) *flag = 1;
    } else {
        while (*flag == 0) {  // bug: flag_never_set
        }
    }
    out[threadIdx.x] = 1;
}
template <bool bug>
__global__ void wait_for_later_block(int* out, unsigned* flag) {
    const unsigned setter = bug ? gridDim.x - 1 : 0;
    if (blockIdx.x == setter) {
        dev::store_strong(flag, 1u);
    } else {
        while (dev::load_strong(flag) == 0) {  // bug: wait_for_later_block
        }
    }
    out[blockIdx.x] = 1;
}
void run_wait_for_later_block(bool bug) {
    dev::Stream stream;
    dev::Buffer<int> out(2, "output");
    dev::Buffer<unsigned> flag(1, "flag");
    flag.fill(0, stream);
    dev::launch(bug ? wait_for_later_block<true> : wait_for_later_block<false>, dim3(2), dim3(1), 0, stream, out.data(),
                flag.data());
    stream.synchronize();
}
template <bool bug>
__global__ void lock_taken_twice(int* out, unsigned* lock) {
    for (int i = 0; i < (bug ? 2 : 1); ++i) {
        while (atomicCAS(lock, 0u, 1u) != 0u) {  // bug: lock_taken_twice
        }
    }
    atomicExch(lock, 0u);
    out[0] = 1;
}
void run_lock_taken_twice(bool bug) {
    dev::Stream stream;
    dev::Buffer<int> out(1, "output");
    dev::Buffer<unsigned> lock(1, "lock");
    lock.fill(0, stream);
    dev::launch(bug ? lock_taken_twice<true> : lock_taken_twice<false>, dim3(1), dim3(1), 0, stream, out.data(),
                lock.data());
    stream.synchronize();
}
template <bool bug>
__global__ void loop_without_end(int* out, const int* in) {
    int steps = in[1];
    while (steps != 0) {                      // bug: loop_without_end
        steps = bug ? steps + 2 : steps - 1;  // bug: loop_without_end
    }
    out[threadIdx.x] = steps;
}
void run_loop_without_end(bool bug) {
    const double usual = simt::options().watchdog_seconds;
    simt::options().watchdog_seconds = 0.2;
    run_simple(bug ? loop_without_end<true> : loop_without_end<false>, dim3(1), dim3(1));
    simt::options().watchdog_seconds = usual;
}

using simt::Kind;
constexpr Case kCases[] = {
    {"barrier_in_both_branches", Kind::divergent_barrier, CAMBIUM_SIMPLE(barrier_in_both_branches, 1, 64)},
    {"barrier_in_condition", Kind::divergent_barrier, CAMBIUM_SIMPLE(barrier_in_condition, 1, 64)},
    {"barrier_in_uneven_loop", Kind::exit_before_barrier, CAMBIUM_SIMPLE(barrier_in_uneven_loop, 1, 64)},
    {"return_before_barrier", Kind::exit_before_barrier, CAMBIUM_SIMPLE(return_before_barrier, 1, 64)},
    {"different_counts", Kind::divergent_barrier, CAMBIUM_SIMPLE(different_counts, 1, 64)},
    {"exit_before_shuffle", Kind::wrong_mask, CAMBIUM_SIMPLE(exit_before_shuffle, 1, 32)},
    {"mask_without_oneself", Kind::wrong_mask, CAMBIUM_SIMPLE(mask_without_oneself, 1, 32)},
    {"masks_disagree", Kind::wrong_mask, CAMBIUM_SIMPLE(masks_disagree, 1, 32)},
    {"half_meets_before_all", Kind::wrong_mask, CAMBIUM_SIMPLE(half_meets_before_all, 1, 32)},
    {"shuffle_from_outsider", Kind::wrong_mask, CAMBIUM_SIMPLE(shuffle_from_outsider, 1, 32)},
    {"full_mask_in_branch", Kind::wrong_mask, CAMBIUM_SIMPLE(full_mask_in_branch, 1, 32)},
    {"vote_by_the_rest", Kind::wrong_mask, CAMBIUM_SIMPLE(vote_by_the_rest, 1, 32)},
    {"first_lanes_reduce", Kind::wrong_mask, CAMBIUM_SIMPLE(first_lanes_reduce, 1, 64)},
    {"shuffle_in_scan_condition", Kind::wrong_mask, CAMBIUM_SIMPLE(shuffle_in_scan_condition, 1, 64)},
    {"sync_of_half_a_warp", Kind::divergent_instruction, CAMBIUM_SIMPLE(sync_of_half_a_warp, 1, 32)},
    {"active_lanes_are_not_all", Kind::wrong_mask, CAMBIUM_SIMPLE(active_lanes_are_not_all, 1, 32)},
    {"matching_lanes", Kind::divergent_instruction, CAMBIUM_SIMPLE(matching_lanes, 1, 32)},
    {"assertion", Kind::failed_assertion, CAMBIUM_SIMPLE(assertion, 1, 64)},
    {"trap", Kind::failed_assertion, CAMBIUM_SIMPLE(trap, 1, 64)},
    {"mma_at_two_places", Kind::divergent_instruction, CAMBIUM_SIMPLE(mma_at_two_places, 1, 32)},
    {"shuffle_meets_vote", Kind::divergent_instruction, CAMBIUM_SIMPLE(shuffle_meets_vote, 1, 32)},
    {"mma_by_half_a_warp", Kind::deadlock, CAMBIUM_SIMPLE(mma_by_half_a_warp, 1, 32)},
    {"nobody_arrives", Kind::deadlock, CAMBIUM_SIMPLE(nobody_arrives, 1, 64)},
    {"flag_never_set", Kind::deadlock, CAMBIUM_SIMPLE(flag_never_set, 1, 64)},
    {"wait_for_later_block", Kind::deadlock, run_wait_for_later_block},
    {"lock_taken_twice", Kind::deadlock, run_lock_taken_twice},
    {"loop_without_end", Kind::stuck_thread, run_loop_without_end},
};

}  // namespace

std::span<const Case> meeting_cases() { return kCases; }

}  // namespace cambium::planted
