#include "kernels/reduce/reduce.h"

#include <algorithm>

#include "engine/backends/gpu/prepare.h"

namespace cambium::gpu {
namespace {

std::size_t aligned(std::size_t bytes) { return (bytes + 255) / 256 * 256; }

std::int64_t results_of(const reduce::Sum& sum) { return sum.outer * sum.inner; }

// A sum over any axes as sums over one run of neighbouring axes each, the last run first, so that it shrinks what
// comes before it by most. All but the first read f32.
std::vector<reduce::Sum> sums_over(const Shape& shape, const std::vector<int>& axes, DType dtype,
                                   const Context& context) {
    const auto is_summed = [&](int axis) { return std::ranges::find(axes, axis) != axes.end(); };
    const auto variant = variant_of<reduce::Variant>(context);
    std::vector<reduce::Sum> sums;
    std::int64_t inner = 1;
    int axis = shape.rank() - 1;
    while (axis >= 0) {
        std::int64_t reduced = 1;
        for (; axis >= 0 && !is_summed(axis); --axis) inner *= shape[axis];
        if (axis < 0 && !sums.empty()) break;
        for (; axis >= 0 && is_summed(axis); --axis) reduced *= shape[axis];
        std::int64_t outer = 1;
        for (int before = 0; before <= axis; ++before) outer *= shape[before];
        sums.push_back({outer, reduced, inner, sums.empty() ? dtype : DType::f32, variant});
    }
    if (sums.empty()) sums.push_back({.dtype = dtype, .variant = variant});  // a scalar is its own sum
    return sums;
}

}  // namespace

// Results of all sums but the last one lie in the workspace, one behind the other, and behind them what a sum needs.
Prepared prepare(const ops::ReduceSum& op, const NodeSpec& node, const Context& context) {
    const TensorSpec& x = node.inputs[0].tensor;
    const std::vector<reduce::Sum> sums = sums_over(x.shape, op.axes, x.dtype, context);
    std::size_t between = 0, needed = 0;
    for (const reduce::Sum& sum : sums) {
        needed = std::max(needed, reduce::workspace_bytes(sum));
        if (&sum != &sums.back()) between += aligned(static_cast<std::size_t>(results_of(sum)) * sizeof(float));
    }
    dev::Stream& stream = context.stream;
    return make_step(
        [=, &stream](const Operands& o) {
            const void* from = o.inputs[0];
            std::byte* place = o.workspace.data();
            for (const reduce::Sum& sum : sums) {
                const bool last = &sum == &sums.back();
                float* to = last ? o.out<float>(0) : reinterpret_cast<float*>(place);
                reduce::sum(sum, from, to, o.workspace.subspan(between), stream);
                place += aligned(static_cast<std::size_t>(results_of(sum)) * sizeof(float));
                from = to;
            }
        },
        between + needed);
}

Prepared prepare(const ops::ChannelDot&, const NodeSpec& node, const Context& context) {
    const TensorSpec& a = node.inputs[0].tensor;
    const std::int64_t channels = a.shape[-1];
    const reduce::Dot dot{.rows = channels == 0 ? 0 : a.shape.count() / channels,
                          .channels = channels,
                          .dtype = a.dtype,
                          .variant = variant_of<reduce::Variant>(context)};
    dev::Stream& stream = context.stream;
    return make_step(
        [=, &stream](const Operands& o) {
            reduce::dot(dot, o.inputs[0], o.inputs[1], o.out<float>(0), o.workspace, stream);
        },
        reduce::workspace_bytes(dot));
}

Prepared prepare(const ops::GlobalNorm&, const NodeSpec& node, const Context& context) {
    std::vector<reduce::NormPart> parts;
    for (const OperandSpec& input : node.inputs) parts.push_back({nullptr, input.tensor.shape.count()});
    dev::Stream& stream = context.stream;
    const std::size_t bytes = reduce::workspace_bytes(parts);
    return make_step(
        [parts = std::move(parts), &stream, variant = variant_of<reduce::Variant>(context)](const Operands& o) {
            std::vector<reduce::NormPart> bound = parts;
            for (std::size_t i = 0; i < bound.size(); ++i) bound[i].data = o.in<float>(i);
            reduce::global_norm(bound, variant, o.out<float>(0), o.workspace, stream);
        },
        bytes);
}

}  // namespace cambium::gpu
