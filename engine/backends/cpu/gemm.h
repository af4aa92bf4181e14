// C = A B for f32 matrices of any strides, blocked for the caches (Goto & van de Geijn 2008): what convolutions and
// matrix products run on where oneDNN is absent or refuses.
#pragma once

#include <cstddef>
#include <cstdint>

namespace cambium::cpu {

// Element (i, j) lies at i * row + j * column.
struct MatrixView {
    const float* data;
    std::int64_t row, column;
};

enum class Into : std::uint8_t { replace, add };

// c [m, n], rows ldc apart, = or += a [m, k] b [k, n]. Each element is summed in one order whatever the thread count.
void gemm(std::int64_t m, std::int64_t n, std::int64_t k, const MatrixView& a, const MatrixView& b, float* c,
          std::int64_t ldc, Into into, void* workspace);
std::size_t gemm_workspace_bytes();

}  // namespace cambium::cpu
