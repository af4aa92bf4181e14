// Transposition through shared memory, for copies where x is dense along one axis (here: columns) and y along another
// (rows); up to three more axes are walked over, so that this serves every permutation that moves the last axis.
//   1. a block takes a tile of 32 words by as many rows; a warp reads 32 words of a row, 128 bytes together
//   2. it leaves them in shared memory, row by row, each row's words exchanged by an exclusive or with the row's number
//   3. after a barrier a warp reads a word of 32 rows, which the exchange has spread over all 32 banks
//   4. it turns words of two elements around in registers and stores them along y's dense axis, 128 bytes together
// A word holds one element, or two of 2 bytes where everything is even, so that rows of bf16 move 128 bytes too. The
// tile's rows are then 64, two for each lane.
#pragma once

#include "kernels/layout/copy.cuh"

namespace cambium::layout {

inline constexpr int kTileWords = 32;

// Words of W that hold E elements each.
template <class W, int E>
struct Tile {
    dev::Shared<W, kTileWords * E, kTileWords> word;  // [row, word]
};

struct TiledView {
    std::uint32_t tiles;
    Divisor column_tiles, row_tiles;  // across and down; what remains of a tile's number counts the other axes
    std::uint32_t columns, rows;      // extents, in words and in elements
    std::int64_t x_row, y_column;     // strides: from row to row in x, from column to column (an element's) in y
    View others;
};

template <int E, bool Swizzled>
CAMBIUM_DEVICE unsigned place(unsigned row, unsigned word) {
    return Swizzled ? word ^ (row / E % kTileWords) : word;
}

// Element j of each of E words, as one word.
template <int E, class W>
CAMBIUM_DEVICE W gathered(const W (&words)[E], int j) {
    if constexpr (E == 1) {
        return words[0];
    } else {
        static_assert(E == 2 && sizeof(W) == 4);
        const W shift = 16 * static_cast<W>(j);
        return (words[0] >> shift & 0xffffu) | (words[1] >> shift << 16);
    }
}

// T: the element.
template <class T, class W, int E, bool Swizzled = true>
__global__ void __launch_bounds__(kThreads) transpose_tiles(TiledView view, T* y, const T* x) {
    constexpr unsigned kWarps = kThreads / 32, kRows = kTileWords * E;
    auto& tile = dev::shared<Tile<W, E>>();
    const unsigned warp = dev::warp_index(), lane = dev::lane_index();
    for (std::uint32_t number = blockIdx.x; number < view.tiles; number += gridDim.x) {
        std::uint32_t rest = number;
        const unsigned word0 = view.column_tiles.split(rest) * kTileWords, row0 = view.row_tiles.split(rest) * kRows;
        const Position other = position_of(view.others, rest);
#pragma unroll
        for (unsigned i = 0; i < kRows / kWarps; ++i) {
            const unsigned r = i * kWarps + warp;
            if (row0 + r < view.rows && word0 + lane < view.columns) {
                const T* source = x + other.x + (row0 + r) * view.x_row + std::int64_t{word0 + lane} * E;
                tile.word[r][place<E, Swizzled>(r, lane)] = dev::load_nc(reinterpret_cast<const W*>(source));
            }
        }
        __syncthreads();
#pragma unroll
        for (unsigned k = 0; k < kTileWords / kWarps; ++k) {
            const unsigned w = k * kWarps + warp;
            if (word0 + w < view.columns && row0 + lane * E < view.rows) {
                W words[E];
#pragma unroll
                for (int i = 0; i < E; ++i) {
                    const unsigned row = lane * E + static_cast<unsigned>(i);
                    words[i] = tile.word[row][place<E, Swizzled>(row, w)];
                }
#pragma unroll
                for (int j = 0; j < E; ++j) {
                    const std::int64_t column = std::int64_t{word0 + w} * E + j;
                    T* target = y + other.y + column * view.y_column + (row0 + lane * E);
                    *reinterpret_cast<W*>(target) = gathered<E>(words, j);
                }
            }
        }
        __syncthreads();
    }
}

}  // namespace cambium::layout
