// How a loop over independent pieces of work is spread over a device.
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/check.h"

namespace cambium {

struct Grid {
    unsigned blocks = 1, threads = 32;
};

// For grid-stride loops: a thread takes a piece, then the one that lies a whole grid further. Looks at the count only,
// and results must not depend on it. Eight blocks of 256 threads fill a multiprocessor's 2048, and more blocks than
// fill the device would only come and go; few pieces are few threads, for simt pays by the thread.
inline Grid grid_for(std::int64_t pieces) {
    constexpr std::int64_t kMostThreads = 256, kMostBlocks = 132 * 8;  // an H100 or H200 has 132 multiprocessors
    const std::int64_t wanted = std::max<std::int64_t>(pieces, 1);
    const std::int64_t threads = std::min(ceil_div(wanted, 32) * 32, kMostThreads);
    return {static_cast<unsigned>(std::min(ceil_div(wanted, threads), kMostBlocks)), static_cast<unsigned>(threads)};
}

}  // namespace cambium
