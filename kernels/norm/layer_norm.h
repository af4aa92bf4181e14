// Layer norm (Ba et al. 2016) over the rows of a matrix [R, C]: the host's side. All sums are taken in an order that
// the shape alone decides: same operands, same bits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "engine/base/dtype.h"
#include "kernels/gpu/launch.h"
#include "kernels/norm/norm.h"

namespace cambium::norm {

struct LayerNorm {
    std::int64_t rows = 0, channels = 0;  // R, C
    DType dtype = DType::f32;             // of x, y and their gradients: f32 or bf16
    float epsilon = 1e-5f;                // of the forward pass only
    // plain: a thread per row, and per channel for sums over rows; tuned: a warp or a block per row, strips of channels
    Variant variant = Variant::tuned;
};

// y = gamma (x - mean) rstd + beta, with each row's mean and rstd = 1 / sqrt(variance + epsilon), the variance divided
// by C and summed as squared deviations from the mean. Null outputs are not computed.
struct LayerNormForward {
    const void* x = nullptr;       // [R, C]
    const float* gamma = nullptr;  // [C]
    const float* beta = nullptr;   // [C]
    void* y = nullptr;             // [R, C]; may be x itself
    float* mean = nullptr;         // [R]
    float* rstd = nullptr;         // [R]
};

// With x' = (x - mean) rstd, g = gamma dy and E the mean over a row:
//   dx = rstd (g - E[g] - x' E[g x']),  dgamma = Sum dy x',  dbeta = Sum dy over all rows
struct LayerNormBackward {
    const void* dy = nullptr;      // [R, C]
    const void* x = nullptr;       // [R, C]
    const float* gamma = nullptr;  // [C]
    const float* mean = nullptr;   // [R], of layer_norm()
    const float* rstd = nullptr;   // [R], of layer_norm()
    void* dx = nullptr;            // [R, C]; may be dy or x itself
    float* dgamma = nullptr;       // [C]; both or neither of the two
    float* dbeta = nullptr;        // [C]
};

// Device memory that layer_norm_gradient() needs besides the operands, in bytes; layer_norm() needs none.
std::size_t workspace_bytes(const LayerNorm& norm);

// Enqueue on `stream`; nothing is launched where there is nothing to write. Workspace: device memory, 16-byte aligned,
// which nobody else may use at the same time. Throw UsageError where the sizes make no sense, an input is null, a
// pointer is not aligned (to 16 bytes where C is a multiple of 16 bytes), or the workspace is too small.
void layer_norm(const LayerNorm& norm, const LayerNormForward& operands, dev::Stream& stream);
void layer_norm_gradient(const LayerNorm& norm, const LayerNormBackward& operands, std::span<std::byte> workspace,
                         dev::Stream& stream);

}  // namespace cambium::norm
