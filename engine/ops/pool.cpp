#include "engine/ops/pool.h"

#include "engine/ops/rules.h"

namespace cambium::ops {
namespace {

std::int64_t output_extent(const Window& window, std::int64_t extent, std::size_t axis) {
    const std::int64_t kernel = window.kernel[axis], stride = window.stride[axis], padding = window.padding[axis];
    require(kernel >= 1 && stride >= 1 && padding >= 0, "kernel and stride must be at least 1 and padding at least 0");
    require(2 * padding <= kernel, "padding {} is more than half the kernel {}", padding, kernel);
    require(extent + 2 * padding >= kernel, "the window of {} does not fit into {} padded by {}", kernel, extent,
            padding);
    const std::int64_t room = extent + 2 * padding - kernel;
    std::int64_t count = (window.rounding == Rounding::ceil ? room + stride - 1 : room) / stride + 1;
    if ((count - 1) * stride >= extent + padding) --count;  // a window that starts beyond the image sees nothing
    return count;
}

Shape output_shape(const Window& window, const Shape& x) {
    require(x.rank() == 4, "the image must have 4 axes, not {}", to_string(x));
    return {x[0], output_extent(window, x[1], 0), output_extent(window, x[2], 1), x[3]};
}

double window_size(const Window& window) { return static_cast<double>(window.kernel[0] * window.kernel[1]); }

std::string text(const Window& window) {
    return fmt::format("kernel={} stride={} padding={} rounding={}", pair(window.kernel), pair(window.stride),
                       pair(window.padding), window.rounding == Rounding::floor ? "floor" : "ceil");
}

std::string text(Padding padding) { return padding == Padding::counted ? "padding_counted" : "padding_ignored"; }

Shape adaptive_shape(const Pair& output, const Shape& x) {
    require(x.rank() == 4, "the image must have 4 axes, not {}", to_string(x));
    require(output[0] >= 1 && output[1] >= 1 && x[1] >= 1 && x[2] >= 1, "extents must be at least 1");
    return {x[0], output[0], output[1], x[3]};
}

}  // namespace

std::vector<TensorSpec> infer(const MaxPool2d& op, Specs inputs) {
    require_inputs(inputs, 1, 1);
    require_real(inputs[0], "the image");
    require(op.window.kernel[0] * op.window.kernel[1] <= 255, "a window has at most 255 positions");
    const Shape y = output_shape(op.window, inputs[0].shape);
    return {{y, inputs[0].dtype}, {y, DType::u8}};
}
void differentiate(const MaxPool2d& op, Backward& b) {
    b.set(0, b.graph().append1(MaxPool2dGradient{op.window, b.input(0).shape()}, {b.gradient(0), b.output(1)}));
}
double cost(const MaxPool2d& op, Specs, Specs outputs) { return window_size(op.window) * elements(outputs[0]); }
std::string attributes(const MaxPool2d& op) { return text(op.window); }

std::vector<TensorSpec> infer(const MaxPool2dGradient& op, Specs inputs) {
    require_inputs(inputs, 2, 2);
    require_shape(inputs[0], output_shape(op.window, op.input), "the output's gradient");
    require_shape(inputs[1], inputs[0].shape, "the index");
    require_dtype(inputs[1], DType::u8, "the index");
    return {{op.input, inputs[0].dtype}};
}
void differentiate(const MaxPool2dGradient&, Backward& b) { b.none("second derivatives are not built"); }
double cost(const MaxPool2dGradient&, Specs inputs, Specs) { return elements(inputs[0]); }
std::string attributes(const MaxPool2dGradient& op) {
    return fmt::format("{} input={}", text(op.window), to_string(op.input));
}

std::vector<TensorSpec> infer(const AvgPool2d& op, Specs inputs) {
    require_inputs(inputs, 1, 1);
    require_real(inputs[0], "the image");
    return {{output_shape(op.window, inputs[0].shape), inputs[0].dtype}};
}
void differentiate(const AvgPool2d& op, Backward& b) {
    b.set(0, b.graph().append1(AvgPool2dGradient{op.window, op.padding, b.input(0).shape()}, {b.gradient()}));
}
double cost(const AvgPool2d& op, Specs, Specs outputs) { return window_size(op.window) * elements(outputs[0]); }
std::string attributes(const AvgPool2d& op) { return fmt::format("{} {}", text(op.window), text(op.padding)); }

std::vector<TensorSpec> infer(const AvgPool2dGradient& op, Specs inputs) {
    require_inputs(inputs, 1, 1);
    require_shape(inputs[0], output_shape(op.window, op.input), "the output's gradient");
    return {{op.input, inputs[0].dtype}};
}
void differentiate(const AvgPool2dGradient& op, Backward& b) {
    b.set(0, avg_pool2d(b.gradient(), op.window, op.padding));
}
double cost(const AvgPool2dGradient& op, Specs inputs, Specs) { return window_size(op.window) * elements(inputs[0]); }
std::string attributes(const AvgPool2dGradient& op) {
    return fmt::format("{} {} input={}", text(op.window), text(op.padding), to_string(op.input));
}

std::vector<TensorSpec> infer(const AdaptiveAvgPool2d& op, Specs inputs) {
    require_inputs(inputs, 1, 1);
    require_real(inputs[0], "the image");
    return {{adaptive_shape(op.output, inputs[0].shape), inputs[0].dtype}};
}
void differentiate(const AdaptiveAvgPool2d&, Backward& b) {
    b.set(0, b.graph().append1(AdaptiveAvgPool2dGradient{b.input(0).shape()}, {b.gradient()}));
}
double cost(const AdaptiveAvgPool2d&, Specs inputs, Specs) { return elements(inputs[0]); }
std::string attributes(const AdaptiveAvgPool2d& op) { return fmt::format("output={}", pair(op.output)); }

std::vector<TensorSpec> infer(const AdaptiveAvgPool2dGradient& op, Specs inputs) {
    require_inputs(inputs, 1, 1);
    require_rank(inputs[0], 4, "the output's gradient");
    require_shape(inputs[0], adaptive_shape({inputs[0].shape[1], inputs[0].shape[2]}, op.input),
                  "the output's gradient");
    return {{op.input, inputs[0].dtype}};
}
void differentiate(const AdaptiveAvgPool2dGradient&, Backward& b) {
    const Shape& y = b.input(0).shape();
    b.set(0, adaptive_avg_pool2d(b.gradient(), {y[1], y[2]}));
}
double cost(const AdaptiveAvgPool2dGradient&, Specs, Specs outputs) { return elements(outputs[0]); }
std::string attributes(const AdaptiveAvgPool2dGradient& op) { return fmt::format("input={}", to_string(op.input)); }

}  // namespace cambium::ops
