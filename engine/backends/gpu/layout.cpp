// Each operator of engine/ops/layout.h, and Broadcast of reduce.h, as a strided copy or a padding.
#include "kernels/layout/layout.h"

#include <algorithm>

#include "engine/backends/gpu/prepare.h"

namespace cambium::gpu {
namespace {

using layout::Axes;

Axes extents_of(const Shape& shape) {
    Axes extents{};
    std::ranges::copy(shape.extents(), extents.begin());
    return extents;
}

Axes strides_of(const Shape& shape) { return layout::dense_strides(shape.rank(), extents_of(shape)); }

// The copy that writes `y` in order; where its elements come from is left open.
layout::Copy copy_to(const TensorSpec& y, const Context& context) {
    return {.rank = y.shape.rank(),
            .extent = extents_of(y.shape),
            .y_stride = strides_of(y.shape),
            .element_bytes = static_cast<int>(size_of(y.dtype)),
            .variant = variant_of<layout::Variant>(context)};
}

Prepared make_copy(const layout::Copy& copy, const Context& context) {
    return make_step(
        [copy, &stream = context.stream](const Operands& o) { layout::run(copy, o.inputs[0], o.outputs[0], stream); });
}

}  // namespace

// A launch for each part.
Prepared prepare(const ops::Concat& op, const NodeSpec& node, const Context& context) {
    const TensorSpec& y = node.outputs[0].tensor;
    const auto axis = static_cast<std::size_t>(op.axis < 0 ? op.axis + y.shape.rank() : op.axis);
    std::vector<layout::Copy> parts;
    std::int64_t start = 0;
    for (const OperandSpec& input : node.inputs) {
        layout::Copy part = copy_to(y, context);
        part.extent = extents_of(input.tensor.shape);
        part.x_stride = strides_of(input.tensor.shape);
        part.y_offset = start * part.y_stride[axis];
        start += part.extent[axis];
        parts.push_back(part);
    }
    return make_step([parts, &stream = context.stream](const Operands& o) {
        for (std::size_t i = 0; i < parts.size(); ++i) layout::run(parts[i], o.inputs[i], o.outputs[0], stream);
    });
}

Prepared prepare(const ops::Slice& op, const NodeSpec& node, const Context& context) {
    layout::Copy copy = copy_to(node.outputs[0].tensor, context);
    const Axes strides = strides_of(node.inputs[0].tensor.shape);
    for (std::size_t axis = 0; axis < op.begin.size(); ++axis) {
        copy.x_stride[axis] = strides[axis] * op.step[axis];
        copy.x_offset += strides[axis] * op.begin[axis];
    }
    return make_copy(copy, context);
}

Prepared prepare(const ops::Pad& op, const NodeSpec& node, const Context& context) {
    const TensorSpec& x = node.inputs[0].tensor;
    layout::Pad pad{.rank = x.shape.rank(),
                    .extent = extents_of(x.shape),
                    .element_bytes = static_cast<int>(size_of(x.dtype)),
                    .variant = variant_of<layout::Variant>(context)};
    std::ranges::copy(op.before, pad.before.begin());
    std::ranges::copy(op.after, pad.after.begin());
    std::ranges::copy(op.step, pad.step.begin());
    return make_step(
        [pad, &stream = context.stream](const Operands& o) { layout::run(pad, o.inputs[0], o.outputs[0], stream); });
}

Prepared prepare(const ops::Reshape&, const NodeSpec& node, const Context& context) {
    const std::size_t bytes = node.outputs[0].tensor.bytes();
    Prepared step = make_step([bytes, &stream = context.stream](const Operands& o) {
        if (o.inputs[0] != o.outputs[0] && bytes > 0) dev::copy_on_device(o.outputs[0], o.inputs[0], bytes, stream);
    });
    step->aliases.push_back({});
    return step;
}

Prepared prepare(const ops::Transposition& op, const NodeSpec& node, const Context& context) {
    layout::Copy copy = copy_to(node.outputs[0].tensor, context);
    const Axes strides = strides_of(node.inputs[0].tensor.shape);
    for (std::size_t axis = 0; axis < op.permutation.size(); ++axis) {
        copy.x_stride[axis] = strides[static_cast<std::size_t>(op.permutation[axis])];
    }
    return make_copy(copy, context);
}

Prepared prepare(const ops::Broadcast& op, const NodeSpec& node, const Context& context) {
    layout::Copy copy = copy_to(node.outputs[0].tensor, context);
    const Axes strides = strides_of(node.inputs[0].tensor.shape);
    std::size_t from = 0;
    for (int axis = 0; axis < copy.rank; ++axis) {
        const bool repeated = std::ranges::find(op.axes, axis) != op.axes.end();
        copy.x_stride[static_cast<std::size_t>(axis)] = repeated ? 0 : strides[from++];
    }
    return make_copy(copy, context);
}

}  // namespace cambium::gpu
