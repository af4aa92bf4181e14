#include "engine/ops/conv.h"

#include "engine/ops/rules.h"

namespace cambium::ops {
namespace {

std::int64_t output_extent(const Conv2d& op, const Shape& x, const Shape& w, int axis) {
    const auto i = static_cast<std::size_t>(axis);
    const std::int64_t reach = op.dilation[i] * (w[1 + axis] - 1) + 1;
    const std::int64_t padded = x[1 + axis] + 2 * op.padding[i];
    require(padded >= reach, "the filter reaches over {} positions, but the padded image has {}", reach, padded);
    return (padded - reach) / op.stride[i] + 1;
}

Shape output_shape(const Conv2d& op, const Shape& x, const Shape& w) {
    require(op.groups >= 1 && op.stride[0] >= 1 && op.stride[1] >= 1 && op.dilation[0] >= 1 && op.dilation[1] >= 1 &&
                op.padding[0] >= 0 && op.padding[1] >= 0,
            "stride, dilation and groups must be at least 1 and padding at least 0");
    require(x.rank() == 4 && w.rank() == 4, "image and filter must have 4 axes, not {} and {}", to_string(x),
            to_string(w));
    require(w[3] * op.groups == x[3], "the image has {} channels, the filter reads {} x {} groups", x[3], w[3],
            op.groups);
    require(w[0] % op.groups == 0, "{} output channels do not divide into {} groups", w[0], op.groups);
    require(w[1] > 0 && w[2] > 0, "the filter has no positions");
    return {x[0], output_extent(op, x, w, 0), output_extent(op, x, w, 1), w[0]};
}

double multiply_adds(const Shape& y, const Shape& w) {
    return 2.0 * static_cast<double>(y.count()) * static_cast<double>(w[1] * w[2] * w[3]);
}

}  // namespace

std::vector<TensorSpec> infer(const Conv2d& op, Specs inputs) {
    require_inputs(inputs, 2, 2);
    require_real(inputs[0], "the image");
    require_real(inputs[1], "the filter");
    return {{output_shape(op, inputs[0].shape, inputs[1].shape), inputs[0].dtype}};
}

void differentiate(const Conv2d& op, Backward& b) {
    const Value x = b.input(0), w = b.input(1), dy = b.gradient();
    if (b.wanted(0)) b.set(0, b.graph().append1(Conv2dInputGradient{op, x.shape()}, {dy, w}));
    if (b.wanted(1)) b.set(1, b.graph().append1(Conv2dFilterGradient{op, w.shape()}, {x, dy}));
}

double cost(const Conv2d&, Specs inputs, Specs outputs) { return multiply_adds(outputs[0].shape, inputs[1].shape); }

std::string attributes(const Conv2d& op) {
    return fmt::format("stride={} padding={} dilation={} groups={}", pair(op.stride), pair(op.padding),
                       pair(op.dilation), op.groups);
}

std::vector<TensorSpec> infer(const Conv2dInputGradient& op, Specs inputs) {
    require_inputs(inputs, 2, 2);
    require_shape(inputs[0], output_shape(op.conv, op.input, inputs[1].shape), "the output's gradient");
    return {{op.input, inputs[0].dtype}};
}

void differentiate(const Conv2dInputGradient& op, Backward& b) {
    const Value dy = b.input(0), w = b.input(1), ddx = b.gradient();  // linear in dy and in w
    if (b.wanted(0)) b.set(0, conv2d(ddx, w, op.conv));
    if (b.wanted(1)) b.set(1, b.graph().append1(Conv2dFilterGradient{op.conv, w.shape()}, {ddx, dy}));
}

double cost(const Conv2dInputGradient&, Specs inputs, Specs) { return multiply_adds(inputs[0].shape, inputs[1].shape); }

std::string attributes(const Conv2dInputGradient& op) {
    return fmt::format("{} input={}", attributes(op.conv), to_string(op.input));
}

std::vector<TensorSpec> infer(const Conv2dFilterGradient& op, Specs inputs) {
    require_inputs(inputs, 2, 2);
    require_shape(inputs[1], output_shape(op.conv, inputs[0].shape, op.filter), "the output's gradient");
    return {{op.filter, accumulation(inputs[0].dtype)}};
}

void differentiate(const Conv2dFilterGradient& op, Backward& b) {
    const Value x = b.input(0), dy = b.input(1), ddw = b.gradient();  // linear in x and in dy
    if (b.wanted(0)) b.set(0, b.graph().append1(Conv2dInputGradient{op.conv, x.shape()}, {dy, ddw}));
    if (b.wanted(1)) b.set(1, conv2d(x, ddw, op.conv));
}

double cost(const Conv2dFilterGradient&, Specs inputs, Specs outputs) {
    return multiply_adds(inputs[1].shape, outputs[0].shape);
}

std::string attributes(const Conv2dFilterGradient& op) {
    return fmt::format("{} filter={}", attributes(op.conv), to_string(op.filter));
}

}  // namespace cambium::ops
