// Batch norm (Ioffe & Szegedy 2015) over a matrix [M, C], an NHWC image with M = N H W: the host's side. Training mode;
// evaluation and frozen mode multiply and add constants of each channel, which batch_norm_scale() and
// batch_norm_shift() make. All sums are taken in an order that the shape alone decides: same operands, same bits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "engine/base/dtype.h"
#include "kernels/gpu/launch.h"

namespace cambium::norm {

enum class Activation : std::uint8_t { none, relu };  // relu: NaN stays NaN
enum class Variant : std::uint8_t {
    plain,  // a block per channel, two passes over it for the moments; a thread per element: to be judged against
    tuned,  // strips of channels, 16-byte accesses, one pass for the moments
};

struct BatchNorm {
    std::int64_t rows = 0, channels = 0;  // M, C
    DType dtype = DType::f32;             // of x, y, the residual and their gradients: f32 or bf16
    float epsilon = 1e-5f;
    Activation activation = Activation::none;
    Variant variant = Variant::tuned;
};

// y = activation(gamma (x - mean) / sqrt(variance + epsilon) + beta + residual); mean and variance are those of each
// channel's M values, the variance divided by M. Null outputs are not computed. The variance is summed as squared
// deviations throughout, so that a mean far from zero costs it nothing.
struct Forward {
    const void* x = nullptr;         // [M, C]
    const float* gamma = nullptr;    // [C]
    const float* beta = nullptr;     // [C]
    const void* residual = nullptr;  // [M, C] or null; may be y itself
    void* y = nullptr;               // [M, C]
    float* mean = nullptr;           // [C]
    float* variance = nullptr;       // [C]
};

// The second half of it, of moments that are given.
struct Apply {
    const void* x = nullptr;          // [M, C]
    const float* gamma = nullptr;     // [C]
    const float* beta = nullptr;      // [C]
    const float* mean = nullptr;      // [C]
    const float* variance = nullptr;  // [C]
    const void* residual = nullptr;   // [M, C] or null; may be y itself
    void* y = nullptr;                // [M, C]
};

// The mean and the variance of each channel from those of cells of `cell_rows` successive rows, which the kernel that
// made x has left (gemm::Epilogue::moments).
struct CellMoments {
    std::int64_t rows = 0, channels = 0, cell_rows = 0;  // M, C
    const float* cells = nullptr;  // [ceil(M / cell_rows), 3, C]: a value, the mean minus that, squared deviations
    float* mean = nullptr;         // [C]
    float* variance = nullptr;     // [C]
};

// With x' = (x - mean) / sqrt(variance + epsilon) and E the mean over a channel's values (section 3 of the paper):
//   dgamma = Sum dy x',  dbeta = Sum dy,  dx = gamma / sqrt(variance + epsilon) (dy - E[dy] - x' E[dy x'])
// Where forward() had a relu, whose result `relu` is, the same with ds in dy's place: dy where relu > 0, else 0.
struct Backward {
    const void* dy = nullptr;         // [M, C]
    const void* x = nullptr;          // [M, C]
    const float* gamma = nullptr;     // [C]
    const float* mean = nullptr;      // [C], of forward()
    const float* variance = nullptr;  // [C], of forward()
    const void* relu = nullptr;       // [M, C], or null where there was no relu
    void* dx = nullptr;               // [M, C]; may be dy or x itself
    float* dgamma = nullptr;          // [C]
    float* dbeta = nullptr;           // [C]
    void* ds = nullptr;               // [M, C], only with relu: the residual's gradient; may be dy itself
};

// Device memory that forward() and backward(), or merge_moments(), need besides the operands, in bytes.
std::size_t workspace_bytes(const BatchNorm& norm);
std::size_t workspace_bytes(const CellMoments& moments);  // of merge_moments()

// Enqueue on `stream`. Workspace: device memory, 16-byte aligned; its content does not matter before or after, but
// nobody else may use it at the same time. Nothing is launched where C is 0. Throw UsageError where the sizes make no
// sense (M must be at least 1), an input is null or not aligned to its elements, or the workspace is too small.
void forward(const BatchNorm& norm, const Forward& operands, std::span<std::byte> workspace, dev::Stream& stream);
void apply(const BatchNorm& norm, const Apply& operands, dev::Stream& stream);
void merge_moments(const CellMoments& moments, std::span<std::byte> workspace, dev::Stream& stream);
void backward(const BatchNorm& norm, const Backward& operands, std::span<std::byte> workspace, dev::Stream& stream);

// What follows acts on parameters, once for each time they change: one variant, as there is nothing to gain.
// scale[c] = gamma[c] / sqrt(variance[c] + epsilon); all [C].
void batch_norm_scale(std::int64_t channels, float epsilon, const float* gamma, const float* variance, float* scale,
                      dev::Stream& stream);
// shift[c] = beta[c] - mean[c] scale[c]; all [C].
void batch_norm_shift(std::int64_t channels, const float* beta, const float* mean, const float* scale, float* shift,
                      dev::Stream& stream);
// scaled[k, i] = w[k, i] scale[k]; w and scaled [K, elements], scale [K].
void scale_filter(std::int64_t filters, std::int64_t elements, const float* w, const float* scale, float* scaled,
                  dev::Stream& stream);

}  // namespace cambium::norm
