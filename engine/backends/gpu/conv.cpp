#include "kernels/conv/conv.h"

#include <algorithm>

#include "engine/backends/gpu/epilogue.h"
#include "engine/backends/gpu/prepare.h"
#include "kernels/norm/norm.h"

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

conv::Conv conv_of(conv::Direction direction, const conv::Sizes& sizes, const NodeSpec& node, const Options& options) {
    conv::Conv conv{.direction = direction,
                    .sizes = sizes,
                    .math = math_of(node.inputs[0].tensor.dtype, options),
                    .output = output_of(node.outputs[0].tensor.dtype)};
    if (const auto& forced = options.plan) {
        constexpr conv::Tile tiles[] = {conv::Tile::small, conv::Tile::large, conv::Tile::oblong};
        conv.plan = conv::Plan{.tile = tiles[forced->tile], .splits = forced->splits};
    }
    if (options.variant == Variant::plain) conv.plan = conv::Plan{.variant = conv::Variant::plain};
    return conv;
}

// The cells of y's moments lie at the front of the workspace; behind them what the convolution needs, and after it the
// merging.
Prepared prepare_with_moments(const conv::Conv& conv, const FusedEpilogue& epilogue, dev::Stream& stream) {
    const conv::Sizes& z = conv.sizes;
    norm::CellMoments moments{.rows = z.n * z.p() * z.q(), .channels = z.k, .cell_rows = conv::moment_rows(conv)};
    const std::int64_t numbers = (moments.rows + moments.cell_rows - 1) / moments.cell_rows * 3 * moments.channels;
    const std::size_t cells = (static_cast<std::size_t>(numbers) * sizeof(float) + 255) / 256 * 256;
    return make_step(
        [=, &stream](const Operands& o) {
            conv::Conv call = conv;
            call.epilogue = epilogue.bound(o);
            call.epilogue.moments = reinterpret_cast<float*>(o.workspace.data());
            conv::run(call, o.inputs[0], o.inputs[1], o.outputs[0], o.workspace.subspan(cells), stream);
            norm::CellMoments merged = moments;
            merged.cells = call.epilogue.moments;
            merged.mean = o.out<float>(1);
            merged.variance = o.out<float>(2);
            norm::merge_moments(merged, o.workspace.subspan(cells), stream);
        },
        cells + std::max(conv::workspace_bytes(conv), norm::workspace_bytes(moments)));
}

Prepared prepare(conv::Direction direction, const conv::Sizes& sizes, const NodeSpec& node, const Context& context) {
    const conv::Conv conv = conv_of(direction, sizes, node, context.options);
    const FusedEpilogue epilogue = *fused_epilogue(node.epilogue);
    if (epilogue.moments) return prepare_with_moments(conv, epilogue, context.stream);
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

std::optional<std::string> missing_moments(const NodeSpec& node, const Options& options) {
    const auto* op = std::get_if<ops::Conv2d>(&node.op);
    if (op == nullptr || !takes_moments(node.epilogue)) return std::nullopt;
    const conv::Sizes sizes = sizes_of(*op, node.inputs[0].tensor.shape, node.inputs[1].tensor.shape);
    if (conv::moment_rows(conv_of(conv::Direction::fprop, sizes, node, options)) > 0) return std::nullopt;
    return "no moments of a convolution by plain kernels or without terms";
}

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
