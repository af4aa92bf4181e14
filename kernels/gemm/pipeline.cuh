// The pipeline of matrix products and convolutions. A block computes one tile of D over its part of K:
//   1. kStages - 1 tiles of A and B are on their way from device memory (cp.async) before the first is used;
//   2. each step of kDepth along k loads the fragments of the next step while the current ones are multiplied;
//   3. one barrier per tile: it shows the next stage to all and frees the previous one for the copy three tiles ahead;
//   4. with split-K the parts of a tile leave their sums in the workspace, and the block that arrives last adds them in
//      the order of k, so that the result does not depend on who that is;
//   5. each warp turns its sums around in its own slice of the stages, 32 rows at a time, so that the epilogue is
//   applied
//      to runs of 4 in a loop (unrolled over registers it would be most of the program), whole sectors are stored, and
//      moments of columns are taken of what is stored.
// Where tiles of A and B come from and where D goes is the caller's: a copy and a map of places.
#pragma once

#include "kernels/gemm/epilogue.cuh"
#include "kernels/gemm/moments.cuh"
#include "kernels/gemm/operand.cuh"
#include "kernels/gemm/warp_tile.cuh"

namespace cambium::gemm {

// A block's tile of D, [M, N], as warps of [WarpM, WarpN]; rows of K-major operands are 128 bytes: all banks once.
template <Math math, class T, Major major_a, Major major_b, int M, int N, int WarpM, int WarpN, bool Swizzled = true>
struct Tiling {
    using Element = T;
    static constexpr Math kMath = math;
    using WarpTile = std::conditional_t<math == Math::f32, CoreTile<major_a, major_b, WarpM, WarpN>,
                                        TensorCoreTile<T, major_a, major_b, WarpM, WarpN>>;
    static constexpr Major kMajorA = major_a, kMajorB = major_b;
    static constexpr int kM = M, kN = N, kK = 128 / static_cast<int>(sizeof(T));
    static constexpr int kWarpM = WarpM, kWarpN = WarpN;
    static constexpr int kThreads = M / WarpM * (N / WarpN) * 32;
    static constexpr int kStages = 3;
    static constexpr int kSteps = kK / WarpTile::kDepth;
    static_assert(kSteps % 2 == 0, "the fragments' two buffers alternate across tiles");
    using TileA = OperandTile<T, major_a, M, kK, Swizzled>;
    using TileB = OperandTile<T, major_b, N, kK, Swizzled>;

    struct Stages {
        dev::Shared<T, kStages, TileA::kSize> a;
        dev::Shared<T, kStages, TileB::kSize> b;
        dev::Shared<unsigned, 1> arrived_before;  // parts of this tile of D that were done before ours
    };
};

// One block's share: the first element of its tile of D, and its part of K.
struct Work {
    std::int64_t row, column;
    std::int64_t k_begin;
    int k_tiles;
};

// The share of block `block` of those that compute part `part` of `parts` of an [m, n] D. Blocks walk over D in bands
// of 8 tiles along m, so that those which run together share rows of A and columns of B.
template <class Tiling>
CAMBIUM_DEVICE Work work_of_block(std::int64_t m, std::int64_t n, std::int64_t k, std::int64_t block, int part,
                                  int parts) {
    constexpr std::int64_t kBand = 8;
    const std::int64_t tiles_m = (m + Tiling::kM - 1) / Tiling::kM, tiles_n = (n + Tiling::kN - 1) / Tiling::kN;
    const std::int64_t band = block / (kBand * tiles_n), inside = block % (kBand * tiles_n);
    const std::int64_t left = tiles_m - band * kBand, height = left < kBand ? left : kBand;
    const std::int64_t tiles_k = (k + Tiling::kK - 1) / Tiling::kK, length = (tiles_k + parts - 1) / parts;
    const std::int64_t first = part * length, rest = tiles_k - first;
    return {(band * kBand + inside % height) * Tiling::kM, inside / height * Tiling::kN, first * Tiling::kK,
            static_cast<int>(rest < 0        ? 0
                             : rest < length ? rest
                                             : length)};
}

// Where this thread's warp lies in the block's tile of D.
template <class Tiling>
CAMBIUM_DEVICE int warp_row() {
    return static_cast<int>(dev::warp_index()) / (Tiling::kN / Tiling::kWarpN) * Tiling::kWarpM;
}
template <class Tiling>
CAMBIUM_DEVICE int warp_column() {
    return static_cast<int>(dev::warp_index()) % (Tiling::kN / Tiling::kWarpN) * Tiling::kWarpN;
}

// The fragments of step `step` of a stage.
template <class Tiling>
CAMBIUM_DEVICE void load_step(typename Tiling::WarpTile::Fragments& fragments, typename Tiling::Stages& stages,
                              int stage, int step) {
    const auto* a = &stages.a[stage][0];
    const auto* b = &stages.b[stage][0];
    const int k0 = step * Tiling::WarpTile::kDepth, row = warp_row<Tiling>(), column = warp_column<Tiling>();
    Tiling::WarpTile::load(
        fragments, [&](int m, int k) { return a + Tiling::TileA::at(row + m, k0 + k); },
        [&](int k, int n) { return b + Tiling::TileB::at(column + n, k0 + k); });
}

// Adds the products of `tiles` tiles along k (at least one) to `warp`. `copy(tile, a, b)` starts copying tile number
// `tile` of A to `a` and of B to `b`; it is called once for each tile, in order, by all threads.
template <class Tiling, class Copy>
CAMBIUM_DEVICE void multiply_tiles(typename Tiling::WarpTile& warp, typename Tiling::Stages& stages, int tiles,
                                   Copy&& copy) {
    constexpr int kStages = Tiling::kStages, kSteps = Tiling::kSteps;
    const auto start = [&](int tile) {
        if (tile < tiles) copy(tile, &stages.a[tile % kStages][0], &stages.b[tile % kStages][0]);
        dev::cp_async_commit();  // an empty group too, so that the number of groups tells the tile
    };
    typename Tiling::WarpTile::Fragments fragments[2];
    for (int tile = 0; tile < kStages - 1; ++tile) start(tile);
    dev::cp_async_wait<kStages - 2>();
    __syncthreads();
    load_step<Tiling>(fragments[0], stages, 0, 0);
    for (int tile = 0; tile < tiles; ++tile) {
#pragma unroll
        for (int step = 0; step < kSteps; ++step) {
            if (step + 1 < kSteps) {
                load_step<Tiling>(fragments[(step + 1) % 2], stages, tile % kStages, step + 1);
            } else if (tile + 1 < tiles) {
                dev::cp_async_wait<kStages - 2>();
                __syncthreads();
                load_step<Tiling>(fragments[0], stages, (tile + 1) % kStages, 0);
            }
            // Behind the barrier above, so that nobody still reads the stage which this copy overwrites.
            if (step == 0) start(tile + kStages - 1);
            warp.multiply(fragments[step % 2]);
        }
    }
}

// Leaves the sums of part `part` of `parts` in `partials` [parts, kM * kN], which this tile of D has for itself as it
// has the counter `arrived` (0 before the launch). True in the block that came last, whose `warp` then holds the sums
// of all parts. Order: the barrier makes thread 0's fence cover the whole block's stores, and its second fence with the
// second barrier shows everybody what the other blocks stored before they arrived.
template <class Tiling>
CAMBIUM_DEVICE bool sum_parts(typename Tiling::WarpTile& warp, typename Tiling::Stages& stages, float* partials,
                              unsigned* arrived, int part, int parts) {
    constexpr int kElements = Tiling::WarpTile::kElements;
    constexpr std::int64_t kPart = Tiling::kM * Tiling::kN;
    float* first = partials + threadIdx.x;
#pragma unroll
    for (int e = 0; e < kElements; ++e) first[part * kPart + e * Tiling::kThreads] = warp.element(e);
    __syncthreads();
    if (threadIdx.x == 0) {
        __threadfence();
        stages.arrived_before[0] = atomicAdd(arrived, 1u);
        __threadfence();
    }
    __syncthreads();
    if (stages.arrived_before[0] != static_cast<unsigned>(parts - 1)) return false;
    warp.clear();
    for (int other = 0; other < parts; ++other) {
#pragma unroll
        for (int e = 0; e < kElements; ++e) warp.element(e) += first[other * kPart + e * Tiling::kThreads];
    }
    return true;
}

// Stores the warp's sums. `place(row, column)` says where the elements from there on, in the block's tile, go.
template <class Tiling, class Place>
CAMBIUM_DEVICE void store_tile(const Problem& p, typename Tiling::WarpTile& warp, typename Tiling::Stages& stages,
                               void* d, Place&& place) {
    constexpr int kRows = 32, kRun = 4, kRuns = 8;
    constexpr int kElements = Tiling::WarpTile::kElements / (Tiling::kWarpM / kRows);  // of a lane, at a time
    static_assert(Tiling::kWarpN == kRun * kRuns, "a row of a slice has all 32 banks");
    static_assert(sizeof(stages.a.data) >= Tiling::kThreads * kRows * sizeof(float), "a slice for each warp");
    const int lane = static_cast<int>(dev::lane_index()), row = warp_row<Tiling>(), column = warp_column<Tiling>();
    float* slice = reinterpret_cast<float*>(stages.a.begin()) + static_cast<int>(dev::warp_index()) * kRows * 32;
    // Runs are exchanged within a row so that what a warp writes together lies in different banks.
    const auto at = [&](int r, int c) {
        return slice + r * 32 + (c / kRun ^ Tiling::WarpTile::swizzle(r)) * kRun + c % kRun;
    };
    LaneMoments<kRun> moments;  // a lane's runs begin in the same column
    __syncthreads();            // nobody reads the stages any more
#pragma unroll
    for (int first = 0; first < Tiling::kWarpM; first += kRows) {
        const int from = first / kRows * kElements;
#pragma unroll
        for (int e = from; e < from + kElements; e += Tiling::WarpTile::kRun) {
            dev::Vector<float, Tiling::WarpTile::kRun> sums;
            for (int i = 0; i < Tiling::WarpTile::kRun; ++i) sums[i] = warp.element(e + i);
            dev::store_vector(at(Tiling::WarpTile::row(e) - first, Tiling::WarpTile::column(e)), sums);
        }
        __syncwarp();
#pragma unroll 1
        for (int run = lane; run < kRows * kRuns; run += 32) {
            const int r = run / kRuns, c = run % kRuns * kRun;
            const auto sums = dev::load_vector<dev::Vector<float, kRun>>(at(r, c));
            float values[kRun] = {sums[0], sums[1], sums[2], sums[3]};
            const Run target = place(row + first + r, column + c);
            if (p.output == Output::f32) {
                store_run<float>(p, d, target, values);
            } else {
                store_run<bf16>(p, d, target, values);
            }
            if (p.epilogue.moments != nullptr && target.column < target.end) moments.add(values);
        }
        __syncwarp();
    }
    if (p.epilogue.moments != nullptr) {
        const Run own = place(row, column + lane % kRuns * kRun);
        store_cell<kRuns>(moments, p.epilogue.moments, own.row / Tiling::kWarpM, p.n, own.column, own.end);
    }
}

}  // namespace cambium::gemm
