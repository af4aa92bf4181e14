// Rows of a table, looked up by index. The gradient gathers: each row of the table collects what named it.
#include <algorithm>

#include "engine/backends/cpu/prepare.h"
#include "engine/backends/cpu/tiled.h"

namespace cambium::cpu {
namespace {

using i64 = std::int64_t;

// How many rows of `width` elements make a thread worth waking.
i64 grain(i64 width) { return std::max<i64>(1, 16384 / std::max<i64>(1, width)); }

// The places of `index` sorted by the row they name, places of one row in ascending order: those of row v are
// places[first[v]] .. places[first[v + 1] - 1].
void sort_by_row(const std::int32_t* index, i64 count, i64 rows, i64* first, i64* places) {
    const auto outside = [&](i64 i) { return index[i] < 0 || index[i] >= rows; };
    std::fill_n(first, rows + 1, 0);
    for (i64 i = 0; i < count; ++i) {
        if (!outside(i)) ++first[index[i] + 1];
    }
    for (i64 v = 0; v < rows; ++v) first[v + 1] += first[v];
    for (i64 i = 0; i < count; ++i) {  // first[v] counts up to where row v + 1 begins
        if (!outside(i)) places[first[index[i]]++] = i;
    }
    std::copy_backward(first, first + rows, first + rows + 1);
    first[0] = 0;
}

}  // namespace

Prepared prepare(const ops::Embedding&, const NodeSpec& node) {
    const i64 rows = node.inputs[0].tensor.shape[0], width = node.inputs[0].tensor.shape[1];
    const i64 count = node.inputs[1].tensor.shape.count();
    const bool low = node.outputs[0].tensor.dtype == DType::bf16;
    return make_step(node, [=](const Operands& o) {
        parallel_for(count, grain(width), [&](i64 begin, i64 end) {
            const std::vector<float> zeros(static_cast<std::size_t>(width));
            for (i64 i = begin; i < end; ++i) {
                const i64 row = o.in<std::int32_t>(1)[i];
                const float* from = row >= 0 && row < rows ? o.in<float>(0) + row * width : zeros.data();
                if (low) {
                    kernels().elementwise.narrow(from, o.out<bf16>(0) + i * width, width);
                } else {
                    std::copy_n(from, width, o.out<float>(0) + i * width);
                }
            }
        });
    });
}

Prepared prepare(const ops::EmbeddingGradient& op, const NodeSpec& node) {
    const i64 rows = op.rows, width = node.outputs[0].tensor.shape[1], count = node.inputs[1].tensor.shape.count();
    const DType dtype = node.inputs[0].tensor.dtype;
    const std::size_t first_bytes = aligned(static_cast<std::size_t>(rows + 1) * sizeof(i64));
    auto step = make_step(node, [=](const Operands& o) {
        i64 *first = o.scratch<i64>(), *places = o.scratch<i64>(first_bytes);
        sort_by_row(o.in<std::int32_t>(1), count, rows, first, places);
        parallel_for(rows, grain(width), [&](i64 begin, i64 end) {
            std::vector<double> sums(static_cast<std::size_t>(width));
            std::vector<float> buffer(static_cast<std::size_t>(width));
            for (i64 row = begin; row < end; ++row) {
                std::ranges::fill(sums, 0.0);
                for (i64 at = first[row]; at < first[row + 1]; ++at) {
                    const float* dy = widened(o.inputs[0], dtype, places[at] * width, width, buffer.data());
                    kernels().channel.sum(dy, sums.data(), 1, width);
                }
                std::ranges::transform(sums, o.out<float>(0) + row * width,
                                       [](double sum) { return static_cast<float>(sum); });
            }
        });
    });
    step->workspace_bytes = first_bytes + static_cast<std::size_t>(count) * sizeof(i64);
    return step;
}

}  // namespace cambium::cpu
