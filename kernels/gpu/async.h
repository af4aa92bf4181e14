// cp.async: copies from global to shared memory that run beside the thread. The thread that issued them waits with
// cp_async_wait; the others learn of the data by a barrier after that wait.
#pragma once

#include "kernels/gpu/language.h"

#if !defined(CAMBIUM_CUDA) && !defined(__CUDACC__)

namespace cambium::simt {

void cp_async(void* shared, const void* global, unsigned bytes, unsigned source_bytes, dev::Site site);
void cp_async_commit(dev::Site site);
void cp_async_wait(unsigned groups_in_flight, dev::Site site);

}  // namespace cambium::simt

#endif

#if defined(CAMBIUM_DEVICE)

namespace cambium::dev {

#if defined(__CUDACC__)
CAMBIUM_DEVICE unsigned shared_address(const void* pointer) {
    return static_cast<unsigned>(__cvta_generic_to_shared(pointer));
}
#endif

// cp.async.{ca,cg}.shared.global [shared], [global], Bytes, source_bytes (Data Movement: cp.async): copies
// `source_bytes` of `Bytes` = 4, 8 or 16 and fills the rest with zeros; 0 reads nothing. Both addresses are multiples
// of Bytes. 16 bytes bypass L1 (.cg).
template <int Bytes>
CAMBIUM_DEVICE void cp_async(void* shared, const void* global, unsigned source_bytes = Bytes,
                             [[maybe_unused]] Site site = Site::here()) {
    static_assert(Bytes == 4 || Bytes == 8 || Bytes == 16, "cp.async copies 4, 8 or 16 bytes");
#if defined(__CUDACC__)
    if constexpr (Bytes == 16) {
        asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(shared)), "l"(global),
                     "r"(source_bytes)
                     : "memory");
    } else {
        asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;" ::"r"(shared_address(shared)), "l"(global),
                     "n"(Bytes), "r"(source_bytes)
                     : "memory");
    }
#else
    simt::cp_async(shared, global, Bytes, source_bytes, site);
#endif
}

// cp.async.commit_group (Data Movement: cp.async.commit_group): closes the group of the copies issued since the last
// commit.
CAMBIUM_DEVICE void cp_async_commit([[maybe_unused]] Site site = Site::here()) {
#if defined(__CUDACC__)
    asm volatile("cp.async.commit_group;" ::: "memory");
#else
    simt::cp_async_commit(site);
#endif
}

// cp.async.wait_group N (Data Movement: cp.async.wait_group): waits until at most N of this thread's groups are in
// flight.
template <int GroupsInFlight>
CAMBIUM_DEVICE void cp_async_wait([[maybe_unused]] Site site = Site::here()) {
#if defined(__CUDACC__)
    asm volatile("cp.async.wait_group %0;" ::"n"(GroupsInFlight) : "memory");
#else
    simt::cp_async_wait(GroupsInFlight, site);
#endif
}

}  // namespace cambium::dev

#endif
