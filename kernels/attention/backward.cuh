// Attention's gradient of sequences too long for one block (backward_head.cuh), in two kernels that make the weights
// again from lse: one owns keys and streams queries (dk, dv), the other owns queries and streams keys (dq). Seven
// products instead of five, but no sum is shared between blocks, hence no atomics and one order.
//   1. own rows and the first tiles of the other side are on their way (cp.async), then always the next tiles;
//   2. weights p = exp2(scores - lse), 0 where the mask is;
//   3. keys' kernel: dv += p^T dy, the weights through shared memory;
//   4. ds = p (dy v^T - delta), through shared memory; dk += ds^T q, or dq += ds k;
//   5. the sums are stored through the own tiles.
#pragma once

#include "kernels/attention/tiles.cuh"
#include "kernels/packed.cuh"

namespace cambium::attention {

inline constexpr int kDeltaThreads = 256, kDeltaLanes = 8;  // lanes per token

// delta_i = dy_i . y_i. dy and y [N, L, H, D], delta [N, H, L].
template <class T, int Width>
__global__ void __launch_bounds__(kDeltaThreads) attention_delta(const T* dy, const T* y, float* delta, Extents e) {
    const std::int64_t vector =
        static_cast<std::int64_t>(blockIdx.x) * (kDeltaThreads / kDeltaLanes) + threadIdx.x / kDeltaLanes;
    const bool exists = vector < e.N * e.L * e.H;
    float sum = 0;
    if (exists) {
        for (std::int64_t d = static_cast<std::int64_t>(threadIdx.x) % kDeltaLanes * Width; d < e.D;
             d += kDeltaLanes * Width) {
            const auto a = dev::load_packed<Width>(dy + vector * e.D + d);
            const auto b = dev::load_packed<Width>(y + vector * e.D + d);
#pragma unroll
            for (int i = 0; i < Width; ++i) sum += a[i] * b[i];
        }
    }
#pragma unroll
    for (int lanes = 1; lanes < kDeltaLanes; lanes *= 2) sum += __shfl_xor_sync(0xffffffffu, sum, lanes);
    if (!exists || threadIdx.x % kDeltaLanes != 0) return;
    const std::int64_t token = vector / e.H, h = vector % e.H;
    delta[(token / e.L * e.H + h) * e.L + token % e.L] = sum;
}

template <class Tiling>
struct KeyMemory {
    using Element = typename Tiling::Element;
    dev::Shared<Element, Tiling::OwnTile::kSize> k, v;
    dev::Shared<Element, 2, Tiling::OtherTile::kSize> q, dy;
    dev::Shared<float, 2, Tiling::kOther> lse, delta;  // lse times log2(e)
    dev::Shared<Element, Tiling::WeightTile::kSize> weights;
};

// dk and dv of 64 keys.
template <class Tiling>
__global__ void __launch_bounds__(Tiling::kThreads, 1)
    attention_key_gradient(const typename Tiling::Element* dy, const typename Tiling::Element* qkv, const float* lse,
                           const float* delta, const std::int32_t* count, typename Tiling::Element* dqkv, Extents e,
                           int tiles, int bytes) {
    using Scores = typename Tiling::Scores;
    using OwnTile = typename Tiling::OwnTile;
    using OtherTile = typename Tiling::OtherTile;
    constexpr int kOwn = Tiling::kOwn, kOther = Tiling::kOther, kThreads = Tiling::kThreads;
    auto& memory = dev::shared<KeyMemory<Tiling>>();
    const Head head = head_of(e, count, blockIdx.x / tiles);
    const int row0 = static_cast<int>(blockIdx.x) % tiles * kOwn;
    const int first_tile = e.causal ? row0 / kOther : 0;
    const int end_tile = row0 < head.present ? (head.present + kOther - 1) / kOther : first_tile;

    const auto start = [&](int tile) {
        if (tile < end_tile) {
            const int first = tile * kOther;
            const int stage = tile % 2, t = static_cast<int>(threadIdx.x);
            gemm::copy_tile<OtherTile, kThreads>(&memory.q[stage][0], rows_of(qkv, e, head, Part::query), first, 0,
                                                 bytes);
            gemm::copy_tile<OtherTile, kThreads>(&memory.dy[stage][0], rows_of(dy, e, head), first, 0, bytes);
            if (t < kOther) {  // beyond the last query weights are exp2(-inf)
                const bool exists = first + t < head.present;
                memory.lse[stage][t] = exists ? kLog2e * lse[head.lse(e, first + t)] : INFINITY;
                memory.delta[stage][t] = exists ? delta[head.lse(e, first + t)] : 0;
            }
        }
        dev::cp_async_commit();
    };
    gemm::copy_tile<OwnTile, kThreads>(memory.k.begin(), rows_of(qkv, e, head, Part::key), row0, 0, bytes);
    gemm::copy_tile<OwnTile, kThreads>(memory.v.begin(), rows_of(qkv, e, head, Part::value), row0, 0, bytes);
    start(first_tile);
    typename Tiling::Sums dk[Tiling::kSlabs], dv[Tiling::kSlabs];
    for (int slab = 0; slab < Tiling::kSlabs; ++slab) dk[slab].clear(), dv[slab].clear();

    const int row = row0 + warp_row<Tiling>();
    const float factor = e.scale * kLog2e;
    for (int tile = first_tile; tile < end_tile; ++tile) {
        const int stage = tile % 2;
        start(tile + 1);
        dev::cp_async_wait<1>();
        __syncthreads();
        Scores p, ds;
        multiply_rows<Tiling>(p, memory.k.begin(), &memory.q[stage][0]);
        const int query = tile * kOther;
#pragma unroll
        for (int i = 0; i < Scores::kElements; ++i) {
            const int j = row + Scores::row(i);
            const bool attends = j < head.present && (!e.causal || j <= query + Scores::column(i));
            p.element(i) = attends ? exp2f(factor * p.element(i) - memory.lse[stage][Scores::column(i)]) : 0;
        }
        put_weights<Tiling>(memory.weights.begin(), p);
        add_weighted<Tiling>(dv, memory.weights.begin(), &memory.dy[stage][0]);
        multiply_rows<Tiling>(ds, memory.v.begin(), &memory.dy[stage][0]);
        if constexpr (sizeof(typename Tiling::Element) == 4) take_weights<Tiling>(p, memory.weights.begin());
#pragma unroll
        for (int i = 0; i < Scores::kElements; ++i)
            ds.element(i) = p.element(i) * (ds.element(i) - memory.delta[stage][Scores::column(i)]);
        put_weights<Tiling>(memory.weights.begin(), ds);
        add_weighted<Tiling>(dk, memory.weights.begin(), &memory.q[stage][0]);
        __syncthreads();  // the next copy overwrites these queries
    }
    dev::cp_async_wait<0>();
    __syncthreads();
    const std::int64_t stride = 3 * e.H * e.D, rows = e.L - row0;
    store_rows<Tiling>(
        memory.k.begin(), dk, [&](int) { return e.scale; }, dqkv + head.qkv(e, Part::key, row0), stride, rows, e.D,
        bytes);
    store_rows<Tiling>(
        memory.v.begin(), dv, [](int) { return 1.0f; }, dqkv + head.qkv(e, Part::value, row0), stride, rows, e.D,
        bytes);
}

template <class Tiling>
struct QueryMemory {
    using Element = typename Tiling::Element;
    dev::Shared<Element, Tiling::OwnTile::kSize> q, dy;
    dev::Shared<Element, 2, Tiling::OtherTile::kSize> k, v;
    dev::Shared<Element, Tiling::WeightTile::kSize> weights;
};

// dq of 64 queries.
template <class Tiling>
__global__ void __launch_bounds__(Tiling::kThreads, 1)
    attention_query_gradient(const typename Tiling::Element* dy, const typename Tiling::Element* qkv, const float* lse,
                             const float* delta, const std::int32_t* count, typename Tiling::Element* dqkv, Extents e,
                             int tiles, int bytes) {
    using Scores = typename Tiling::Scores;
    using OwnTile = typename Tiling::OwnTile;
    using OtherTile = typename Tiling::OtherTile;
    constexpr int kOwn = Tiling::kOwn, kOther = Tiling::kOther, kThreads = Tiling::kThreads;
    auto& memory = dev::shared<QueryMemory<Tiling>>();
    const Head head = head_of(e, count, blockIdx.x / tiles);
    const int row0 = (tiles - 1 - static_cast<int>(blockIdx.x) % tiles) * kOwn;
    const int last = e.causal && row0 + kOwn < head.present ? row0 + kOwn : head.present;
    const int key_tiles = row0 < head.present ? (last + kOther - 1) / kOther : 0;

    const auto start = [&](int tile) {
        if (tile < key_tiles) {
            const int first = tile * kOther;
            gemm::copy_tile<OtherTile, kThreads>(&memory.k[tile % 2][0], rows_of(qkv, e, head, Part::key), first, 0,
                                                 bytes);
            gemm::copy_tile<OtherTile, kThreads>(&memory.v[tile % 2][0], rows_of(qkv, e, head, Part::value), first, 0,
                                                 bytes);
        }
        dev::cp_async_commit();
    };
    gemm::copy_tile<OwnTile, kThreads>(memory.q.begin(), rows_of(qkv, e, head, Part::query), row0, 0, bytes);
    gemm::copy_tile<OwnTile, kThreads>(memory.dy.begin(), rows_of(dy, e, head), row0, 0, bytes);
    start(0);
    typename Tiling::Sums dq[Tiling::kSlabs];
    for (int slab = 0; slab < Tiling::kSlabs; ++slab) dq[slab].clear();

    const int row = row0 + warp_row<Tiling>();
    const float factor = e.scale * kLog2e;
    float row_lse[Tiling::kSlots], row_delta[Tiling::kSlots];
#pragma unroll
    for (int s = 0; s < Tiling::kSlots; ++s) {
        const int i = row + Scores::row(Tiling::first_of(s));
        row_lse[s] = i < head.present ? kLog2e * lse[head.lse(e, i)] : INFINITY;
        row_delta[s] = i < head.present ? delta[head.lse(e, i)] : 0;
    }
    for (int tile = 0; tile < key_tiles; ++tile) {
        start(tile + 1);
        dev::cp_async_wait<1>();
        __syncthreads();
        Scores p, ds;
        multiply_rows<Tiling>(p, memory.q.begin(), &memory.k[tile % 2][0]);
        multiply_rows<Tiling>(ds, memory.dy.begin(), &memory.v[tile % 2][0]);
        const int key = tile * kOther;
#pragma unroll
        for (int i = 0; i < Scores::kElements; ++i) {
            const int j = key + Scores::column(i);
            const bool attends = j < head.present && (!e.causal || j <= row + Scores::row(i));
            const float weight = attends ? exp2f(factor * p.element(i) - row_lse[Tiling::slot(i)]) : 0;
            ds.element(i) = weight * (ds.element(i) - row_delta[Tiling::slot(i)]);
        }
        put_weights<Tiling>(memory.weights.begin(), ds);
        add_weighted<Tiling>(dq, memory.weights.begin(), &memory.k[tile % 2][0]);
        __syncthreads();  // the next copy overwrites these keys and values
    }
    dev::cp_async_wait<0>();
    __syncthreads();
    store_rows<Tiling>(
        memory.q.begin(), dq, [&](int) { return e.scale; }, dqkv + head.qkv(e, Part::query, row0), 3 * e.H * e.D,
        e.L - row0, e.D, bytes);
}

}  // namespace cambium::attention
