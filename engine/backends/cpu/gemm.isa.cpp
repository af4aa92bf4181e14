// The inner tile of the matrix product: mr x nr sums in vector registers, one broadcast of A against two vectors of B.
#include <algorithm>

#include "engine/backends/cpu/kernels.h"
#include "engine/backends/cpu/simd.h"

namespace cambium::cpu::CAMBIUM_ISA {
namespace {

using i64 = std::int64_t;

// As many rows as the register file holds beside two vectors of B and a broadcast: 32 registers in v4, 16 before.
constexpr int mr = CAMBIUM_ISA_LEVEL == 4 ? 12 : 6;
constexpr int vectors = 2;
constexpr int nr = vectors * lanes;

void pack(const float* x, i64 row_stride, i64 column_stride, i64 rows, i64 k, i64 panel, float* packed) {
    for (i64 first = 0; first < rows; first += panel, packed += panel * k) {
        const i64 height = std::min(panel, rows - first);
        const float* from = x + first * row_stride;
        if (height == panel && row_stride == 1) {
            for (i64 l = 0; l < k; ++l) std::copy_n(from + l * column_stride, panel, packed + l * panel);
            continue;
        }
        for (i64 l = 0; l < k; ++l) {
            for (i64 i = 0; i < height; ++i) packed[l * panel + i] = from[i * row_stride + l * column_stride];
            for (i64 i = height; i < panel; ++i) packed[l * panel + i] = 0.0f;
        }
    }
}

void tile(i64 k, const float* a, const float* b, float* c, i64 ldc, i64 m, i64 n, bool accumulate) {
    Floats sums[mr][vectors]{};
    for (i64 l = 0; l < k; ++l, a += mr, b += nr) {
        const Floats b0 = load(b), b1 = load(b + lanes);
#pragma GCC unroll 16
        for (int i = 0; i < mr; ++i) {
            sums[i][0] += a[i] * b0;
            sums[i][1] += a[i] * b1;
        }
    }
    if (m == mr && n == nr) {
        for (int i = 0; i < mr; ++i) {
            for (int v = 0; v < vectors; ++v) {
                float* to = c + i * ldc + v * lanes;
                store(to, accumulate ? load(to) + sums[i][v] : sums[i][v]);
            }
        }
        return;
    }
    float edge[mr * nr];
    for (int i = 0; i < mr; ++i) {
        for (int v = 0; v < vectors; ++v) store(edge + i * nr + v * lanes, sums[i][v]);
    }
    for (i64 i = 0; i < m; ++i) {
        for (i64 j = 0; j < n; ++j) c[i * ldc + j] = edge[i * nr + j] + (accumulate ? c[i * ldc + j] : 0.0f);
    }
}

}  // namespace

const GemmKernels gemm_table{.mr = mr, .nr = nr, .pack = pack, .tile = tile};

}  // namespace cambium::cpu::CAMBIUM_ISA
