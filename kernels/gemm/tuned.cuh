// The tuned product: the pipeline over operands that are stored as matrices.
#pragma once

#include "kernels/gemm/pipeline.cuh"

namespace cambium::gemm {

// Copies of a block's tiles of A and B, by number along its part of K.
template <class Tiling>
struct StoredOperands {
    using T = typename Tiling::Element;
    Stored<T> a, b;
    int bytes_a, bytes_b;
    Work work;

    CAMBIUM_DEVICE void operator()(int tile, T* tile_a, T* tile_b) const {
        const std::int64_t k = work.k_begin + static_cast<std::int64_t>(tile) * Tiling::kK;
        const bool a_k = Tiling::kMajorA == Major::k, b_k = Tiling::kMajorB == Major::k;
        copy_tile<typename Tiling::TileA, Tiling::kThreads>(tile_a, a, a_k ? work.row : k, a_k ? k : work.row, bytes_a);
        copy_tile<typename Tiling::TileB, Tiling::kThreads>(tile_b, b, b_k ? work.column : k, b_k ? k : work.column,
                                                            bytes_b);
    }
};

template <class Tiling>
__global__ void __launch_bounds__(Tiling::kThreads)
    tuned(const typename Tiling::Element* a, const typename Tiling::Element* b, void* d, float* partials,
          unsigned* arrived, Problem p) {
    auto& stages = dev::shared<typename Tiling::Stages>();
    const int part = static_cast<int>(blockIdx.y);
    const std::int64_t matrix = blockIdx.z;
    const Work work = work_of_block<Tiling>(p.m, p.n, p.k, blockIdx.x, part, p.splits);
    typename Tiling::WarpTile warp;
    warp.clear();
    if (work.k_tiles > 0) {
        const bool a_k = Tiling::kMajorA == Major::k, b_k = Tiling::kMajorB == Major::k;
        const StoredOperands<Tiling> operands{{a + matrix * p.batch.a, a_k ? p.m : p.k, a_k ? p.k : p.m, p.lda},
                                              {b + matrix * p.batch.b, b_k ? p.n : p.k, b_k ? p.k : p.n, p.ldb},
                                              p.copy_bytes_a,
                                              p.copy_bytes_b,
                                              work};
        multiply_tiles<Tiling>(warp, stages, work.k_tiles, operands);
    }
    if (p.splits > 1) {
        const std::int64_t of_launch = matrix * gridDim.x + blockIdx.x;
        float* tile_partials = partials + of_launch * p.splits * (Tiling::kM * Tiling::kN);
        if (!sum_parts<Tiling>(warp, stages, tile_partials, arrived + of_launch, part, p.splits)) return;
    }
    store_tile<Tiling>(p, warp, stages, d, [&](int row, int column) {
        return Run{work.row + row, work.column + column, work.row + row < p.m ? p.n : 0, matrix};
    });
}

}  // namespace cambium::gemm
