#include "kernels/elementwise/elementwise.h"

#include "engine/backends/gpu/prepare.h"
#include "engine/backends/rules.h"
#include "engine/base/philox.h"

namespace cambium::gpu {
namespace {

elementwise::Elements elements_of(const NodeSpec& node, const Context& context) {
    const TensorSpec& y = node.outputs[0].tensor;
    return {.count = y.shape.count(), .dtype = y.dtype, .variant = variant_of<elementwise::Variant>(context)};
}

// A step whose output may lie where any of its first `inputs` does.
Prepared in_place(int inputs, Run run) {
    Prepared step = make_step(std::move(run));
    for (int i = 0; i < inputs; ++i) step->aliases.push_back({.output = 0, .input = i});
    return step;
}

Prepared unary(elementwise::Unary function, const NodeSpec& node, const Context& context) {
    return in_place(1, [=, e = elements_of(node, context), &stream = context.stream](const Operands& o) {
        elementwise::unary(function, e, o.inputs[0], o.outputs[0], stream);
    });
}

Prepared binary(elementwise::Binary function, const NodeSpec& node, const Context& context) {
    return in_place(2, [=, e = elements_of(node, context), &stream = context.stream](const Operands& o) {
        elementwise::binary(function, e, o.inputs[0], o.inputs[1], o.outputs[0], stream);
    });
}

}  // namespace

Prepared prepare(const ops::Convert& op, const NodeSpec& node, const Context& context) {
    const TensorSpec& x = node.inputs[0].tensor;
    const elementwise::Conversion conversion{.count = x.shape.count(),
                                             .from = x.dtype,
                                             .to = op.dtype,
                                             .variant = variant_of<elementwise::Variant>(context)};
    return in_place(x.dtype == op.dtype ? 1 : 0, [=, &stream = context.stream](const Operands& o) {
        elementwise::convert(conversion, o.inputs[0], o.outputs[0], stream);
    });
}

Prepared prepare(const ops::Normalize& op, const NodeSpec& node, const Context& context) {
    const bool rgb = op.order == ops::ChannelOrder::rgb;
    const elementwise::Normalization normalization{
        .scale = op.scale,
        .shift = op.shift,
        .order = rgb ? elementwise::ChannelOrder::rgb : elementwise::ChannelOrder::bgr};
    return make_step([=, e = elements_of(node, context), &stream = context.stream](const Operands& o) {
        elementwise::normalize(normalization, e, o.in<std::uint8_t>(0), o.outputs[0], stream);
    });
}

Prepared prepare(const ops::Add&, const NodeSpec& node, const Context& context) {
    return binary(elementwise::Binary::add, node, context);
}
Prepared prepare(const ops::Multiply&, const NodeSpec& node, const Context& context) {
    return binary(elementwise::Binary::multiply, node, context);
}
Prepared prepare(const ops::Relu&, const NodeSpec& node, const Context& context) {
    return unary(elementwise::Unary::relu, node, context);
}
Prepared prepare(const ops::ReluGradient&, const NodeSpec& node, const Context& context) {
    return binary(elementwise::Binary::relu_gradient, node, context);
}
Prepared prepare(const ops::Gelu&, const NodeSpec& node, const Context& context) {
    return unary(elementwise::Unary::gelu, node, context);
}
Prepared prepare(const ops::GeluGradient&, const NodeSpec& node, const Context& context) {
    return binary(elementwise::Binary::gelu_gradient, node, context);
}

Prepared prepare(const ops::Scale& op, const NodeSpec& node, const Context& context) {
    const auto factor = static_cast<float>(op.factor);
    return in_place(1, [=, e = elements_of(node, context), &stream = context.stream](const Operands& o) {
        elementwise::scale(e, o.inputs[0], factor, o.outputs[0], stream);
    });
}

Prepared prepare(const ops::Lerp&, const NodeSpec& node, const Context& context) {
    return in_place(2, [e = elements_of(node, context), &stream = context.stream](const Operands& o) {
        elementwise::lerp(e, o.inputs[0], o.inputs[1], o.in<float>(2), o.outputs[0], stream);
    });
}

Prepared prepare(const ops::AddBias&, const NodeSpec& node, const Context& context) {
    const std::int64_t channels = node.outputs[0].tensor.shape[-1];
    return in_place(1, [=, e = elements_of(node, context), &stream = context.stream](const Operands& o) {
        elementwise::add_bias(e, channels, o.inputs[0], o.in<float>(1), o.outputs[0], stream);
    });
}

Prepared prepare(const ops::ScaleShift&, const NodeSpec& node, const Context& context) {
    const std::int64_t channels = node.outputs[0].tensor.shape[-1];
    const bool shifted = operator_inputs(node) > 2;
    return in_place(1, [=, e = elements_of(node, context), &stream = context.stream](const Operands& o) {
        elementwise::scale_shift(e, channels, o.inputs[0], o.in<float>(1), shifted ? o.in<float>(2) : nullptr,
                                 o.outputs[0], stream);
    });
}

Prepared prepare(const ops::Dropout& op, const NodeSpec& node, const Context& context) {
    const elementwise::Dropout draw{
        .rate = op.rate, .seed = op.seed, .stream = hash_name(op.layer.data(), op.layer.size())};
    return in_place(1, [=, e = elements_of(node, context), &stream = context.stream](const Operands& o) {
        elementwise::dropout(draw, e, o.inputs[0], o.in<std::int32_t>(1), o.outputs[0], stream);
    });
}

Prepared prepare(const ops::Guard&, const NodeSpec& node, const Context& context) {
    const auto bytes = static_cast<std::int64_t>(node.outputs[0].tensor.bytes());
    return in_place(2, [=, &stream = context.stream](const Operands& o) {
        elementwise::guard(bytes, o.inputs[0], o.inputs[1], o.in<float>(2), o.outputs[0], stream);
    });
}

Prepared prepare(const ops::Increment&, const NodeSpec&, const Context& context) {
    return in_place(1, [&stream = context.stream](const Operands& o) {
        elementwise::increment(o.in<std::int32_t>(0), o.out<std::int32_t>(0), stream);
    });
}

}  // namespace cambium::gpu
