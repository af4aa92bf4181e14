#include "kernels/conv/conv.h"

#include "engine/backends/gpu/epilogue.h"
#include "engine/backends/gpu/prepare.h"

namespace cambium::gpu {
namespace {

conv::Sizes sizes_of(const ops::Conv2d& op, const Shape& image, const Shape& filter) {
    return {.n = image[0],
            .h = image[1],
            .w = image[2],
            .c = image[3],
            .k = filter[0],
            .r = filter[1],
            .s = filter[2],
            .stride = {op.stride[0], op.stride[1]},
            .padding = {op.padding[0], op.padding[1]},
            .dilation = {op.dilation[0], op.dilation[1]},
            .groups = op.groups};
}

Prepared prepare(conv::Direction direction, const conv::Sizes& sizes, const NodeSpec& node, const Context& context) {
    conv::Conv conv{.direction = direction,
                    .sizes = sizes,
                    .math = math_of(node.inputs[0].tensor.dtype, context.options),
                    .output = output_of(node.outputs[0].tensor.dtype)};
    if (const auto& forced = context.options.plan) {
        constexpr conv::Tile tiles[] = {conv::Tile::small, conv::Tile::large, conv::Tile::oblong};
        conv.plan = conv::Plan{.tile = tiles[forced->tile], .splits = forced->splits};
    }
    if (context.options.variant == Variant::plain) conv.plan = conv::Plan{.variant = conv::Variant::plain};
    const FusedEpilogue epilogue = *fused_epilogue(node.epilogue);
    dev::Stream& stream = context.stream;
    return make_step(
        [=, &stream](const Operands& operands) {
            conv::Conv call = conv;
            call.epilogue = epilogue.bound(operands);
            conv::run(call, operands.inputs[0], operands.inputs[1], operands.outputs[0], operands.workspace, stream);
        },
        conv::workspace_bytes(conv));
}

}  // namespace

Prepared prepare(const ops::Conv2d& op, const NodeSpec& node, const Context& context) {
    const conv::Sizes sizes = sizes_of(op, node.inputs[0].tensor.shape, node.inputs[1].tensor.shape);
    return prepare(conv::Direction::fprop, sizes, node, context);
}

Prepared prepare(const ops::Conv2dInputGradient& op, const NodeSpec& node, const Context& context) {
    const conv::Sizes sizes = sizes_of(op.conv, op.input, node.inputs[1].tensor.shape);
    return prepare(conv::Direction::dgrad, sizes, node, context);
}

Prepared prepare(const ops::Conv2dFilterGradient& op, const NodeSpec& node, const Context& context) {
    const conv::Sizes sizes = sizes_of(op.conv, node.inputs[0].tensor.shape, op.filter);
    return prepare(conv::Direction::wgrad, sizes, node, context);
}

}  // namespace cambium::gpu
