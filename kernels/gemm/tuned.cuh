// The tuned product. A block computes one tile of D over its part of K:
//   1. kStages - 1 tiles of A and B are on their way from device memory (cp.async) before the first is used;
//   2. each step of kDepth along k loads the fragments of the next step while the current ones are multiplied;
//   3. one barrier per tile: it shows the next stage to all and frees the previous one for the copy three tiles ahead;
//   4. with split-K the parts of a tile leave their sums in the workspace, and the block that arrives last adds them in
//      the order of k, so that the result does not depend on who that is;
//   5. bias, activation and residual are applied to the sums in registers, which are stored in runs of 2 or 4.
#pragma once

#include "kernels/gemm/epilogue.cuh"
#include "kernels/gemm/operand.cuh"
#include "kernels/gemm/warp_tile.cuh"

namespace cambium::gemm {

// A block's tile of D, [M, N], as warps of [WarpM, WarpN]; rows of K-major operands are 128 bytes: all banks once.
template <Math math, class T, Major major_a, Major major_b, int M, int N, int WarpM, int WarpN, bool Swizzled = true>
struct Tiling {
    using Element = T;
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

// This block's part of the problem.
struct Work {
    std::int64_t row, column;  // first element of its tile of D
    std::int64_t k_begin;
    int k_tiles;
};

// Blocks walk over D in bands of 8 tiles along m, so that those which run together share rows of A and columns of B.
template <class Tiling>
CAMBIUM_DEVICE Work work_of_block(const Problem& p) {
    constexpr std::int64_t kBand = 8;
    const std::int64_t tiles_m = (p.m + Tiling::kM - 1) / Tiling::kM, tiles_n = (p.n + Tiling::kN - 1) / Tiling::kN;
    const std::int64_t band = blockIdx.x / (kBand * tiles_n), inside = blockIdx.x % (kBand * tiles_n);
    const std::int64_t left = tiles_m - band * kBand, height = left < kBand ? left : kBand;
    const std::int64_t tiles_k = (p.k + Tiling::kK - 1) / Tiling::kK, part = (tiles_k + p.splits - 1) / p.splits;
    const std::int64_t first = blockIdx.y * part, rest = tiles_k - first;
    return {(band * kBand + inside % height) * Tiling::kM, inside / height * Tiling::kN, first * Tiling::kK,
            static_cast<int>(rest < 0      ? 0
                             : rest < part ? rest
                                           : part)};
}

// Copies of this block's tiles of A and B, by number along its part of K, into a stage.
template <class Tiling>
struct Copies {
    using T = typename Tiling::Element;
    typename Tiling::Stages& stages;
    Stored<T> a, b;
    int bytes_a, bytes_b;
    Work work;

    CAMBIUM_DEVICE void start(int tile) const {
        if (tile < work.k_tiles) {
            const int stage = tile % Tiling::kStages;
            const std::int64_t k = work.k_begin + static_cast<std::int64_t>(tile) * Tiling::kK;
            const bool a_k = Tiling::kMajorA == Major::k, b_k = Tiling::kMajorB == Major::k;
            copy_tile<typename Tiling::TileA, Tiling::kThreads>(stages.a[stage], a, a_k ? work.row : k,
                                                                a_k ? k : work.row, bytes_a);
            copy_tile<typename Tiling::TileB, Tiling::kThreads>(stages.b[stage], b, b_k ? work.column : k,
                                                                b_k ? k : work.column, bytes_b);
        }
        dev::cp_async_commit();  // an empty group too, so that the number of groups tells the tile
    }
};

// The fragments of step `step` of a stage, for the warp whose tile begins at (row, column) of the block's.
template <class Tiling>
CAMBIUM_DEVICE void load_step(typename Tiling::WarpTile::Fragments& fragments, typename Tiling::Stages& stages,
                              int stage, int step, int row, int column) {
    const auto* a = &stages.a[stage][0];
    const auto* b = &stages.b[stage][0];
    const int k0 = step * Tiling::WarpTile::kDepth;
    Tiling::WarpTile::load(
        fragments, [&](int m, int k) { return a + Tiling::TileA::at(row + m, k0 + k); },
        [&](int k, int n) { return b + Tiling::TileB::at(column + n, k0 + k); });
}

template <class Tiling>
CAMBIUM_DEVICE void multiply_tiles(typename Tiling::WarpTile& warp, const Copies<Tiling>& copies, int row, int column) {
    constexpr int kStages = Tiling::kStages, kSteps = Tiling::kSteps;
    typename Tiling::WarpTile::Fragments fragments[2];
    for (int tile = 0; tile < kStages - 1; ++tile) copies.start(tile);
    dev::cp_async_wait<kStages - 2>();
    __syncthreads();
    load_step<Tiling>(fragments[0], copies.stages, 0, 0, row, column);
    for (int tile = 0; tile < copies.work.k_tiles; ++tile) {
#pragma unroll
        for (int step = 0; step < kSteps; ++step) {
            if (step + 1 < kSteps) {
                load_step<Tiling>(fragments[(step + 1) % 2], copies.stages, tile % kStages, step + 1, row, column);
            } else if (tile + 1 < copies.work.k_tiles) {
                dev::cp_async_wait<kStages - 2>();
                __syncthreads();
                load_step<Tiling>(fragments[0], copies.stages, (tile + 1) % kStages, 0, row, column);
            }
            // Behind the barrier above, so that nobody still reads the stage which this copy overwrites.
            if (step == 0) copies.start(tile + kStages - 1);
            warp.multiply(fragments[step % 2]);
        }
    }
}

// Leaves this part's sums in `partials`; true in the block that came last, whose `warp` then holds the sums of all
// parts. Order: the barrier makes thread 0's fence cover the whole block's stores, and its second fence with the second
// barrier shows everybody what the other blocks stored before they arrived.
template <class Tiling>
CAMBIUM_DEVICE bool sum_parts(typename Tiling::WarpTile& warp, typename Tiling::Stages& stages, float* partials,
                              unsigned* arrived, unsigned splits) {
    constexpr int kElements = Tiling::WarpTile::kElements;
    constexpr std::int64_t kPart = static_cast<std::int64_t>(kElements) * Tiling::kThreads;
    float* first = partials + static_cast<std::int64_t>(blockIdx.x) * splits * kPart + threadIdx.x;
#pragma unroll
    for (int e = 0; e < kElements; ++e) first[blockIdx.y * kPart + e * Tiling::kThreads] = warp.element(e);
    __syncthreads();
    if (threadIdx.x == 0) {
        __threadfence();
        stages.arrived_before[0] = atomicAdd(arrived + blockIdx.x, 1u);
        __threadfence();
    }
    __syncthreads();
    if (stages.arrived_before[0] != splits - 1) return false;
    warp.clear();
    for (unsigned part = 0; part < splits; ++part) {
#pragma unroll
        for (int e = 0; e < kElements; ++e) warp.element(e) += first[part * kPart + e * Tiling::kThreads];
    }
    return true;
}

// Stores the warp's tile, whose first element is D's (row, column).
template <class Tiling>
CAMBIUM_DEVICE void store_tile(const Problem& p, typename Tiling::WarpTile& warp, void* d, std::int64_t row,
                               std::int64_t column) {
    constexpr int kRun = Tiling::WarpTile::kRun;
#pragma unroll
    for (int e = 0; e < Tiling::WarpTile::kElements; e += kRun) {
        float sums[kRun];
        for (int i = 0; i < kRun; ++i) sums[i] = warp.element(e + i);
        if (p.output == Output::f32) {
            store_run<float>(p, d, row + warp.row(e), column + warp.column(e), sums);
        } else {
            store_run<bf16>(p, d, row + warp.row(e), column + warp.column(e), sums);
        }
    }
}

template <class Tiling>
__global__ void __launch_bounds__(Tiling::kThreads)
    tuned(const typename Tiling::Element* a, const typename Tiling::Element* b, void* d, float* partials,
          unsigned* arrived, Problem p) {
    auto& stages = dev::shared<typename Tiling::Stages>();
    const Work work = work_of_block<Tiling>(p);
    const int warp_index = static_cast<int>(dev::warp_index());
    const int row = warp_index / (Tiling::kN / Tiling::kWarpN) * Tiling::kWarpM;
    const int column = warp_index % (Tiling::kN / Tiling::kWarpN) * Tiling::kWarpN;
    typename Tiling::WarpTile warp;
    warp.clear();
    if (work.k_tiles > 0) {
        const bool a_k = Tiling::kMajorA == Major::k, b_k = Tiling::kMajorB == Major::k;
        multiply_tiles<Tiling>(warp,
                               {stages,
                                {a, a_k ? p.m : p.k, a_k ? p.k : p.m, p.lda},
                                {b, b_k ? p.n : p.k, b_k ? p.k : p.n, p.ldb},
                                p.copy_bytes_a,
                                p.copy_bytes_b,
                                work},
                               row, column);
    }
    if (p.splits > 1 && !sum_parts<Tiling>(warp, stages, partials, arrived, static_cast<unsigned>(p.splits))) {
        return;
    }
    store_tile<Tiling>(p, warp, d, work.row + row, work.column + column);
}

}  // namespace cambium::gemm
