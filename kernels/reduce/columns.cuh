// Reductions over the rows of a matrix [rows, channels]: the one pattern behind batch norm's moments, its gradient's
// sums, dot products per channel and the gradients of biases.
//   1. each thread walks down its rows of the block's strip and part (strips.cuh) and gathers Width channels;
//   2. the threads of a channel meet in shared memory, in a tree over the lines;
//   3. where the rows are cut into parts, line 0 leaves the part's cells in the workspace;
//   4. the block of a strip that arrives last takes the parts in turn, line by line, and the same tree;
//   5. line 0 finishes: it stores what the cells amount to.
// Every order is fixed by the shape, so the same operands give the same bits.
#pragma once

#include "kernels/arrival.cuh"
#include "kernels/packed.cuh"
#include "kernels/strips.cuh"

namespace cambium::reduce {

// What is reduced is an Op:
//   kWidth, kTerms                  channels of a thread; numbers that a reduction holds for each, its cell
//   load(row, channel)              what the thread reads of a row
//   begin(row, channel) -> State    before its first row
//   add(State&, loaded row)
//   close(State, channel, cells)    the state as cells; without a row the cells stay 0
//   merge(a, b)                     adds cell b, of later rows, to a; either may be empty
//   finish(channel, cells)          stores the results of kWidth channels
template <class Op>
struct Cells {
    float value[Op::kWidth][Op::kTerms];
};

template <class Op>
struct ColumnMemory {
    dev::Shared<float, Op::kWidth * Op::kTerms, kStripThreads> cell;
    dev::Shared<unsigned, 1> arrived_before;
};

// Adds the cells of all lines; the result is in line 0. The places that a step reads are not those the next one writes,
// so one barrier a step is enough.
template <class Op>
CAMBIUM_DEVICE void merge_lines(ColumnMemory<Op>& shared, Cells<Op>& cells) {
    const int line = static_cast<int>(threadIdx.y), rank = static_cast<int>(dev::thread_rank());
    for (int half = static_cast<int>(blockDim.y) / 2; half > 0; half /= 2) {
        if (line >= half && line < 2 * half) {
#pragma unroll
            for (int i = 0; i < Op::kWidth; ++i)
                for (int t = 0; t < Op::kTerms; ++t) shared.cell[i * Op::kTerms + t][rank] = cells.value[i][t];
        }
        __syncthreads();
        if (line < half) {
            const int other = rank + half * static_cast<int>(blockDim.x);
#pragma unroll
            for (int i = 0; i < Op::kWidth; ++i) {
                float cell[Op::kTerms];
                for (int t = 0; t < Op::kTerms; ++t) cell[t] = shared.cell[i * Op::kTerms + t][other];
                Op::merge(cells.value[i], cell);
            }
        }
    }
}

template <class Op>
CAMBIUM_DEVICE Cells<Op> cells_of_rows(const Op& op, const StripShare& share) {
    Cells<Op> cells{};
    if (share.first < share.end) {
        auto state = op.begin(share.first, share.channel);
        walk_rows(
            share, [&](std::int64_t row) { return op.load(row, share.channel); },
            [&](std::int64_t, const auto& loaded) { op.add(state, loaded); });
        op.close(state, share.channel, cells.value);
    }
    return cells;
}

// Where part `part` keeps term `term` of `channel` in the workspace: [parts, kTerms, channels].
template <class Op>
CAMBIUM_DEVICE std::int64_t place(std::int64_t part, int term, std::int64_t channels, std::int64_t channel) {
    return (part * Op::kTerms + term) * channels + channel;
}

template <class Op>
CAMBIUM_DEVICE void store_part(const Cells<Op>& cells, float* partials, std::int64_t channels, std::int64_t channel) {
#pragma unroll
    for (int t = 0; t < Op::kTerms; ++t) {
        float values[Op::kWidth];
        for (int i = 0; i < Op::kWidth; ++i) values[i] = cells.value[i][t];
        dev::store_floats(partials + place<Op>(blockIdx.x, t, channels, channel), values);
    }
}

// Line l adds parts l, l + lines, ...
template <class Op>
CAMBIUM_DEVICE Cells<Op> cells_of_parts(const float* partials, std::int64_t channels, std::int64_t channel) {
    Cells<Op> cells{};
    if (channel >= channels) return cells;
    for (unsigned part = threadIdx.y; part < gridDim.x; part += blockDim.y) {
        float terms[Op::kTerms][Op::kWidth];
#pragma unroll
        for (int t = 0; t < Op::kTerms; ++t) {
            dev::load_floats(partials + place<Op>(part, t, channels, channel), terms[t]);
        }
#pragma unroll
        for (int i = 0; i < Op::kWidth; ++i) {
            float cell[Op::kTerms];
            for (int t = 0; t < Op::kTerms; ++t) cell[t] = terms[t][i];
            Op::merge(cells.value[i], cell);
        }
    }
    return cells;
}

// The whole reduction, called by all threads of a launch over strips. `arrived` has a counter for each strip, 0 before
// the launch; `partials` and `arrived` are not used where the rows are one part.
template <class Op>
CAMBIUM_DEVICE void reduce_columns(const Op& op, const Strips& strips, float* partials, unsigned* arrived) {
    auto& shared = dev::shared<ColumnMemory<Op>>();
    const StripShare share = strip_share<Op::kWidth>(strips, blockIdx.x);
    const bool owner = threadIdx.y == 0 && share.channel < strips.channels;
    Cells<Op> cells = cells_of_rows(op, share);
    merge_lines(shared, cells);
    bool last = true;
    if (gridDim.x > 1) {
        if (owner) store_part(cells, partials, strips.channels, share.channel);
        last = dev::last_to_arrive(arrived + blockIdx.y, gridDim.x, shared.arrived_before[0]);
        if (last) {
            cells = cells_of_parts<Op>(partials, strips.channels, share.channel);
            merge_lines(shared, cells);
        }
    }
    if (last && owner) op.finish(share.channel, cells.value);
}

// The host's side of it. Blocks are four for each multiprocessor of an H100 or H200, whatever the device, so that
// results do not depend on it. At least 8 rows a thread, or the tree would cost more than the walk; at most 128, which
// bounds the rounding of a thread's own sums.
inline constexpr int kColumnBlocks = 528;
inline StripLaunch plan_columns(std::int64_t rows, std::int64_t channels, int width, int blocks = kColumnBlocks) {
    return plan_strips(rows, channels, width, {.least_rows = 8, .most_rows = 128, .blocks = blocks});
}
// Of so many reductions of one plan side by side.
inline std::size_t counter_bytes(const StripLaunch& launch, std::int64_t reductions = 1) {
    const auto strips = static_cast<std::size_t>(reductions) * launch.grid.y;
    return launch.grid.x == 1 ? 0 : round_to_256(strips * sizeof(unsigned));
}
inline std::size_t column_workspace_bytes(const StripLaunch& launch, int terms, std::int64_t reductions = 1) {
    if (launch.grid.x == 1) return 0;
    const std::int64_t numbers = reductions * launch.grid.x * terms * launch.strips.channels;
    return counter_bytes(launch, reductions) + round_to_256(static_cast<std::size_t>(numbers) * sizeof(float));
}

}  // namespace cambium::reduce
