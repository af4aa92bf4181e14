// Tiles of the tuned kernels. A block owns 64 tokens (queries, or keys in the keys' gradient) of one head and streams
// the tokens on the other side past them; each of its four warps owns 16 of the 64 rows for good, so that sums over a
// row stay within a warp and scores become an operand of the next product through the warp's own slice of shared
// memory. The products are those of kernels/gemm: tensor cores for bf16 and tf32, ordinary cores for exact f32.
#pragma once

#include "kernels/attention/sequence.cuh"
#include "kernels/gemm/operand.cuh"
#include "kernels/gemm/warp_tile.cuh"

namespace cambium::attention {

using dev::Major;
using gemm::Math;

inline constexpr float kLog2e = 1.4426950408889634f, kLn2 = 0.6931471805599453f;

// Size: D rounded up; columns beyond D are zeros. Not swizzled only for the test that counts what that costs.
template <Math math, int Size, bool Swizzled = true>
struct Tiling {
    using Element = std::conditional_t<math == Math::bf16, bf16, float>;
    static constexpr int kSize = Size;
    static constexpr int kOwn = 64, kWarpRows = 16, kThreads = kOwn / kWarpRows * 32;
    static constexpr int kRow = 128 / static_cast<int>(sizeof(Element));  // elements of all banks
    static constexpr int kOther = Size == 128 ? kRow / 2 : kRow;          // tokens streamed at a time
    static constexpr int kColumns = kOther, kSlabs = Size / kColumns;     // a vector's columns, kColumns at a time

    static constexpr int kUnroll =
        Size == 128 || math == Math::f32 ? 1 : 2;  // steps of a product at a time: registers are scarce

    // 16 x kOther: of scores (B holds tokens as columns), and of sums of vectors (B holds tokens as rows).
    template <Major major_b>
    using Slab = std::conditional_t<math == Math::f32, gemm::CoreTile<Major::k, major_b, kWarpRows, kOther>,
                                    gemm::TensorCoreTile<Element, Major::k, major_b, kWarpRows, kOther>>;
    using Scores = Slab<Major::k>;
    using Sums = Slab<Major::mn>;
    using OwnTile = gemm::OperandTile<Element, Major::k, kOwn, Size, Swizzled>;
    using OtherTile = gemm::OperandTile<Element, Major::k, kOther, Size, Swizzled>;
    using WeightTile = gemm::OperandTile<Element, Major::k, kOwn, kRow, Swizzled>;  // kOther of its columns

    // A lane holds elements of two rows of its warp's; element e is of row slot(e), the same in Scores and in Sums, and
    // the four lanes that differ in the bits below share them.
    static constexpr int kSlots = 2;
    static constexpr int kLaneBit = math == Math::f32 ? 8 : 1, kLaneBit2 = 2 * kLaneBit;
    CAMBIUM_DEVICE static constexpr int slot(int e) { return math == Math::f32 ? e / (kOther / 4) : e % 4 / 2; }
    CAMBIUM_DEVICE static constexpr int first_of(int slot) {
        return math == Math::f32 ? slot * (kOther / 4) : slot * 2;
    }
    CAMBIUM_DEVICE static bool is_first_of_row() {
        return (static_cast<int>(dev::lane_index()) & (kLaneBit | kLaneBit2)) == 0;
    }
};

template <class Tiling>
CAMBIUM_DEVICE int warp_row() {
    return static_cast<int>(dev::warp_index()) * Tiling::kWarpRows;
}

// The sum and the largest over a row, of what its four lanes hold.
template <class Tiling>
CAMBIUM_DEVICE float row_sum(float x) {
    x += __shfl_xor_sync(0xffffffffu, x, Tiling::kLaneBit);
    return x + __shfl_xor_sync(0xffffffffu, x, Tiling::kLaneBit2);
}
template <class Tiling>
CAMBIUM_DEVICE float row_largest(float x) {
    x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, Tiling::kLaneBit));
    return fmaxf(x, __shfl_xor_sync(0xffffffffu, x, Tiling::kLaneBit2));
}

// c += A B for k in [first, end); at_a(m, k) and at_b(k, n) are places in shared memory, as gemm's tiles want them.
template <class Tiling, class Slab, class AtA, class AtB>
CAMBIUM_DEVICE void multiply(Slab& c, int first, int end, AtA&& at_a, AtB&& at_b) {
#pragma unroll Tiling::kUnroll
    for (int k0 = first; k0 < end; k0 += Slab::kDepth) {
        typename Slab::Fragments fragments;
        Slab::load(
            fragments, [&](int m, int k) { return at_a(m, k0 + k); }, [&](int k, int n) { return at_b(k0 + k, n); });
        c.multiply(fragments);
    }
}

// scores = own rows of `own` times the rows of `other`, transposed.
template <class Tiling>
CAMBIUM_DEVICE void multiply_rows(typename Tiling::Scores& scores, const typename Tiling::Element* own,
                                  const typename Tiling::Element* other) {
    const int row = warp_row<Tiling>();
    scores.clear();
    multiply<Tiling>(
        scores, 0, Tiling::kSize, [&](int m, int k) { return own + Tiling::OwnTile::at(row + m, k); },
        [&](int k, int n) { return other + Tiling::OtherTile::at(n, k); });
}

// The warp's slice of `weights` becomes `scores`, rounded to the operands' type.
template <class Tiling>
CAMBIUM_DEVICE void put_weights(typename Tiling::Element* weights, typename Tiling::Scores& scores) {
    using Scores = typename Tiling::Scores;
    const int row = warp_row<Tiling>();
    __syncwarp();  // nobody reads the former ones any more
#pragma unroll
    for (int e = 0; e < Scores::kElements; e += Scores::kRun) {
        dev::Vector<typename Tiling::Element, Scores::kRun> run;
#pragma unroll
        for (int i = 0; i < Scores::kRun; ++i) run[i] = typename Tiling::Element(scores.element(e + i));
        dev::store_vector(weights + Tiling::WeightTile::at(row + Scores::row(e), Scores::column(e)), run);
    }
    __syncwarp();
}

// What the lane has put there, for whoever cannot keep it in registers meanwhile; exact where operands are f32.
template <class Tiling>
CAMBIUM_DEVICE void take_weights(typename Tiling::Scores& scores, const typename Tiling::Element* weights) {
    using Scores = typename Tiling::Scores;
    const int row = warp_row<Tiling>();
#pragma unroll
    for (int e = 0; e < Scores::kElements; e += Scores::kRun) {
        const auto run = dev::load_vector<dev::Vector<typename Tiling::Element, Scores::kRun>>(
            weights + Tiling::WeightTile::at(row + Scores::row(e), Scores::column(e)));
#pragma unroll
        for (int i = 0; i < Scores::kRun; ++i) scores.element(e + i) = static_cast<float>(run[i]);
    }
}

// sums += the warp's slice of `weights` times the rows of `other`.
template <class Tiling>
CAMBIUM_DEVICE void add_weighted(typename Tiling::Sums (&sums)[Tiling::kSlabs], const typename Tiling::Element* weights,
                                 const typename Tiling::Element* other) {
    const int row = warp_row<Tiling>();
#pragma unroll
    for (int slab = 0; slab < Tiling::kSlabs; ++slab) {
        multiply<Tiling>(
            sums[slab], 0, Tiling::kOther, [&](int m, int k) { return weights + Tiling::WeightTile::at(row + m, k); },
            [&](int k, int n) { return other + Tiling::OtherTile::at(k, slab * Tiling::kColumns + n); });
    }
}

// Stores the warp's rows of `sums` times `factor(slot)`: row r of the block goes to target + r * stride, if r < rows.
// `tile` is an own tile which nobody needs any more; through it, a lane stores `bytes` of a row, 16 where it may.
template <class Tiling, class Factor>
CAMBIUM_DEVICE void store_rows(typename Tiling::Element* tile, typename Tiling::Sums (&sums)[Tiling::kSlabs],
                               Factor&& factor, typename Tiling::Element* target, std::int64_t stride,
                               std::int64_t rows, std::int64_t columns, int bytes) {
    using Element = typename Tiling::Element;
    using Sums = typename Tiling::Sums;
    using Tile = typename Tiling::OwnTile;
    const int row = warp_row<Tiling>();
#pragma unroll
    for (int slab = 0; slab < Tiling::kSlabs; ++slab) {
#pragma unroll
        for (int e = 0; e < Sums::kElements; e += Sums::kRun) {
            dev::Vector<Element, Sums::kRun> run;
#pragma unroll
            for (int i = 0; i < Sums::kRun; ++i) run[i] = Element(factor(Tiling::slot(e)) * sums[slab].element(e + i));
            dev::store_vector(tile + Tile::at(row + Sums::row(e), slab * Tiling::kColumns + Sums::column(e)), run);
        }
    }
    __syncwarp();
#pragma unroll 1
    for (int c = static_cast<int>(dev::lane_index()); c < Tiling::kWarpRows * Tile::kChunks; c += 32) {
        const int r = row + c / Tile::kChunks, column = c % Tile::kChunks * Tile::kChunk;
        if (r >= rows || column >= columns) continue;
        const Element* from = tile + Tile::at(r, column);
        Element* to = target + r * stride + column;
        if (bytes == 16) {
            dev::store_vector(to, dev::load_vector<dev::Vector<Element, Tile::kChunk>>(from));
        } else {
            for (int i = 0; i < Tile::kChunk && column + i < columns; ++i) to[i] = from[i];
        }
    }
}

// Stores a warp tile times `factor`: element (r, c) goes to target + r * stride + c, if r < rows and c < columns. Rows
// are aligned to `bytes`. In 16 bits two lanes exchange halves first, so that an access fills whole sectors.
template <class Element, class Tile>
CAMBIUM_DEVICE void store_tile(Tile& tile, float factor, Element* target, std::int64_t stride, std::int64_t rows,
                               std::int64_t columns, int bytes) {
    constexpr bool kExchanged = sizeof(Element) == 2;
    constexpr int kRun = kExchanged ? 4 : Tile::kRun;
    const bool odd = dev::lane_index() % 2 != 0;
#pragma unroll
    for (int n = 0; n < Tile::kElements / kRun; ++n) {
        const int e = kExchanged ? n / 2 * 8 + n % 2 * 2 : n * kRun;  // and e + 4, of the next eight columns
        dev::Vector<Element, kRun> run;
        if constexpr (kExchanged) {
#pragma unroll
            for (int i = 0; i < 2; ++i) {
                const float low = tile.element(e + i), high = tile.element(e + 4 + i);
                const float other = __shfl_xor_sync(0xffffffffu, odd ? low : high, 1);
                run[i] = Element(factor * (odd ? other : low));
                run[2 + i] = Element(factor * (odd ? high : other));
            }
        } else {
#pragma unroll
            for (int i = 0; i < kRun; ++i) run[i] = Element(factor * tile.element(e + i));
        }
        const int row = Tile::row(e), column = kExchanged && odd ? Tile::column(e + 4) - 2 : Tile::column(e);
        if (row >= rows || column >= columns) continue;
        Element* to = target + row * stride + column;
        if (bytes >= kRun * static_cast<int>(sizeof(Element))) {
            dev::store_vector(to, run);
        } else {
            for (int i = 0; i < kRun && column + i < columns; ++i) to[i] = run[i];
        }
    }
}

// A part of a head's tokens as rows of an operand; padding reads as zeros.
template <class T>
CAMBIUM_DEVICE gemm::Stored<T> rows_of(const T* qkv, const Extents& e, const Head& head, Part part) {
    return {qkv + head.qkv(e, part, 0), head.present, e.D, 3 * e.H * e.D};
}
template <class T>
CAMBIUM_DEVICE gemm::Stored<T> rows_of(const T* y, const Extents& e, const Head& head) {
    return {y + head.y(e, 0), head.present, e.D, e.H * e.D};
}

}  // namespace cambium::attention
