// Matrix products with an epilogue, D = last(activation(scale op(A) op(B) + bias) + residual), all row-major, one or a
// batch of them in a launch: the host's side. One descriptor says what is wanted, choose_plan() how the tuned kernel
// does it, run() launches. Every sum is taken in an order that the descriptor alone decides, so the same call gives the
// same bits on every run.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "kernels/gpu/launch.h"

namespace cambium::gemm {

enum class Transpose : std::uint8_t { no, yes };

// What is multiplied, and how; sums are f32 throughout.
enum class Math : std::uint8_t {
    bf16,  // A and B bf16: products exact, on tensor cores
    tf32,  // A and B f32, rounded to tf32 (10 bits of mantissa, ties away from zero) on the way into tensor cores
    f32,   // A and B f32, f32 products on the ordinary cores
};
enum class Output : std::uint8_t { f32, bf16 };  // bf16 only of bf16 operands; rounds once, to nearest even
enum class Activation : std::uint8_t {
    none,
    relu,  // NaN stays NaN
    gelu,  // x/2 (1 + erf(x / sqrt 2)), exact (Hendrycks & Gimpel 2016, equation 1)
};
enum class Variant : std::uint8_t {
    plain,  // 16 x 16 tiles in shared memory, one product at a time: what the tuned one is judged against
    tuned,  // cp.async pipeline, swizzled shared memory, tensor cores, split-K
};

// How the tuned kernel cuts the work: the tile of D that a block computes, and into how many parts K is cut, whose sums
// the last block to arrive adds in the order of k.
enum class Tile : std::uint8_t { m64n64, m128n128 };
struct Plan {
    Tile tile = Tile::m64n64;
    int splits = 1;
};

struct Epilogue {
    const float* scale = nullptr;  // [N], multiplies every row
    const float* bias = nullptr;   // [N], added to every row
    Activation activation = Activation::none;
    const void* residual = nullptr;    // [M, N] of the output's type, added next; may be D itself, to accumulate
    std::int64_t residual_stride = 0;  // elements from row to row; 0: N
    Activation last_activation = Activation::none;
    // Null, or where the tuned kernel leaves the moments of D's columns as stored, of every moment_rows() rows: [cells,
    // 3, N], 16-byte aligned: one of the values, what their mean is more than that, and the sum of squared deviations
    // from the mean. Not of a batch.
    float* moments = nullptr;
};

// Products that share all but where their matrices lie: elements from one matrix to the next. 0 repeats the same matrix
// in every product; D's must not overlap. Scale and bias are the same for all. So heads of attention, interleaved in
// rows [tokens, heads, size], are a batch of stride `size` with rows `heads size` apart.
struct Batch {
    std::int64_t count = 1;
    std::int64_t a = 0, b = 0, d = 0, residual = 0;
};

struct Gemm {
    std::int64_t m = 0, n = 0, k = 0;
    Transpose transpose_a = Transpose::no;  // no: A is stored [M, K]; yes: [K, M]
    Transpose transpose_b = Transpose::no;  // no: B is stored [K, N]; yes: [N, K]
    // Leading dimensions: elements from row to row as stored; 0: rows without gaps. Rows of A and B at multiples of 16
    // bytes are copied 16 bytes at a time, others 8, 4 or 2.
    std::int64_t lda = 0, ldb = 0, ldd = 0;
    Batch batch = {};
    Math math = Math::bf16;
    Output output = Output::f32;
    Epilogue epilogue = {};
    Variant variant = Variant::tuned;
    std::optional<Plan> plan = std::nullopt;  // nullopt lets choose_plan() decide; the plain kernel has none
};

// The tuned kernel's one heuristic. It looks at the descriptor only, never at the device, so that results do not change
// with the machine.
Plan choose_plan(const Gemm& gemm);

// Device memory that run() needs besides the operands, in bytes: partial sums and arrival counters of split-K, else 0.
std::size_t workspace_bytes(const Gemm& gemm);

// How many rows of D one cell of Epilogue::moments covers; D has ceil(M / moment_rows()) cells, and the last may be
// cut.
std::int64_t moment_rows(const Gemm& gemm);

// Enqueues the products on `stream`. A, B: of the type that gemm.math names; D: of gemm.output's. Workspace: device
// memory, 16-byte aligned, of at least workspace_bytes(gemm); its content does not matter before or after, but no other
// call may use it at the same time. Nothing is launched where M, N or the batch is 0; where K is 0, D is the epilogue
// of 0. Throws UsageError where the descriptor makes no sense, a pointer is null or misaligned, or the workspace too
// small.
void run(const Gemm& gemm, const void* a, const void* b, void* d, std::span<std::byte> workspace, dev::Stream& stream);

}  // namespace cambium::gemm
