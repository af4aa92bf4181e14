#include "engine/backends/cpu/gemm.h"

#include <algorithm>

#include "engine/backends/cpu/executable.h"
#include "engine/backends/cpu/kernels.h"
#include "engine/base/parallel.h"

namespace cambium::cpu {
namespace {

using i64 = std::int64_t;

// A block of A (144 x 256 floats, 144 KB) stays in the second-level cache, a panel of B in the first.
constexpr i64 depth = 256, block_rows = 144, block_columns = 256;

constexpr std::size_t thread_bytes =
    aligned(static_cast<std::size_t>(depth * (block_rows + block_columns)) * sizeof(float));

struct Product {
    i64 m, n, k;
    MatrixView a, b;
    float* c;
    i64 ldc;
    Into into;
};

// The block of C that begins at (i, j). Every block packs its own panels: they are used block_rows or block_columns
// times, and no thread waits for another.
void multiply_block(const Product& p, i64 i, i64 j, float* packed_a, float* packed_b) {
    const GemmKernels& kernel = kernels().gemm;
    const i64 rows = std::min(block_rows, p.m - i), columns = std::min(block_columns, p.n - j);
    for (i64 l = 0; l < p.k; l += depth) {
        const i64 k = std::min(depth, p.k - l);
        kernel.pack(p.a.data + i * p.a.row + l * p.a.column, p.a.row, p.a.column, rows, k, kernel.mr, packed_a);
        kernel.pack(p.b.data + j * p.b.column + l * p.b.row, p.b.column, p.b.row, columns, k, kernel.nr, packed_b);
        const bool accumulate = l > 0 || p.into == Into::add;
        for (i64 column = 0; column < columns; column += kernel.nr) {
            for (i64 row = 0; row < rows; row += kernel.mr) {
                kernel.tile(k, packed_a + row * k, packed_b + column * k, p.c + (i + row) * p.ldc + j + column, p.ldc,
                            std::min(kernel.mr, rows - row), std::min(kernel.nr, columns - column), accumulate);
            }
        }
    }
}

}  // namespace

std::size_t gemm_workspace_bytes() { return static_cast<std::size_t>(thread_count()) * thread_bytes; }

void gemm(i64 m, i64 n, i64 k, const MatrixView& a, const MatrixView& b, float* c, i64 ldc, Into into,
          void* workspace) {
    if (k == 0 && into == Into::replace) {
        for (i64 i = 0; i < m; ++i) std::fill_n(c + i * ldc, n, 0.0f);
    }
    const Product product{m, n, k, a, b, c, ldc, into};
    const i64 down = (m + block_rows - 1) / block_rows, across = (n + block_columns - 1) / block_columns;
    const i64 blocks = down * across, parts = std::min<i64>(thread_count(), blocks);
    parallel_for(parts, 1, [&](i64 begin, i64 end) {
        for (i64 part = begin; part < end; ++part) {
            float* packed =
                reinterpret_cast<float*>(static_cast<char*>(workspace) + static_cast<std::size_t>(part) * thread_bytes);
            for (i64 block = blocks * part / parts; block < blocks * (part + 1) / parts; ++block) {
                multiply_block(product, block % down * block_rows, block / down * block_columns, packed,
                               packed + depth * block_rows);
            }
        }
    });
}

}  // namespace cambium::cpu
