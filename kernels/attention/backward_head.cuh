// Attention's gradient where a head is short enough for one block, which then makes the weights once: five products,
// and every operand is read from device memory once. A warp owns queries and keeps their dq in registers; keys stream
// past, and their gradients are sums over the queries of all warps, in pieces of which each warp owns one.
//   1. all queries and dy are on their way (cp.async), and the first keys and values, then always the next;
//   2. delta = dy . y of the warp's queries;
//   3. a warp's weights p = exp2(scores - lse), 0 where the mask is, to shared memory; ds = p (dy v^T - delta);
//   4. all together: dv = p^T dy, to device memory;
//   5. ds to where p was; dk = ds^T q, to device memory; the warp's dq += ds k;
//   6. dq is stored through the queries' tile.
#pragma once

#include "kernels/attention/tiles.cuh"
#include "kernels/packed.cuh"

namespace cambium::attention {

// For at most `Tokens` tokens. Named as Tiling names things: a block's own rows are all queries, the others are keys.
template <Math math, int Size, int Tokens>
struct HeadTiling {
    using Element = std::conditional_t<math == Math::bf16, bf16, float>;
    static constexpr int kSize = Size, kTokens = Tokens;
    // 32 queries a warp read shared memory less often than 16, as far as registers hold their dq. 32-bit operands fill
    // an SM's shared memory with one block, which then needs its eight warps.
    static constexpr int kWarps = sizeof(Element) == 2 && Tokens * Size == 128 * 64 ? 4 : 8;
    static constexpr int kThreads = 32 * kWarps, kWarpRows = Tokens / kWarps;
    static constexpr int kOther = 32;                                 // keys at a time
    static constexpr int kColumns = math == Math::f32 ? kOther : 64;  // of a slab of dq
    static constexpr int kSlabs = Size / kColumns;
    static constexpr int kUnroll = math == Math::f32 ? 1 : 2;

    template <Major major_a, Major major_b, int M, int N>
    using WarpTile = std::conditional_t<math == Math::f32, gemm::CoreTile<major_a, major_b, M, N>,
                                        gemm::TensorCoreTile<Element, major_a, major_b, M, N>>;
    using Scores = WarpTile<Major::k, Major::k, kWarpRows, kOther>;
    using Sums = WarpTile<Major::k, Major::mn, kWarpRows, kColumns>;
    using OwnTile = gemm::OperandTile<Element, Major::k, Tokens, Size, true>;
    using OtherTile = gemm::OperandTile<Element, Major::k, kOther, Size, true>;

    // [Tokens, kOther]. Rows that have half of the banks lie two by two, for the swizzle needs all.
    struct WeightTile {
        static constexpr int kRowsPerLine = sizeof(Element) == 2 ? 2 : 1;
        using Lines = gemm::OperandTile<Element, Major::k, Tokens / kRowsPerLine, kOther * kRowsPerLine, true>;
        static constexpr int kSize = Lines::kSize;
        CAMBIUM_DEVICE static int at(int row, int column) {
            return Lines::offset(row / kRowsPerLine, row % kRowsPerLine * kOther + column);
        }
    };

    static constexpr int memory_bytes(int stages) {
        return (2 * OwnTile::kSize + 2 * stages * OtherTile::kSize + WeightTile::kSize) * sizeof(Element) +
               Tokens * sizeof(float);
    }
    static constexpr int kMostBytes = 99 * 1024;  // which every GPU since sm_80 gives a block
    static constexpr int kStages = memory_bytes(2) <= kMostBytes ? 2 : 1;
    static_assert(memory_bytes(kStages) <= kMostBytes);

    // Blocks that an SM's registers are to hold; sm_90's shared memory holds two of tf32.
    static constexpr int kBlocks = math == Math::tf32 && Size * Tokens == 64 * 128 ? 2 : 1;

    // A piece of dk or dv [kOther, Size]. Tensor cores: one per warp. Ordinary cores take keys 32 at a time: half of
    // the warps sum dv, the other half dk.
    static constexpr int kPieceRows = math == Math::f32 ? 32 : 16;
    static constexpr int kPieces = math == Math::f32 && Size == 64 ? kWarps / 2 : kWarps;
    static constexpr int kPieceColumns = kOther / kPieceRows * Size / kPieces;
    using Piece = WarpTile<Major::mn, Major::mn, kPieceRows, kPieceColumns>;

    static constexpr int kSlots = kWarpRows / 8;  // rows of which a lane holds elements; as in Tiling
    static constexpr int kRowElements = kOther / 4;
    CAMBIUM_DEVICE static constexpr int slot(int e) {
        return math == Math::f32 ? e / kRowElements : e / (2 * kRowElements) * 2 + e % 4 / 2;
    }
    CAMBIUM_DEVICE static constexpr int first_of(int slot) {
        return math == Math::f32 ? slot * kRowElements : slot / 2 * 2 * kRowElements + slot % 2 * 2;
    }
};

template <class Tiling>
struct HeadMemory {
    using Element = typename Tiling::Element;
    dev::Shared<Element, Tiling::OwnTile::kSize> q, dy;
    dev::Shared<Element, Tiling::kStages, Tiling::OtherTile::kSize> k, v;
    dev::Shared<Element, Tiling::WeightTile::kSize> weights;
    dev::Shared<float, Tiling::kTokens> delta;
};

// delta of the warp's queries: eight lanes a row, dy from its tile, y from device memory.
template <class Tiling>
CAMBIUM_DEVICE void find_delta(float* delta, const typename Tiling::Element* dy, const typename Tiling::Element* y,
                               const Extents& e, const Head& head, int bytes) {
    using Element = typename Tiling::Element;
    using Tile = typename Tiling::OwnTile;
    const int lane = static_cast<int>(dev::lane_index());
#pragma unroll 1
    for (int r = warp_row<Tiling>() + lane / 8; r < warp_row<Tiling>() + Tiling::kWarpRows; r += 4) {
        float sum = 0;
        for (int column = lane % 8 * Tile::kChunk; r < head.present && column < e.D; column += 8 * Tile::kChunk) {
            const auto a = dev::load_packed<Tile::kChunk>(dy + Tile::at(r, column));
            const Element* from = y + head.y(e, r) + column;
            if (bytes == 16) {
                const auto b = dev::load_packed<Tile::kChunk>(from);
#pragma unroll
                for (int i = 0; i < Tile::kChunk; ++i) sum += a[i] * b[i];
            } else {
#pragma unroll
                for (int i = 0; i < Tile::kChunk; ++i) sum += column + i < e.D ? a[i] * static_cast<float>(from[i]) : 0;
            }
        }
#pragma unroll
        for (int lanes = 1; lanes < 8; lanes *= 2) sum += __shfl_xor_sync(0xffffffffu, sum, lanes);
        if (lane % 8 == 0) delta[r] = sum;
    }
    __syncwarp();
}

// The warp's piece of dk or dv: the sum over queries [first, end) of `weights`, transposed, times the rows of `own`. It
// goes to `target`, row r of the keys to target + r * stride if r < rows.
template <class Tiling>
CAMBIUM_DEVICE void sum_keys(const typename Tiling::Element* weights, const typename Tiling::Element* own, int first,
                             int end, float factor, typename Tiling::Element* target, std::int64_t stride,
                             std::int64_t rows, std::int64_t columns, int bytes) {
    constexpr int kAcross = Tiling::kSize / Tiling::kPieceColumns;
    const int piece = static_cast<int>(dev::warp_index()) % Tiling::kPieces;
    const int row = piece / kAcross * Tiling::kPieceRows, column = piece % kAcross * Tiling::kPieceColumns;
    typename Tiling::Piece sum;
    sum.clear();
    multiply<Tiling>(
        sum, first, end, [&](int m, int k) { return weights + Tiling::WeightTile::at(k, row + m); },
        [&](int k, int n) { return own + Tiling::OwnTile::at(k, column + n); });
    store_tile<typename Tiling::Element>(sum, factor, target + row * stride + column, stride, rows - row,
                                         columns - column, bytes);
}

// dq, dk and dv of a head. A block per head.
template <class Tiling>
__global__ void __launch_bounds__(Tiling::kThreads, Tiling::kBlocks)
    attention_head_gradient(const typename Tiling::Element* dy, const typename Tiling::Element* qkv,
                            const typename Tiling::Element* y, const float* lse, const std::int32_t* count,
                            typename Tiling::Element* dqkv, Extents e, int bytes) {
    using Scores = typename Tiling::Scores;
    using OtherTile = typename Tiling::OtherTile;
    constexpr int kOther = Tiling::kOther, kThreads = Tiling::kThreads, kStages = Tiling::kStages;
    auto& memory = dev::shared<HeadMemory<Tiling>>();
    const Head head = head_of(e, count, blockIdx.x);
    const int tiles = (static_cast<int>(e.L) + kOther - 1) / kOther;

    const auto start = [&](int tile) {
        const int first = tile * kOther, stage = tile % kStages;
        if (first < head.present) {
            gemm::copy_tile<OtherTile, kThreads>(&memory.k[stage][0], rows_of(qkv, e, head, Part::key), first, 0,
                                                 bytes);
            gemm::copy_tile<OtherTile, kThreads>(&memory.v[stage][0], rows_of(qkv, e, head, Part::value), first, 0,
                                                 bytes);
        }
        dev::cp_async_commit();
    };
    gemm::copy_tile<typename Tiling::OwnTile, kThreads>(memory.q.begin(), rows_of(qkv, e, head, Part::query), 0, 0,
                                                        bytes);
    gemm::copy_tile<typename Tiling::OwnTile, kThreads>(memory.dy.begin(), rows_of(dy, e, head), 0, 0, bytes);
    start(0);
    typename Tiling::Sums dq[Tiling::kSlabs];
    for (int slab = 0; slab < Tiling::kSlabs; ++slab) dq[slab].clear();

    const int row = warp_row<Tiling>(), warp = static_cast<int>(dev::warp_index());
    const float factor = e.scale * kLog2e;
    float row_lse[Tiling::kSlots], row_delta[Tiling::kSlots];
#pragma unroll
    for (int s = 0; s < Tiling::kSlots; ++s) {  // beyond the last query weights are exp2(-inf)
        const int i = row + Scores::row(Tiling::first_of(s));
        row_lse[s] = i < head.present ? kLog2e * lse[head.lse(e, i)] : INFINITY;
    }
    for (int tile = 0; tile < tiles; ++tile) {
        const int key = tile * kOther, stage = tile % kStages;
        if (kStages == 1 && tile > 0) {
            __syncthreads();  // nobody reads the former keys and values any more
            start(tile);
        }
        dev::cp_async_wait<0>();
        __syncthreads();
        if (kStages == 2) start(tile + 1);
        if (tile == 0) {
            find_delta<Tiling>(memory.delta.begin(), memory.dy.begin(), y, e, head, bytes);
#pragma unroll
            for (int s = 0; s < Tiling::kSlots; ++s)
                row_delta[s] = memory.delta[row + Scores::row(Tiling::first_of(s))];
        }
        // Queries that attend to these keys, in whole warps: [first, end).
        const int first = e.causal ? key : 0;
        const int last = key < head.present ? head.present : first;
        const int end = (last + Tiling::kWarpRows - 1) / Tiling::kWarpRows * Tiling::kWarpRows;
        const bool attending = row >= first && row < end;
        Scores ds;
        if (attending) {
            Scores p;
            multiply_rows<Tiling>(p, memory.q.begin(), &memory.k[stage][0]);
#pragma unroll
            for (int i = 0; i < Scores::kElements; ++i) {
                const int j = key + Scores::column(i);
                const bool attends = j < head.present && (!e.causal || j <= row + Scores::row(i));
                p.element(i) = attends ? exp2f(factor * p.element(i) - row_lse[Tiling::slot(i)]) : 0;
            }
            put_weights<Tiling>(memory.weights.begin(), p);
            multiply_rows<Tiling>(ds, memory.dy.begin(), &memory.v[stage][0]);
#pragma unroll
            for (int i = 0; i < Scores::kElements; ++i)
                ds.element(i) = p.element(i) * (ds.element(i) - row_delta[Tiling::slot(i)]);
        }
        const std::int64_t stride = 3 * e.H * e.D, rows = e.L - key;
        __syncthreads();  // all weights are there
        if (warp < Tiling::kPieces) {
            sum_keys<Tiling>(memory.weights.begin(), memory.dy.begin(), first, end, 1.0f,
                             dqkv + head.qkv(e, Part::value, key), stride, rows, e.D, bytes);
        }
        __syncthreads();  // and read
        if (attending) put_weights<Tiling>(memory.weights.begin(), ds);
        __syncthreads();
        if (warp >= Tiling::kWarps - Tiling::kPieces) {
            sum_keys<Tiling>(memory.weights.begin(), memory.q.begin(), first, end, e.scale,
                             dqkv + head.qkv(e, Part::key, key), stride, rows, e.D, bytes);
        }
        if (attending) add_weighted<Tiling>(dq, memory.weights.begin(), &memory.k[stage][0]);
    }
    dev::cp_async_wait<0>();
    __syncthreads();  // all queries have been read
    store_rows<Tiling>(
        memory.q.begin(), dq, [&](int) { return e.scale; }, dqkv + head.qkv(e, Part::query, 0), 3 * e.H * e.D, e.L, e.D,
        bytes);
}

}  // namespace cambium::attention
