#include "engine/ops/elementwise.h"

#include "engine/ops/rules.h"

namespace cambium::ops {
namespace {

std::vector<TensorSpec> infer_binary(Specs inputs) {
    require_inputs(inputs, 2, 2);
    require_real(inputs[0], "an operand");
    require_real(inputs[1], "an operand");
    require_shape(inputs[1], inputs[0].shape, "the second operand");
    return {inputs[0]};
}

std::vector<TensorSpec> infer_unary(Specs inputs) {
    require_inputs(inputs, 1, 1);
    require_real(inputs[0], "the operand");
    return {inputs[0]};
}

}  // namespace

std::vector<TensorSpec> infer(const Convert& op, Specs inputs) {
    require_inputs(inputs, 1, 1);
    return {{inputs[0].shape, op.dtype}};
}
void differentiate(const Convert&, Backward& b) {
    if (!is_real(b.input(0).dtype())) b.none("integers have no gradient");
    b.set(0, convert(b.gradient(), b.input(0).dtype()));
}
double cost(const Convert&, Specs, Specs) { return 0; }
std::string attributes(const Convert& op) { return fmt::format("to={}", name_of(op.dtype)); }

std::vector<TensorSpec> infer(const Normalize&, Specs inputs) {
    require_inputs(inputs, 1, 1);
    require_dtype(inputs[0], DType::u8, "the image batch");
    require_rank(inputs[0], 4, "the image batch");
    require(inputs[0].shape[3] == 3, "images have 3 channels, not {}", inputs[0].shape[3]);
    return {{inputs[0].shape, DType::f32}};
}
void differentiate(const Normalize&, Backward& b) { b.none("images are integers"); }
double cost(const Normalize&, Specs, Specs outputs) { return 2 * elements(outputs[0]); }
std::string attributes(const Normalize& op) {
    return fmt::format("scale={} shift={} order={}", list(op.scale), list(op.shift),
                       op.order == ChannelOrder::rgb ? "rgb" : "bgr");
}

std::vector<TensorSpec> infer(const Add&, Specs inputs) { return infer_binary(inputs); }
void differentiate(const Add&, Backward& b) {
    for (const int i : {0, 1}) {
        if (b.wanted(i)) b.set(i, b.gradient());
    }
}
double cost(const Add&, Specs, Specs outputs) { return elements(outputs[0]); }
std::string attributes(const Add&) { return ""; }

std::vector<TensorSpec> infer(const Multiply&, Specs inputs) { return infer_binary(inputs); }
void differentiate(const Multiply&, Backward& b) {
    if (b.wanted(0)) b.set(0, multiply(b.gradient(), b.input(1)));
    if (b.wanted(1)) b.set(1, multiply(b.gradient(), b.input(0)));
}
double cost(const Multiply&, Specs, Specs outputs) { return elements(outputs[0]); }
std::string attributes(const Multiply&) { return ""; }

std::vector<TensorSpec> infer(const Scale&, Specs inputs) { return infer_unary(inputs); }
void differentiate(const Scale& op, Backward& b) { b.set(0, scale(b.gradient(), op.factor)); }
double cost(const Scale&, Specs, Specs outputs) { return elements(outputs[0]); }
std::string attributes(const Scale& op) { return fmt::format("factor={}", op.factor); }

std::vector<TensorSpec> infer(const Lerp&, Specs inputs) {
    require_inputs(inputs, 3, 3);
    require_shape(inputs[2], {}, "t");
    return infer_binary(inputs.first(2));
}
void differentiate(const Lerp&, Backward& b) { b.none("it serves statistics and averages, which are not trained"); }
double cost(const Lerp&, Specs, Specs outputs) { return 3 * elements(outputs[0]); }
std::string attributes(const Lerp&) { return ""; }

std::vector<TensorSpec> infer(const AddBias&, Specs inputs) {
    require_inputs(inputs, 2, 2);
    require_real(inputs[0], "the operand");
    require_shape(inputs[1], channels(inputs[0]), "the bias");
    return {inputs[0]};
}
void differentiate(const AddBias&, Backward& b) {
    if (b.wanted(0)) b.set(0, b.gradient());
    if (b.wanted(1)) b.set(1, channel_sum(b.gradient()));
}
double cost(const AddBias&, Specs, Specs outputs) { return elements(outputs[0]); }
std::string attributes(const AddBias&) { return ""; }

std::vector<TensorSpec> infer(const ScaleShift&, Specs inputs) {
    require_inputs(inputs, 2, 3);
    require_real(inputs[0], "the operand");
    require_shape(inputs[1], channels(inputs[0]), "the scale");
    if (inputs.size() == 3) require_shape(inputs[2], channels(inputs[0]), "the shift");
    return {inputs[0]};
}
void differentiate(const ScaleShift&, Backward& b) {
    if (b.wanted(0)) b.set(0, scale_shift(b.gradient(), b.input(1)));
    if (b.wanted(1)) b.set(1, channel_dot(b.gradient(), b.input(0)));
    if (b.inputs() == 3 && b.wanted(2)) b.set(2, channel_sum(b.gradient()));
}
double cost(const ScaleShift&, Specs inputs, Specs outputs) {
    return elements(outputs[0]) * static_cast<double>(inputs.size() - 1);
}
std::string attributes(const ScaleShift&) { return ""; }

std::vector<TensorSpec> infer(const ChannelDot&, Specs inputs) {
    const TensorSpec operand = infer_binary(inputs)[0];
    return {{channels(operand), accumulation(operand.dtype)}};
}
// s[c] = Sum a b, so da = ds[c] b and db = ds[c] a.
void differentiate(const ChannelDot&, Backward& b) {
    if (b.wanted(0)) b.set(0, scale_shift(b.input(1), b.gradient()));
    if (b.wanted(1)) b.set(1, scale_shift(b.input(0), b.gradient()));
}
double cost(const ChannelDot&, Specs inputs, Specs) { return 2 * elements(inputs[0]); }
std::string attributes(const ChannelDot&) { return ""; }

std::vector<TensorSpec> infer(const Relu&, Specs inputs) { return infer_unary(inputs); }
void differentiate(const Relu&, Backward& b) {
    b.set(0, b.graph().append1(ReluGradient{}, {b.gradient(), b.output()}));
}
double cost(const Relu&, Specs, Specs outputs) { return elements(outputs[0]); }
std::string attributes(const Relu&) { return ""; }

std::vector<TensorSpec> infer(const ReluGradient&, Specs inputs) { return infer_binary(inputs); }
void differentiate(const ReluGradient&, Backward& b) {
    if (b.wanted(1)) b.none("its mask is piecewise constant");
    b.set(0, b.graph().append1(ReluGradient{}, {b.gradient(), b.input(1)}));
}
double cost(const ReluGradient&, Specs, Specs outputs) { return elements(outputs[0]); }
std::string attributes(const ReluGradient&) { return ""; }

std::vector<TensorSpec> infer(const Gelu&, Specs inputs) { return infer_unary(inputs); }
void differentiate(const Gelu&, Backward& b) {
    b.set(0, b.graph().append1(GeluGradient{}, {b.gradient(), b.input(0)}));
}
double cost(const Gelu&, Specs, Specs outputs) { return 25 * elements(outputs[0]); }  // a division and two polynomials
std::string attributes(const Gelu&) { return ""; }

std::vector<TensorSpec> infer(const GeluGradient&, Specs inputs) { return infer_binary(inputs); }
void differentiate(const GeluGradient&, Backward& b) {
    if (b.wanted(1)) b.none("second derivatives are not built");
    b.set(0, b.graph().append1(GeluGradient{}, {b.gradient(), b.input(1)}));
}
double cost(const GeluGradient&, Specs, Specs outputs) { return 28 * elements(outputs[0]); }
std::string attributes(const GeluGradient&) { return ""; }

std::vector<TensorSpec> infer(const Dropout& op, Specs inputs) {
    require_inputs(inputs, 2, 2);
    require(op.rate >= 0 && op.rate < 1, "the rate must be in [0, 1), not {}", op.rate);
    require_dtype(inputs[1], DType::i32, "the step");
    require_shape(inputs[1], {}, "the step");
    return infer_unary(inputs.first(1));
}
void differentiate(const Dropout& op, Backward& b) { b.set(0, dropout(b.gradient(), b.input(1), op)); }
double cost(const Dropout&, Specs, Specs outputs) { return 2 * elements(outputs[0]); }
std::string attributes(const Dropout& op) {
    return fmt::format("rate={} seed={} layer={}", op.rate, op.seed, op.layer);
}

std::vector<TensorSpec> infer(const Guard&, Specs inputs) {
    require_inputs(inputs, 3, 3);
    require(inputs[0] == inputs[1], "both values must be {}, not {}", to_string(inputs[0]), to_string(inputs[1]));
    require_real(inputs[2], "the condition");
    require_shape(inputs[2], {}, "the condition");
    return {inputs[0]};
}
void differentiate(const Guard&, Backward& b) { b.none("it serves updates, which are not trained through"); }
double cost(const Guard&, Specs, Specs) { return 0; }
std::string attributes(const Guard&) { return ""; }

std::vector<TensorSpec> infer(const Increment&, Specs inputs) {
    require_inputs(inputs, 1, 1);
    require_dtype(inputs[0], DType::i32, "the counter");
    require_shape(inputs[0], {}, "the counter");
    return {inputs[0]};
}
void differentiate(const Increment&, Backward& b) { b.none("a counter is an integer"); }
double cost(const Increment&, Specs, Specs) { return 1; }
std::string attributes(const Increment&) { return ""; }

}  // namespace cambium::ops
