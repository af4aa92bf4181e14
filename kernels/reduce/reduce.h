// Sums: over any one run of axes, of products per channel, and the Euclidean norm of many tensors together. The host's
// side. Results and all that is added are f32, in an order that the shape alone decides: same operands, same bits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "engine/base/dtype.h"
#include "kernels/gpu/launch.h"

namespace cambium::reduce {

enum class Variant : std::uint8_t {
    plain,  // a thread per result, adding one element after the other; a block per tensor for the norm
    tuned,  // 16-byte accesses; long sums cut into parts
};

// y[o, i] = Sum_r x[o, r, i] for x [outer, reduced, inner]. Axes that are neighbours and summed, or neighbours and
// kept, are one; sums over axes that are not neighbours are taken one after the other, the last one first.
struct Sum {
    std::int64_t outer = 1, reduced = 1, inner = 1;
    DType dtype = DType::f32;  // of x: f32 or bf16
    Variant variant = Variant::tuned;
};

// y[c] = Sum_r a[r, c] b[r, c] for a and b [rows, channels].
struct Dot {
    std::int64_t rows = 0, channels = 0;
    DType dtype = DType::f32;  // of a and b: f32 or bf16
    Variant variant = Variant::tuned;
};

// A tensor whose elements belong to a norm.
struct NormPart {
    const float* data = nullptr;  // aligned to 16 bytes
    std::int64_t elements = 0;
};

// Device memory that the calls below need besides the operands, in bytes.
std::size_t workspace_bytes(const Sum& sum);
std::size_t workspace_bytes(const Dot& dot);
std::size_t workspace_bytes(std::span<const NormPart> parts);  // only the numbers of elements are read

// All enqueue on `stream`. Workspace: device memory, 16-byte aligned; its content does not matter before or after, but
// nobody else may use it at the same time. Nothing is launched where there are no results; a sum of nothing is 0. They
// throw UsageError where sizes are negative, a pointer is null or misaligned, or the workspace is too small.
void sum(const Sum& sum, const void* x, float* y, std::span<std::byte> workspace, dev::Stream& stream);
void dot(const Dot& dot, const void* a, const void* b, float* y, std::span<std::byte> workspace, dev::Stream& stream);
// y[0] = sqrt of the sum of the squares of all elements. Squares beyond 3e38 make it infinite.
void global_norm(std::span<const NormPart> parts, Variant variant, float* y, std::span<std::byte> workspace,
                 dev::Stream& stream);

}  // namespace cambium::reduce
