// The last-arriver pattern: blocks leave their parts of a result in device memory and count themselves; the one that
// arrives last finds all parts there and combines them in an order of its own choosing, so that the result does not
// depend on who that was, and no block ever waits for another.
#pragma once

#include "kernels/gpu.h"

namespace cambium::dev {

// True for all threads of the block that is the last of `blocks` to count itself in `*counter`, which was 0 before the
// launch; what the others stored before they called is then visible to it. `before` is a place in shared memory that
// nothing else uses. Order: the first barrier makes thread 0's fence cover the whole block's stores; its second fence
// with the second barrier shows everybody what the other blocks stored before they arrived.
CAMBIUM_DEVICE bool last_to_arrive(unsigned* counter, unsigned blocks, unsigned& before) {
    __syncthreads();
    if (thread_rank() == 0) {
        __threadfence();
        before = atomicAdd(counter, 1u);
        __threadfence();
    }
    __syncthreads();
    return before == blocks - 1;
}

}  // namespace cambium::dev
