// The lookup's launches: what a descriptor must satisfy, and the width of accesses.
#include "kernels/embedding/embedding.h"

#include "kernels/check.h"
#include "kernels/embedding/kernels.cuh"
#include "kernels/grid.h"

namespace cambium::embedding {
namespace {

std::string name_of(const Embedding& e) {
    return "an embedding of " + std::to_string(e.lookups) + " rows out of [" + std::to_string(e.rows) + ", " +
           std::to_string(e.columns) + "]";
}

void check(const Embedding& e) {
    require(e.rows >= 0 && e.columns >= 0 && e.lookups >= 0, name_of(e), "sizes are at least 0");
    require_activation_type(e.dtype, name_of(e));
}

void check_pointer(const Embedding& e, const void* pointer, std::size_t alignment) {
    require(pointer != nullptr && is_aligned(pointer, alignment), name_of(e),
            "an operand is null or not aligned to its elements");
}

template <class T>
bool is_wide(const Embedding& e, const void* a, const void* b) {
    return e.variant == Variant::tuned && e.columns % dev::kWide<T> == 0 && is_aligned(a, 16) && is_aligned(b, 16);
}

template <class T>
void forward(const Embedding& e, const float* table, const std::int32_t* index, T* y, dev::Stream& stream) {
    const bool wide = is_wide<T>(e, table, y);
    const Grid grid = grid_for(e.lookups * e.columns / (wide ? dev::kWide<T> : 1));
    dev::launch(wide ? embedding_rows<T, dev::kWide<T>> : embedding_rows<T, 1>, dim3(grid.blocks), dim3(grid.threads),
                0, stream, dev::reads(table, "table", {e.rows, e.columns}), dev::reads(index, "index", {e.lookups}),
                dev::writes(y, "y", {e.lookups, e.columns}), e.rows, e.columns, e.lookups);
}

template <class T>
void backward(const Embedding& e, const T* dy, const std::int32_t* index, float* dtable, dev::Stream& stream) {
    const auto launch = [&](auto* kernel, std::int64_t blocks, unsigned threads) {
        require(blocks <= 0x7fffffff, name_of(e), "its gradient takes more blocks than one launch has");
        dev::launch(kernel, dim3(static_cast<unsigned>(blocks)), dim3(threads), 0, stream,
                    dev::reads(dy, "dy", {e.lookups, e.columns}), dev::reads(index, "index", {e.lookups}),
                    dev::writes(dtable, "dtable", {e.rows, e.columns}), e.rows, e.columns, e.lookups);
    };
    if (e.variant == Variant::plain) {
        const Grid grid = grid_for(e.rows * e.columns);
        return launch(embedding_gradient_plain<T>, grid.blocks, grid.threads);
    }
    const bool wide = is_wide<T>(e, dy, dtable);
    const std::int64_t strips = ceil_div(e.columns, 32 * (wide ? dev::kWide<T> : 1));
    launch(wide ? embedding_gradient_rows<T, dev::kWide<T>> : embedding_gradient_rows<T, 1>,
           ceil_div(e.rows * strips, kWarps), kThreads);
}

}  // namespace

void forward(const Embedding& e, const float* table, const std::int32_t* index, void* y, dev::Stream& stream) {
    check(e);
    if (e.lookups * e.columns == 0) return;
    if (e.rows > 0) check_pointer(e, table, sizeof(float));
    check_pointer(e, index, sizeof(std::int32_t));
    check_pointer(e, y, size_of(e.dtype));
    if (e.dtype == DType::bf16) return forward(e, table, index, static_cast<bf16*>(y), stream);
    forward(e, table, index, static_cast<float*>(y), stream);
}

void backward(const Embedding& e, const void* dy, const std::int32_t* index, float* dtable, dev::Stream& stream) {
    check(e);
    if (e.rows * e.columns == 0) return;
    check_pointer(e, dtable, sizeof(float));
    if (e.lookups > 0) {
        check_pointer(e, dy, size_of(e.dtype));
        check_pointer(e, index, sizeof(std::int32_t));
    }
    if (e.dtype == DType::bf16) return backward(e, static_cast<const bf16*>(dy), index, dtable, stream);
    backward(e, static_cast<const float*>(dy), index, dtable, stream);
}

}  // namespace cambium::embedding
