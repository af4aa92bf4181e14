// How a thread copies its chunks of an operand's tile when the operand is an im2col matrix or a filter. What depends on
// the row or on the column alone is computed once for all chunks that share it; what remains per chunk is an addition
// and three comparisons.
#pragma once

#include "kernels/conv/problem.cuh"
#include "kernels/gemm/operand.cuh"

namespace cambium::conv {

// The chunks of a tile that one thread copies: kCount of them in one column, kStep rows apart, which the swizzle maps
// alike.
template <class Tile, int Threads>
struct ThreadChunks {
    static constexpr int kStep = Threads / Tile::kChunks, kCount = Tile::kRows / kStep;
    static_assert(Threads % Tile::kChunks == 0 && Tile::kRows % kStep == 0 && kStep % Tile::kSwizzleRows == 0);

    CAMBIUM_DEVICE static int row(int i) { return static_cast<int>(threadIdx.x) / Tile::kChunks + i * kStep; }
    CAMBIUM_DEVICE static int column() { return static_cast<int>(threadIdx.x) % Tile::kChunks * Tile::kChunk; }
    CAMBIUM_DEVICE static int offset(int i) { return Tile::offset(row(0), column()) + i * kStep * Tile::kColumns; }
};

// Where a row of the im2col matrix begins: image, line and element of the line, which may lie outside of the image.
struct Window {
    int image, h, column;
};
CAMBIUM_DEVICE Window window_of(const Im2col& m, int row) {
    if (row >= m.rows) return {0, -(1 << 30), 0};  // outside, whatever the tap
    const int image = m.image_windows.quotient(row), inside = row - image * m.image_windows.divisor;
    const int i = m.line_windows.quotient(inside), j = inside - i * m.line_windows.divisor;
    return {image, i * m.stride_h + m.first_h, j * m.stride_w + m.first_w};
}

// What a chunk's first column is: channel c of tap (r, s). Beyond the last tap c is `run`, where no channel exists.
struct Tap {
    int r, s, c;
};
CAMBIUM_DEVICE Tap tap_of(const Im2col& m, int column) {
    const int tap = m.padded_run.quotient(column), r = m.taps_w.quotient(tap);
    return {r, tap - r * m.taps_w.divisor, r < m.taps_h ? column - tap * m.padded_run.divisor : m.run};
}
// How far that lies from the window's beginning, in lines and in elements.
struct Shift {
    int h, column;
};
CAMBIUM_DEVICE Shift shift_of(const Im2col& m, const Tap& tap) { return {tap.r * m.step_h, tap.s * m.step_w + tap.c}; }

// Copies a chunk in parts of Bytes. `exists(i)` says whether the part from its element i on does, for copies are never
// wider than what exists or not as a whole; the others become zero.
template <int Bytes, class T, class Exists>
CAMBIUM_DEVICE void copy_parts(T* target, const T* data, std::int64_t offset, Exists&& exists) {
    constexpr int kChunk = 16 / static_cast<int>(sizeof(T)), kPart = Bytes / static_cast<int>(sizeof(T));
#pragma unroll 1  // the narrow widths are rare: small code
    for (int i = 0; i < kChunk; i += kPart) {
        const bool there = exists(i);
        const T* source = data + (there ? offset + i : 0);
        if constexpr (Bytes >= 4) {
            dev::cp_async<Bytes>(target + i, source, there ? Bytes : 0);
        } else {
            target[i] = there ? *source : T(0.0f);
        }
    }
}

template <int Bytes, class T>
CAMBIUM_DEVICE void copy_window(T* target, const T* data, const Im2col& m, const Window& window, const Tap& tap,
                                const Shift& shift) {
    const int h = window.h + shift.h, column = window.column + shift.column;
    const bool line_exists = static_cast<unsigned>(h) < static_cast<unsigned>(m.height);
    const int inside = line_exists ? h * m.line + column : 0;
    copy_parts<Bytes>(target, data, static_cast<std::int64_t>(window.image) * m.image + inside, [&](int i) {
        return line_exists && static_cast<unsigned>(column + i) < static_cast<unsigned>(m.line) && tap.c + i < m.run;
    });
}

// Calls body(width) with the width as a constant: 16, 8, 4 or (bf16 only) 2 bytes.
template <int Bytes>
struct Width {
    static constexpr int kBytes = Bytes;
};
template <class T, class Body>
CAMBIUM_DEVICE void with_width(int bytes, Body&& body) {
    if (bytes == 16) {
        body(Width<16>{});
    } else if (bytes == 8) {
        body(Width<8>{});
    } else if (sizeof(T) == 4 || bytes == 4) {
        body(Width<4>{});
    } else {
        body(Width<static_cast<int>(sizeof(T))>{});
    }
}

}  // namespace cambium::conv
