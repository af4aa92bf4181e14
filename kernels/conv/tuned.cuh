// The tuned convolution: gemm's pipeline, its operands gathered by im2col arithmetic while they are copied.
//            D [M, N]             A, along              B, along
//   fprop    y  [(n p q), k]      windows of x,  k      filter [k, (r s c)],    k
//   dgrad    dx [(n h w), c]      windows of dy, k      filter [(r s k), c],    n    one product per parity of (h, w)
//   wgrad    dw [k, (r s c)]      dy [(n p q), k], m    windows of x,           n
#pragma once

#include "kernels/conv/im2col.cuh"
#include "kernels/gemm/pipeline.cuh"

namespace cambium::conv {

using dev::Major;

// What a block works on.
template <class T>
struct Block {
    const Problem& problem;
    const Product& product;
    gemm::Work work;
    int group;
    const T* first;   // x, dy, x
    const T* second;  // w, w, dy
};

// Windows along k: a thread's rows stay, its tap moves on. f32 has no registers to spare and finds its windows anew for
// each tile.
template <class Tiling>
struct WindowRows {
    using T = typename Tiling::Element;
    using Chunks = ThreadChunks<typename Tiling::TileA, Tiling::kThreads>;
    static constexpr bool kKept = Tiling::kMath != Math::f32;
    const Im2col& im2col;
    const T* data;
    int bytes, row;
    Window kept[kKept ? Chunks::kCount : 1];

    CAMBIUM_DEVICE WindowRows(const Im2col& m, const T* tensor, int copy_bytes, int first_row)
        : im2col(m), data(tensor), bytes(copy_bytes), row(first_row) {
        if constexpr (kKept) {
#pragma unroll
            for (int i = 0; i < Chunks::kCount; ++i) kept[i] = window_of(m, row + Chunks::row(i));
        }
    }
    CAMBIUM_DEVICE Window window(int i) const {
        if constexpr (kKept) return kept[i];
        return window_of(im2col, row + Chunks::row(i));
    }
    CAMBIUM_DEVICE void copy(T* tile, const Tap& tap) const {
        const Shift shift = shift_of(im2col, tap);
        with_width<T>(bytes, [&](auto width) {
#pragma unroll
            for (int i = 0; i < Chunks::kCount; ++i) {
                copy_window<width.kBytes>(tile + Chunks::offset(i), data, im2col, window(i), tap, shift);
            }
        });
    }
};

template <class Tiling>
struct FpropOperands {
    using T = typename Tiling::Element;
    using Chunks = ThreadChunks<typename Tiling::TileB, Tiling::kThreads>;
    Block<T> block;
    WindowRows<Tiling> windows;

    CAMBIUM_DEVICE explicit FpropOperands(const Block<T>& b)
        : block(b),
          windows(b.product.im2col, b.first + b.group * b.problem.group_c, b.problem.result.copy_bytes_a,
                  static_cast<int>(b.work.row)) {}

    CAMBIUM_DEVICE void operator()(int tile, T* tile_a, T* tile_b) const {
        const Im2col& m = block.product.im2col;
        const int k = static_cast<int>(block.work.k_begin) + tile * Tiling::kK;
        const Tap tap = tap_of(m, k + Chunks::column());  // of A and of B: both are cut into the same chunks along k
        windows.copy(tile_a, tap);
        const Problem& p = block.problem;
        const int first = static_cast<int>(block.work.column) + Chunks::row(0),
                  inside = (tap.r * m.taps_w.divisor + tap.s) * m.run + tap.c;
        with_width<T>(p.result.copy_bytes_b, [&](auto width) {
#pragma unroll
            for (int i = 0; i < Chunks::kCount; ++i) {
                const int channel = first + i * Chunks::kStep;
                const std::int64_t row = static_cast<std::int64_t>(block.group * p.group_k + channel) * p.filter;
                copy_parts<width.kBytes>(tile_b + Chunks::offset(i), block.second, row + inside,
                                         [&](int j) { return channel < p.group_k && tap.c + j < m.run; });
            }
        });
    }
};

template <class Tiling>
struct DgradOperands {
    using T = typename Tiling::Element;
    using Chunks = ThreadChunks<typename Tiling::TileB, Tiling::kThreads>;
    Block<T> block;
    WindowRows<Tiling> windows;

    CAMBIUM_DEVICE explicit DgradOperands(const Block<T>& b)
        : block(b),
          windows(b.product.im2col, b.first + b.group * b.problem.group_k, b.problem.result.copy_bytes_a,
                  static_cast<int>(b.work.row)) {}

    CAMBIUM_DEVICE void operator()(int tile, T* tile_a, T* tile_b) const {
        const Product& product = block.product;
        const Im2col& m = product.im2col;
        const Problem& p = block.problem;
        const int k = static_cast<int>(block.work.k_begin) + tile * Tiling::kK;
        windows.copy(tile_a, tap_of(m, k + WindowRows<Tiling>::Chunks::column()));
        const int column = static_cast<int>(block.work.column) + Chunks::column();
        with_width<T>(p.result.copy_bytes_b, [&](auto width) {
#pragma unroll
            for (int i = 0; i < Chunks::kCount; ++i) {
                const Tap tap = tap_of(m, k + Chunks::row(i));
                const int r = product.first_r + tap.r * product.step_r, s = product.first_s + tap.s * product.step_s;
                const std::int64_t row = static_cast<std::int64_t>(block.group * p.group_k + tap.c) * p.filter;
                copy_parts<width.kBytes>(tile_b + Chunks::offset(i), block.second,
                                         row + (r * p.s + s) * p.group_c + column,
                                         [&](int j) { return tap.c < m.run && column + j < p.group_c; });
            }
        });
    }
};

// Windows along n: a thread's tap stays, its rows move on.
template <class Tiling>
struct WgradOperands {
    using T = typename Tiling::Element;
    using Chunks = ThreadChunks<typename Tiling::TileB, Tiling::kThreads>;
    Block<T> block;
    gemm::Stored<T> dy;
    Tap tap;
    Shift shift;

    CAMBIUM_DEVICE explicit WgradOperands(const Block<T>& b)
        : block(b),
          dy{b.second + b.group * b.problem.group_k, b.product.im2col.rows, b.problem.group_k, b.problem.k},
          tap(tap_of(b.product.im2col, static_cast<int>(b.work.column) + Chunks::column())),
          shift(shift_of(b.product.im2col, tap)) {}

    CAMBIUM_DEVICE void operator()(int tile, T* tile_a, T* tile_b) const {
        const Im2col& m = block.product.im2col;
        const Problem& p = block.problem;
        const int k = static_cast<int>(block.work.k_begin) + tile * Tiling::kK;
        gemm::copy_tile<typename Tiling::TileA, Tiling::kThreads>(tile_a, dy, k, block.work.row, p.result.copy_bytes_a);
        const T* x = block.first + block.group * p.group_c;
        with_width<T>(p.result.copy_bytes_b, [&](auto width) {
#pragma unroll
            for (int i = 0; i < Chunks::kCount; ++i) {
                copy_window<width.kBytes>(tile_b + Chunks::offset(i), x, m, window_of(m, k + Chunks::row(i)), tap,
                                          shift);
            }
        });
    }
};

template <Direction direction, class Tiling>
using Operands =
    std::conditional_t<direction == Direction::fprop, FpropOperands<Tiling>,
                       std::conditional_t<direction == Direction::dgrad, DgradOperands<Tiling>, WgradOperands<Tiling>>>;

// Where elements (row, column), (row, column + 1), ... of the product go.
template <Direction direction>
CAMBIUM_DEVICE gemm::Run place_of(const Problem& p, const Product& product, int group, int row, int column) {
    const Im2col& m = product.im2col;
    if constexpr (direction == Direction::wgrad) {
        const Tap tap = tap_of(m, column);
        const int first = (tap.r * m.taps_w.divisor + tap.s) * m.run;
        return {group * p.group_k + row, first + tap.c, row < p.group_k ? first + m.run : 0};
    }
    std::int64_t pixel = row;
    if constexpr (direction == Direction::dgrad) {
        const int image = m.image_windows.quotient(row), inside = row - image * m.image_windows.divisor;
        const int i = m.line_windows.quotient(inside), j = inside - i * m.line_windows.divisor;
        pixel = (static_cast<std::int64_t>(image) * p.h + product.first_h + i * p.stride_h) * p.w + product.first_w +
                j * p.stride_w;
    }
    const int first = group * product.n;
    return {pixel, first + column, row < product.m ? first + product.n : 0};
}

template <Direction direction, class Tiling>
__global__ void __launch_bounds__(Tiling::kThreads)
    tuned(const typename Tiling::Element* first, const typename Tiling::Element* second, void* d, float* partials,
          unsigned* arrived, const __grid_constant__ Problem p) {
    auto& stages = dev::shared<typename Tiling::Stages>();
    const int number = static_cast<int>(blockIdx.z) % p.products, group = static_cast<int>(blockIdx.z) / p.products;
    const Product& product = p.product[number];
    const int tile = static_cast<int>(blockIdx.x), part = static_cast<int>(blockIdx.y);
    if (tile >= product.tiles || part >= product.splits) return;  // the whole block: a product smaller than the largest
    const gemm::Work work = gemm::work_of_block<Tiling>(product.m, product.n, product.k, tile, part, product.splits);
    typename Tiling::WarpTile warp;
    warp.clear();
    if (work.k_tiles > 0) {
        const Operands<direction, Tiling> operands({p, product, work, group, first, second});
        gemm::multiply_tiles<Tiling>(warp, stages, work.k_tiles, operands);
    }
    if (product.splits > 1) {
        const std::int64_t of_launch = std::int64_t{blockIdx.z} * gridDim.x + tile;
        float* tile_partials = partials + of_launch * p.result.splits * (Tiling::kM * Tiling::kN);
        if (!gemm::sum_parts<Tiling>(warp, stages, tile_partials, arrived + of_launch, part, product.splits)) return;
    }
    gemm::store_tile<Tiling>(p.result, warp, stages, d, [&](int row, int column) {
        return place_of<direction>(p, product, group, static_cast<int>(work.row) + row,
                                   static_cast<int>(work.column) + column);
    });
}

}  // namespace cambium::conv
