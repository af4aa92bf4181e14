#include "kernels/pool/pool.h"

#include "engine/backends/gpu/prepare.h"

namespace cambium::gpu {
namespace {

pool::Images images_of(const TensorSpec& input, const TensorSpec& output, const Context& context) {
    const Shape &x = input.shape, &y = output.shape;
    return {.images = x[0],
            .channels = x[3],
            .input = {x[1], x[2]},
            .output = {y[1], y[2]},
            .dtype = input.dtype,
            .variant = variant_of<pool::Variant>(context)};
}

pool::Window window_of(const ops::Window& window) {
    return {.kernel = window.kernel, .stride = window.stride, .padding = window.padding};
}

pool::Divisor divisor_of(ops::Padding padding) {
    return padding == ops::Padding::counted ? pool::Divisor::padded : pool::Divisor::inside;
}

}  // namespace

Prepared prepare(const ops::MaxPool2d& op, const NodeSpec& node, const Context& context) {
    const pool::Images images = images_of(node.inputs[0].tensor, node.outputs[0].tensor, context);
    dev::Stream& stream = context.stream;
    return make_step([=, &stream, window = window_of(op.window)](const Operands& o) {
        pool::max_pool(images, window, o.inputs[0], o.outputs[0], o.out<std::uint8_t>(1), stream);
    });
}

Prepared prepare(const ops::MaxPool2dGradient& op, const NodeSpec& node, const Context& context) {
    const pool::Images images = images_of(node.outputs[0].tensor, node.inputs[0].tensor, context);
    dev::Stream& stream = context.stream;
    return make_step([=, &stream, window = window_of(op.window)](const Operands& o) {
        pool::max_pool_gradient(images, window, o.inputs[0], o.in<std::uint8_t>(1), o.outputs[0], stream);
    });
}

Prepared prepare(const ops::AvgPool2d& op, const NodeSpec& node, const Context& context) {
    const pool::Images images = images_of(node.inputs[0].tensor, node.outputs[0].tensor, context);
    dev::Stream& stream = context.stream;
    return make_step([=, &stream, window = window_of(op.window), divisor = divisor_of(op.padding)](const Operands& o) {
        pool::average_pool(images, window, divisor, o.inputs[0], o.outputs[0], stream);
    });
}

Prepared prepare(const ops::AvgPool2dGradient& op, const NodeSpec& node, const Context& context) {
    const pool::Images images = images_of(node.outputs[0].tensor, node.inputs[0].tensor, context);
    dev::Stream& stream = context.stream;
    return make_step([=, &stream, window = window_of(op.window), divisor = divisor_of(op.padding)](const Operands& o) {
        pool::average_pool_gradient(images, window, divisor, o.inputs[0], o.outputs[0], stream);
    });
}

Prepared prepare(const ops::AdaptiveAvgPool2d&, const NodeSpec& node, const Context& context) {
    const pool::Images images = images_of(node.inputs[0].tensor, node.outputs[0].tensor, context);
    dev::Stream& stream = context.stream;
    return make_step(
        [=, &stream](const Operands& o) { pool::adaptive_average_pool(images, o.inputs[0], o.outputs[0], stream); });
}

Prepared prepare(const ops::AdaptiveAvgPool2dGradient&, const NodeSpec& node, const Context& context) {
    const pool::Images images = images_of(node.outputs[0].tensor, node.inputs[0].tensor, context);
    dev::Stream& stream = context.stream;
    return make_step([=, &stream](const Operands& o) {
        pool::adaptive_average_pool_gradient(images, o.inputs[0], o.outputs[0], stream);
    });
}

}  // namespace cambium::gpu
