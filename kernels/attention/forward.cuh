// Attention's forward pass. A block owns 64 queries of a head:
//   1. its queries and the first keys and values are on their way (cp.async), then always the tiles after these;
//   2. scores = queries times keys, in units of log 2 for exp2, -inf where the mask is;
//   3. the largest score of each row so far; what was summed under an older one is scaled down (online softmax,
//      Milakov & Gimelshein 2018);
//   4. weights = exp2(scores - largest), through shared memory, times values, added up;
//   5. at the end the rows are divided by their weights' sum and stored through the queries' tile.
#pragma once

#include "kernels/attention/tiles.cuh"

namespace cambium::attention {

template <class Tiling>
struct ForwardMemory {
    using Element = typename Tiling::Element;
    dev::Shared<Element, Tiling::OwnTile::kSize> q;
    dev::Shared<Element, 2, Tiling::OtherTile::kSize> k, v;
    dev::Shared<Element, Tiling::WeightTile::kSize> weights;
};

// What a row's softmax has seen so far.
template <class Tiling>
struct RowState {
    float largest[Tiling::kSlots], total[Tiling::kSlots];  // total: of this lane's columns only
};

// Scores become weights under the new largest ones; returns through `shrink` what older sums are multiplied by.
template <class Tiling>
CAMBIUM_DEVICE void soften(typename Tiling::Scores& scores, RowState<Tiling>& state, float (&shrink)[Tiling::kSlots]) {
    constexpr int kElements = Tiling::Scores::kElements;
    float largest[Tiling::kSlots];
#pragma unroll
    for (int s = 0; s < Tiling::kSlots; ++s) largest[s] = state.largest[s];
#pragma unroll
    for (int e = 0; e < kElements; ++e) largest[Tiling::slot(e)] = fmaxf(largest[Tiling::slot(e)], scores.element(e));
#pragma unroll
    for (int s = 0; s < Tiling::kSlots; ++s) {
        largest[s] = row_largest<Tiling>(largest[s]);
        shrink[s] = exp2f(state.largest[s] - largest[s]);
        state.largest[s] = largest[s];
        state.total[s] *= shrink[s];
    }
#pragma unroll
    for (int e = 0; e < kElements; ++e) {
        const int s = Tiling::slot(e);
        scores.element(e) = exp2f(scores.element(e) - largest[s]);
        state.total[s] += scores.element(e);
    }
}

// qkv [N, L, 3, H, D], count [N] or null, y [N, L, H, D], lse [N, H, L] or null; `bytes`: what all rows are aligned to.
template <class Tiling>
__global__ void __launch_bounds__(Tiling::kThreads, 1)
    attention_tiles(const typename Tiling::Element* qkv, const std::int32_t* count, typename Tiling::Element* y,
                    float* lse, Extents e, int tiles, int bytes) {
    using Scores = typename Tiling::Scores;
    using Sums = typename Tiling::Sums;
    constexpr int kOwn = Tiling::kOwn, kOther = Tiling::kOther;
    auto& memory = dev::shared<ForwardMemory<Tiling>>();
    const Head head = head_of(e, count, blockIdx.x / tiles);
    // From the end: with the causal mask those queries have most to do.
    const int row0 = (tiles - 1 - static_cast<int>(blockIdx.x) % tiles) * kOwn;
    const int last = e.causal && row0 + kOwn < head.present ? row0 + kOwn : head.present;
    const int key_tiles = row0 < head.present ? (last + kOther - 1) / kOther : 0;

    const auto start = [&](int tile) {
        if (tile < key_tiles) {
            const int first = tile * kOther;
            gemm::copy_tile<typename Tiling::OtherTile, Tiling::kThreads>(
                &memory.k[tile % 2][0], rows_of(qkv, e, head, Part::key), first, 0, bytes);
            gemm::copy_tile<typename Tiling::OtherTile, Tiling::kThreads>(
                &memory.v[tile % 2][0], rows_of(qkv, e, head, Part::value), first, 0, bytes);
        }
        dev::cp_async_commit();
    };
    gemm::copy_tile<typename Tiling::OwnTile, Tiling::kThreads>(memory.q.begin(), rows_of(qkv, e, head, Part::query),
                                                                row0, 0, bytes);
    start(0);
    RowState<Tiling> state;
    for (int s = 0; s < Tiling::kSlots; ++s) state.largest[s] = -INFINITY, state.total[s] = 0;
    Sums sums[Tiling::kSlabs];
    for (int slab = 0; slab < Tiling::kSlabs; ++slab) sums[slab].clear();

    const int row = row0 + warp_row<Tiling>();
    const float factor = e.scale * kLog2e;
    for (int tile = 0; tile < key_tiles; ++tile) {
        start(tile + 1);
        dev::cp_async_wait<1>();
        __syncthreads();
        Scores scores;
        multiply_rows<Tiling>(scores, memory.q.begin(), &memory.k[tile % 2][0]);
        const int key = tile * kOther;
#pragma unroll
        for (int i = 0; i < Scores::kElements; ++i) {
            const int j = key + Scores::column(i);
            const bool attends = j < head.present && (!e.causal || j <= row + Scores::row(i));
            scores.element(i) = attends ? factor * scores.element(i) : -INFINITY;
        }
        float shrink[Tiling::kSlots];
        soften<Tiling>(scores, state, shrink);
#pragma unroll
        for (int slab = 0; slab < Tiling::kSlabs; ++slab) {
#pragma unroll
            for (int i = 0; i < Sums::kElements; ++i) sums[slab].element(i) *= shrink[Tiling::slot(i)];
        }
        put_weights<Tiling>(memory.weights.begin(), scores);
        add_weighted<Tiling>(sums, memory.weights.begin(), &memory.v[tile % 2][0]);
        __syncthreads();  // the next copy overwrites these keys and values
    }
    dev::cp_async_wait<0>();
    __syncthreads();  // the queries have arrived even where nobody has read them, and are not needed any more

    float share[Tiling::kSlots];
#pragma unroll
    for (int s = 0; s < Tiling::kSlots; ++s) {
        const int i = row + Sums::row(Tiling::first_of(s));
        const float total = row_sum<Tiling>(state.total[s]);
        share[s] = i < head.present ? 1 / total : 0;
        if (lse != nullptr && Tiling::is_first_of_row() && i < e.L)
            lse[head.lse(e, i)] = i < head.present ? kLn2 * (state.largest[s] + log2f(total)) : 0;
    }
    store_rows<Tiling>(
        memory.q.begin(), sums, [&](int s) { return share[s]; }, y + head.y(e, row0), e.H * e.D, e.L - row0, e.D,
        bytes);
}

}  // namespace cambium::attention
