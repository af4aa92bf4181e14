// The plain product, to be right at a glance: a block computes 16 x 16 elements of D, a thread one of them, from tiles
// of A and B that the block first brings to shared memory, zero beyond the edges.
#pragma once

#include "kernels/gemm/epilogue.cuh"

namespace cambium::gemm {

inline constexpr int kPlainTile = 16;

struct PlainTiles {
    dev::Shared<float, kPlainTile, kPlainTile> a;  // [m, k]
    dev::Shared<float, kPlainTile, kPlainTile> b;  // [k, n]
};

// An operand's element (row, column) lies at data[row * row_stride + column * column_stride], so that a transposed one
// has its strides exchanged.
struct Strides {
    std::int64_t row, column;
};

template <Math math, class T>
CAMBIUM_DEVICE float operand(const T* data, Strides strides, std::int64_t row, std::int64_t column, std::int64_t rows,
                             std::int64_t columns) {
    if (row >= rows || column >= columns) return 0.0f;
    const float x = static_cast<float>(data[row * strides.row + column * strides.column]);
    if constexpr (math == Math::tf32) return __uint_as_float(dev::round_to_tf32(__float_as_uint(x)));
    return x;
}

template <Math math, class T>
__global__ void __launch_bounds__(kPlainTile* kPlainTile)
    plain(const T* a, Strides a_strides, const T* b, Strides b_strides, void* d, Problem p) {
    auto& tiles = dev::shared<PlainTiles>();
    const int x = static_cast<int>(threadIdx.x), y = static_cast<int>(threadIdx.y);
    const std::int64_t tiles_n = (p.n + kPlainTile - 1) / kPlainTile;
    const std::int64_t row = blockIdx.x / tiles_n * kPlainTile + y, column = blockIdx.x % tiles_n * kPlainTile + x;
    const std::int64_t matrix = blockIdx.z;
    a += matrix * p.batch.a;
    b += matrix * p.batch.b;
    float sum = 0.0f;
    for (std::int64_t k0 = 0; k0 < p.k; k0 += kPlainTile) {
        tiles.a[y][x] = operand<math>(a, a_strides, row, k0 + x, p.m, p.k);
        tiles.b[y][x] = operand<math>(b, b_strides, k0 + y, column, p.k, p.n);
        __syncthreads();
        for (int i = 0; i < kPlainTile; ++i) sum += tiles.a[y][i] * tiles.b[i][x];
        __syncthreads();
    }
    if (row >= p.m || column >= p.n) return;
    const Run element{row, column, column + 1, matrix};
    if (p.output == Output::f32) {
        store_element<float>(p, d, element, sum);
    } else {
        store_element<bf16>(p, d, element, sum);
    }
}

}  // namespace cambium::gemm
