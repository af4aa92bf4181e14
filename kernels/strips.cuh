// How kernels walk over a matrix [rows, channels] whose channels are contiguous, as NHWC images are: a block owns a
// strip of channels and a part of the rows. Its threads stand as lanes, side by side on neighbouring runs of Width
// channels, and lines, on neighbouring rows, so that a warp always reads contiguous memory: one row of 512 bytes, or
// several rows where channels are few.
#pragma once

#include <algorithm>

#include "kernels/check.h"
#include "kernels/gpu.h"

namespace cambium {

inline constexpr int kStripThreads = 256;

// A launch over strips: blocks of dim3(lanes, lines), grid of dim3(parts of the rows, strips).
struct Strips {
    std::int64_t rows = 0, channels = 0;
    std::int64_t rows_per_part = 0;
};
struct StripLaunch {
    Strips strips;
    dim3 grid, block;
};

// How many rows a thread should see, and how many blocks are worth having.
struct StripLoad {
    int least_rows, most_rows;  // a multiple of 4 each
    int blocks;
};

// The same for a given shape on every device, because sums are taken in an order that depends on it.
inline StripLaunch plan_strips(std::int64_t rows, std::int64_t channels, int width, const StripLoad& load) {
    const std::int64_t runs = std::max<std::int64_t>(ceil_div(channels, width), 1);
    int lanes = 1;
    while (lanes < 32 && lanes < runs) lanes *= 2;
    std::int64_t lines = kStripThreads / lanes;
    while (lines / 2 >= rows && lines * lanes > 32) lines /= 2;  // no more warps than there are rows
    const std::int64_t strips = ceil_div(runs, lanes);
    const std::int64_t parts_wanted = std::max<std::int64_t>(load.blocks / strips, 1);
    const std::int64_t even = ceil_div(ceil_div(rows, lines * parts_wanted), 4) * 4;
    const std::int64_t rows_per_thread = std::clamp<std::int64_t>(even, load.least_rows, load.most_rows);
    const std::int64_t parts = std::max<std::int64_t>(ceil_div(rows, lines * rows_per_thread), 1);
    require(parts <= 0x7fffffff && strips <= 65535,
            "a kernel over [" + std::to_string(rows) + ", " + std::to_string(channels) + "]",
            "it has more rows or channels than one launch has blocks");
    return {.strips = {rows, channels, lines * rows_per_thread},
            .grid = dim3(static_cast<unsigned>(parts), static_cast<unsigned>(strips)),
            .block = dim3(static_cast<unsigned>(lanes), static_cast<unsigned>(lines))};
}

// A thread's share of a launch over strips: its first channel and the rows first, first + step, ... before end.
struct StripShare {
    std::int64_t channel, first, end, step;
};

template <int Width>
CAMBIUM_DEVICE StripShare strip_share(const Strips& s, std::int64_t part) {
    const std::int64_t begin = part * s.rows_per_part, end = begin + s.rows_per_part;
    StripShare share;
    share.channel = (static_cast<std::int64_t>(blockIdx.y) * blockDim.x + threadIdx.x) * Width;
    share.first = begin + threadIdx.y;
    share.end = share.channel >= s.channels ? 0 : end < s.rows ? end : s.rows;
    share.step = blockDim.y;
    return share;
}

// Calls load(row) and use(row, what it gave) for each row of the share in order, four loads ahead of their first use:
// with 256 threads of 16 bytes, 16 KB in flight for each block.
template <class Load, class Use>
CAMBIUM_DEVICE void walk_rows(const StripShare& share, Load&& load, Use&& use) {
    std::int64_t row = share.first;
    for (; row + 3 * share.step < share.end; row += 4 * share.step) {
        decltype(load(row)) ahead[4];
#pragma unroll
        for (int i = 0; i < 4; ++i) ahead[i] = load(row + i * share.step);
#pragma unroll
        for (int i = 0; i < 4; ++i) use(row + i * share.step, ahead[i]);
    }
    for (; row < share.end; row += share.step) use(row, load(row));
}

}  // namespace cambium
