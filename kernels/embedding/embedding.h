// Rows of a table, looked up by index: the host's side. The gradient gathers: each row of the table looks for its own
// number in the index, so that nothing is added by two threads and every sum has the order of the index.
#pragma once

#include <cstdint>

#include "engine/base/dtype.h"
#include "kernels/gpu/launch.h"

namespace cambium::embedding {

enum class Variant : std::uint8_t {
    plain,  // a thread per element of the result
    tuned,  // 16-byte accesses; the gradient with a warp per row of the table, which reads the index 32 at a time
};

struct Embedding {
    std::int64_t rows = 0, columns = 0;  // V, E of the table [V, E]
    std::int64_t lookups = 0;            // K, of index [K]
    DType dtype = DType::f32;            // of y and dy: f32 or bf16; the table and its gradient are f32
    Variant variant = Variant::tuned;
};

// y[k] = table[index[k]], zeros where index[k] lies outside [0, V). table f32 [V, E], index [K], y [K, E].
void forward(const Embedding& embedding, const float* table, const std::int32_t* index, void* y, dev::Stream& stream);
// dtable[v] = Sum dy[k] over k with index[k] = v, in the order of k. dy [K, E], index [K], dtable f32 [V, E].
void backward(const Embedding& embedding, const void* dy, const std::int32_t* index, float* dtable,
              dev::Stream& stream);
// Both enqueue on `stream`; nothing is launched where there is nothing to write. They throw UsageError where sizes make
// no sense, a pointer that is read or written is null or one is not aligned to its elements.

}  // namespace cambium::embedding
