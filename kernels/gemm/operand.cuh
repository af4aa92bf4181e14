// An operand's tile in shared memory, and its copy from device memory. Rows are cut into chunks of 16 bytes, and a
// chunk's place in its row is exchanged by XOR with the row's number (the swizzle), so that what a warp reads together
// (eight rows of one column, for ldmatrix) lies in different banks, without padding.
#pragma once

#include "kernels/gpu.h"

namespace cambium::gemm {

using dev::Major;

// MN x K elements. Major::k: MN rows of K elements; Major::mn: K rows of MN elements.
template <class T, Major major, int MN, int K, bool Swizzled>
struct OperandTile {
    static constexpr int kRows = major == Major::k ? MN : K;
    static constexpr int kColumns = major == Major::k ? K : MN;
    static constexpr int kChunk = 16 / static_cast<int>(sizeof(T));
    static constexpr int kChunks = kColumns / kChunk;
    static constexpr int kSize = MN * K;
    static_assert(kChunks >= 8, "a row has all 32 banks");

    // f32 tiles that lie along m or n are read as four rows of eight single elements, hence of two chunks each.
    static constexpr int kSwizzleRows = sizeof(T) == 4 && major == Major::mn ? 4 : 8;  // rows until it repeats
    CAMBIUM_DEVICE static int swizzle(int row) {
        if (!Swizzled) return 0;
        return row % kSwizzleRows * (8 / kSwizzleRows);
    }
    // Where element (row, column) lies.
    CAMBIUM_DEVICE static int offset(int row, int column) {
        return row * kColumns + (column / kChunk ^ swizzle(row)) * kChunk + column % kChunk;
    }
    // The same by the operand's indices: m or n, and k.
    CAMBIUM_DEVICE static int at(int mn, int k) { return major == Major::k ? offset(mn, k) : offset(k, mn); }
};

// An operand in device memory, as stored: `rows` rows of `columns` elements, `stride` elements apart.
template <class T>
struct Stored {
    const T* data;
    std::int64_t rows, columns, stride;
};

// One chunk of which the first `valid` elements exist; the others become zero. Copies of less than 4 bytes do not exist
// as cp.async, hence the plain path, which the barrier before the tile's use orders just as well.
template <int Bytes, class T>
CAMBIUM_DEVICE void copy_chunk(T* target, const T* source, int valid) {
    constexpr int kChunk = 16 / static_cast<int>(sizeof(T));
    constexpr int kPart = Bytes / static_cast<int>(sizeof(T));
    for (int first = 0; first < kChunk; first += kPart) {
        if constexpr (Bytes >= 4) {
            const int count = max(0, min(valid - first, kPart));
            dev::cp_async<Bytes>(target + first, count > 0 ? source + first : source,
                                 static_cast<unsigned>(count) * static_cast<unsigned>(sizeof(T)));
        } else {
            target[first] = first < valid ? source[first] : T(0.0f);
        }
    }
}

// Starts copying the tile whose first element is (row0, column0) of `stored`, with copies of `Bytes`; zeros beyond the
// edges. All `Threads` threads of the block take part.
template <class Tile, int Threads, int Bytes, class T>
CAMBIUM_DEVICE void copy_tile(T* tile, const Stored<T>& stored, std::int64_t row0, std::int64_t column0) {
    // Rare widths: small code. f32's large tiles leave no registers for the addresses of four chunks at once.
    constexpr int kUnroll = Bytes != 16 ? 1 : sizeof(T) == 4 ? 2 : Tile::kRows * Tile::kChunks / Threads;
#pragma unroll kUnroll
    for (int c = static_cast<int>(threadIdx.x); c < Tile::kRows * Tile::kChunks; c += Threads) {
        const int row = c / Tile::kChunks, column = c % Tile::kChunks * Tile::kChunk;
        const std::int64_t left = row0 + row < stored.rows ? stored.columns - (column0 + column) : 0;
        const int valid = left <= 0 ? 0 : left < Tile::kChunk ? static_cast<int>(left) : Tile::kChunk;
        const T* source = stored.data + (valid > 0 ? (row0 + row) * stored.stride + column0 + column : 0);
        copy_chunk<Bytes>(tile + Tile::offset(row, column), source, valid);
    }
}

// The same by the width that the rows' alignment allows: 16, 8, 4 or (bf16 only) 2 bytes.
template <class Tile, int Threads, class T>
CAMBIUM_DEVICE void copy_tile(T* tile, const Stored<T>& stored, std::int64_t row0, std::int64_t column0, int bytes) {
    if (bytes == 16) {
        copy_tile<Tile, Threads, 16>(tile, stored, row0, column0);
    } else if (bytes == 8) {
        copy_tile<Tile, Threads, 8>(tile, stored, row0, column0);
    } else if (sizeof(T) == 4 || bytes == 4) {
        copy_tile<Tile, Threads, 4>(tile, stored, row0, column0);
    } else {
        copy_tile<Tile, Threads, static_cast<int>(sizeof(T))>(tile, stored, row0, column0);
    }
}

}  // namespace cambium::gemm
