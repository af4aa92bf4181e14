// Who a thread is, and how threads of a block and of a warp meet: barriers, shuffles, votes. Under nvcc the CUDA names
// are CUDA's own; here the host gets the same names, declared with the meaning of the instruction they compile to.
#pragma once

#include <type_traits>

#include "kernels/gpu/language.h"

#if !defined(CAMBIUM_CUDA) && !defined(__CUDACC__)

namespace cambium::simt {

uint3 thread_index() noexcept __attribute__((const));  // constants for the life of a thread: compilers may hoist them
uint3 block_index() noexcept __attribute__((const));
dim3 block_dimensions() noexcept __attribute__((const));
dim3 grid_dimensions() noexcept __attribute__((const));
unsigned thread_rank() noexcept __attribute__((const));  // a number, which compilers hoist; of a struct they don't

enum class Vote : std::uint8_t { ballot, any, all };
enum class Shuffle : std::uint8_t { index, up, down, exclusive_or };
enum class Reduction : std::uint8_t { none, count, conjunction, disjunction };
enum class WarpReduction : std::uint8_t { add, minimum, maximum, and_, or_, xor_ };

int block_barrier(Reduction reduction, bool predicate, dev::Site site);
void named_barrier(unsigned id, unsigned threads, bool wait, dev::Site site);
void warp_barrier(unsigned mask, dev::Site site);
std::uint64_t shuffle(Shuffle kind, unsigned mask, std::uint64_t bits, unsigned size, int argument, int width,
                      dev::Site site);
unsigned vote(Vote kind, unsigned mask, bool predicate, dev::Site site);
unsigned match(unsigned mask, std::uint64_t bits, dev::Site site);  // the lanes of the mask that offer the same bits
std::uint32_t warp_reduce(WarpReduction kind, bool is_signed, unsigned mask, std::uint32_t bits, dev::Site site);
unsigned active_lanes();
void sleep(dev::Site site);
[[noreturn]] void trap(dev::Site site);

template <class T>
T shuffle_value(Shuffle kind, unsigned mask, T value, int argument, int width, dev::Site site) {
    static_assert(std::is_trivially_copyable_v<T> && (sizeof(T) == 4 || sizeof(T) == 8), "shuffles move 4 or 8 bytes");
    using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
    return std::bit_cast<T>(
        static_cast<Bits>(shuffle(kind, mask, std::bit_cast<Bits>(value), sizeof(T), argument, width, site)));
}

template <class T>
unsigned match_value(unsigned mask, T value, dev::Site site) {
    static_assert(std::is_arithmetic_v<T> && (sizeof(T) == 4 || sizeof(T) == 8), "matches compare 4 or 8 bytes");
    using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
    return match(mask, std::bit_cast<Bits>(value), site);
}

}  // namespace cambium::simt

#define threadIdx (::cambium::simt::thread_index())
#define blockIdx (::cambium::simt::block_index())
#define blockDim (::cambium::simt::block_dimensions())
#define gridDim (::cambium::simt::grid_dimensions())
#define warpSize 32

// barrier.sync.aligned 0 (Parallel Synchronization: barrier): every thread of the block that has not exited; orders
// memory within the block.
inline void __syncthreads(cambium::dev::Site site = cambium::dev::Site::here()) {
    cambium::simt::block_barrier(cambium::simt::Reduction::none, false, site);
}
// barrier.red.popc / .and / .or (Parallel Synchronization: barrier): the barrier, and a reduction of one predicate over
// the block.
inline int __syncthreads_count(int predicate, cambium::dev::Site site = cambium::dev::Site::here()) {
    return cambium::simt::block_barrier(cambium::simt::Reduction::count, predicate != 0, site);
}
inline int __syncthreads_and(int predicate, cambium::dev::Site site = cambium::dev::Site::here()) {
    return cambium::simt::block_barrier(cambium::simt::Reduction::conjunction, predicate != 0, site);
}
inline int __syncthreads_or(int predicate, cambium::dev::Site site = cambium::dev::Site::here()) {
    return cambium::simt::block_barrier(cambium::simt::Reduction::disjunction, predicate != 0, site);
}
// bar.warp.sync (Parallel Synchronization: bar.warp.sync): the lanes named in the mask; orders memory among them.
inline void __syncwarp(unsigned mask = 0xffffffffu, cambium::dev::Site site = cambium::dev::Site::here()) {
    cambium::simt::warp_barrier(mask, site);
}

// shfl.sync.idx / .up / .down / .bfly (Data Movement: shfl.sync): moves registers, orders no memory. A source beyond
// the sub-warp of `width` lanes leaves the lane's own value.
template <class T>
T __shfl_sync(unsigned mask, T value, int lane, int width = 32, cambium::dev::Site site = cambium::dev::Site::here()) {
    return cambium::simt::shuffle_value(cambium::simt::Shuffle::index, mask, value, lane, width, site);
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32,
                 cambium::dev::Site site = cambium::dev::Site::here()) {
    return cambium::simt::shuffle_value(cambium::simt::Shuffle::up, mask, value, static_cast<int>(delta), width, site);
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32,
                   cambium::dev::Site site = cambium::dev::Site::here()) {
    return cambium::simt::shuffle_value(cambium::simt::Shuffle::down, mask, value, static_cast<int>(delta), width,
                                        site);
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int lanes, int width = 32,
                  cambium::dev::Site site = cambium::dev::Site::here()) {
    return cambium::simt::shuffle_value(cambium::simt::Shuffle::exclusive_or, mask, value, lanes, width, site);
}
// vote.sync.ballot / .any / .all (Parallel Synchronization: vote.sync): orders no memory.
inline unsigned __ballot_sync(unsigned mask, int predicate, cambium::dev::Site site = cambium::dev::Site::here()) {
    return cambium::simt::vote(cambium::simt::Vote::ballot, mask, predicate != 0, site);
}
inline int __any_sync(unsigned mask, int predicate, cambium::dev::Site site = cambium::dev::Site::here()) {
    return static_cast<int>(cambium::simt::vote(cambium::simt::Vote::any, mask, predicate != 0, site));
}
inline int __all_sync(unsigned mask, int predicate, cambium::dev::Site site = cambium::dev::Site::here()) {
    return static_cast<int>(cambium::simt::vote(cambium::simt::Vote::all, mask, predicate != 0, site));
}
// activemask (Parallel Synchronization: activemask): the lanes that happen to run together, of which nothing is
// promised; here the calling lane alone, so that a kernel that relies on more is seen to be wrong.
inline unsigned __activemask() { return cambium::simt::active_lanes(); }
// match.sync.any / .all (Parallel Synchronization: match.sync): orders no memory.
template <class T>
unsigned __match_any_sync(unsigned mask, T value, cambium::dev::Site site = cambium::dev::Site::here()) {
    return cambium::simt::match_value(mask, value, site);
}
template <class T>
unsigned __match_all_sync(unsigned mask, T value, int* equal, cambium::dev::Site site = cambium::dev::Site::here()) {
    const unsigned lanes = cambium::simt::match_value(mask, value, site);
    *equal = lanes == mask ? 1 : 0;
    return *equal != 0 ? mask : 0;
}
// redux.sync (Parallel Synchronization: redux.sync), sm_80: orders no memory.
#define CAMBIUM_WARP_REDUCTION(name, operation, T)                                                      \
    inline T name(unsigned mask, T value, cambium::dev::Site site = cambium::dev::Site::here()) {       \
        return std::bit_cast<T>(cambium::simt::warp_reduce(cambium::simt::WarpReduction::operation,     \
                                                           std::is_signed_v<T>, mask,                   \
                                                           std::bit_cast<std::uint32_t>(value), site)); \
    }
CAMBIUM_WARP_REDUCTION(__reduce_add_sync, add, int)
CAMBIUM_WARP_REDUCTION(__reduce_add_sync, add, unsigned)
CAMBIUM_WARP_REDUCTION(__reduce_min_sync, minimum, int)
CAMBIUM_WARP_REDUCTION(__reduce_min_sync, minimum, unsigned)
CAMBIUM_WARP_REDUCTION(__reduce_max_sync, maximum, int)
CAMBIUM_WARP_REDUCTION(__reduce_max_sync, maximum, unsigned)
CAMBIUM_WARP_REDUCTION(__reduce_and_sync, and_, unsigned)
CAMBIUM_WARP_REDUCTION(__reduce_or_sync, or_, unsigned)
CAMBIUM_WARP_REDUCTION(__reduce_xor_sync, xor_, unsigned)
#undef CAMBIUM_WARP_REDUCTION
// nanosleep (Miscellaneous: nanosleep): other threads run meanwhile.
inline void __nanosleep(unsigned, cambium::dev::Site site = cambium::dev::Site::here()) { cambium::simt::sleep(site); }
// trap (Miscellaneous: trap): ends the kernel; reported.
[[noreturn]] inline void __trap(cambium::dev::Site site = cambium::dev::Site::here()) { cambium::simt::trap(site); }

#endif

#if defined(CAMBIUM_DEVICE)

namespace cambium::dev {

// The thread's number in its block, x fastest; its lane and its warp (32 threads each).
#if defined(__CUDACC__)
CAMBIUM_DEVICE unsigned thread_rank() { return (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x; }
#else
using simt::thread_rank;
#endif
CAMBIUM_DEVICE unsigned lane_index() { return thread_rank() % 32; }
CAMBIUM_DEVICE unsigned warp_index() { return thread_rank() / 32; }

// barrier.sync.aligned id, threads (Parallel Synchronization: barrier): one of the 16 named barriers (0 is
// __syncthreads'); `threads` is a multiple of 32 and counts those who wait and those who only arrive.
CAMBIUM_DEVICE void barrier_sync(unsigned id, unsigned threads, [[maybe_unused]] Site site = Site::here()) {
#if defined(__CUDACC__)
    asm volatile("barrier.sync.aligned %0, %1;" ::"r"(id), "r"(threads) : "memory");
#else
    simt::named_barrier(id, threads, true, site);
#endif
}
// barrier.arrive.aligned id, threads (Parallel Synchronization: barrier): arrives without waiting.
CAMBIUM_DEVICE void barrier_arrive(unsigned id, unsigned threads, [[maybe_unused]] Site site = Site::here()) {
#if defined(__CUDACC__)
    asm volatile("barrier.arrive.aligned %0, %1;" ::"r"(id), "r"(threads) : "memory");
#else
    simt::named_barrier(id, threads, false, site);
#endif
}

}  // namespace cambium::dev

#endif
