// How the kernels are run, for tests that are also built for CUDA, where there is nothing to choose.
#pragma once

#include "kernels/gpu/launch.h"
#if !defined(CAMBIUM_CUDA)
#include "kernels/simt/simt.h"
#endif

namespace cambium::test {

inline bool is_checked_run() {
#if defined(CAMBIUM_CUDA)
    return false;
#else
    return simt::is_checked();
#endif
}

// The order in which threads run: 0 warp by warp, else random by that seed.
inline void set_schedule([[maybe_unused]] std::uint64_t seed) {
#if !defined(CAMBIUM_CUDA)
    simt::options().seed = seed;
#endif
}

inline void set_workers([[maybe_unused]] int workers) {
#if !defined(CAMBIUM_CUDA)
    simt::set_workers(workers);
#endif
}

}  // namespace cambium::test
