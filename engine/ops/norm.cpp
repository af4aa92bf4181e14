#include "engine/ops/norm.h"

#include "engine/ops/rules.h"

namespace cambium::ops {
namespace {

// Values per channel: what a moment is taken over.
std::int64_t values_per_channel(const TensorSpec& x) { return x.shape[-1] == 0 ? 0 : x.shape.count() / x.shape[-1]; }

std::vector<TensorSpec> infer_vectors(Specs inputs, std::size_t count) {
    require_inputs(inputs, count, count);
    for (const TensorSpec& spec : inputs) {
        require_rank(spec, 1, "an operand");
        require_shape(spec, inputs[0].shape, "an operand");
    }
    return {inputs[0]};
}

// One value for each row: the shape without its last axis.
Shape rows(const TensorSpec& x) {
    channels(x);
    return Shape(x.shape.extents().first(static_cast<std::size_t>(x.shape.rank() - 1)));
}

}  // namespace

std::vector<TensorSpec> infer(const BatchNorm&, Specs inputs) {
    require_inputs(inputs, 3, 3);
    const Shape c = channels(inputs[0]);
    require_shape(inputs[1], c, "gamma");
    require_shape(inputs[2], c, "beta");
    require(values_per_channel(inputs[0]) > 1, "{} leaves a single value per channel, whose variance is not defined",
            to_string(inputs[0].shape));
    const TensorSpec moment{c, accumulation(inputs[0].dtype)};
    return {inputs[0], moment, moment};
}
void differentiate(const BatchNorm& op, Backward& b) {
    if (b.has_gradient(1) || b.has_gradient(2)) b.none("its moments serve running statistics, which are not trained");
    const Value operands[] = {b.gradient(), b.input(0), b.input(1), b.output(1), b.output(2)};
    const std::vector<Value> results = b.graph().append(BatchNormGradient{op.epsilon}, operands);
    for (const int i : {0, 1, 2}) {
        if (b.wanted(i)) b.set(i, results[static_cast<std::size_t>(i)]);
    }
}
double cost(const BatchNorm&, Specs inputs, Specs) { return 7 * elements(inputs[0]); }
std::string attributes(const BatchNorm& op) { return fmt::format("epsilon={}", op.epsilon); }

std::vector<TensorSpec> infer(const BatchNormApply&, Specs inputs) {
    require_inputs(inputs, 5, 5);
    const Shape c = channels(inputs[0]);
    for (std::size_t i = 1; i < 5; ++i) require_shape(inputs[i], c, "gamma, beta, mean and variance");
    return {inputs[0]};
}
void differentiate(const BatchNormApply&, Backward& b) { b.none("the compiler makes it, after differentiation"); }
double cost(const BatchNormApply&, Specs inputs, Specs) { return 4 * elements(inputs[0]); }
std::string attributes(const BatchNormApply& op) { return fmt::format("epsilon={}", op.epsilon); }

std::vector<TensorSpec> infer(const BatchNormGradient&, Specs inputs) {
    require_inputs(inputs, 5, 5);
    require_shape(inputs[1], inputs[0].shape, "the input");
    const Shape c = channels(inputs[0]);
    for (std::size_t i = 2; i < 5; ++i) require_shape(inputs[i], c, "gamma, mean and variance");
    const TensorSpec sum{c, accumulation(inputs[0].dtype)};
    return {inputs[0], sum, sum};
}
void differentiate(const BatchNormGradient&, Backward& b) { b.none("second derivatives are not built"); }
double cost(const BatchNormGradient&, Specs inputs, Specs) { return 10 * elements(inputs[0]); }
std::string attributes(const BatchNormGradient& op) { return fmt::format("epsilon={}", op.epsilon); }

std::vector<TensorSpec> infer(const BatchNormReluGradient&, Specs inputs) {
    require_inputs(inputs, 6, 6);
    require_shape(inputs[1], inputs[0].shape, "the result");
    require_shape(inputs[2], inputs[0].shape, "the input");
    const Shape c = channels(inputs[0]);
    for (std::size_t i = 3; i < 6; ++i) require_shape(inputs[i], c, "gamma, mean and variance");
    const TensorSpec sum{c, accumulation(inputs[0].dtype)};
    return {inputs[0], sum, sum, inputs[0]};
}
void differentiate(const BatchNormReluGradient&, Backward& b) { b.none("second derivatives are not built"); }
double cost(const BatchNormReluGradient&, Specs inputs, Specs) { return 11 * elements(inputs[0]); }
std::string attributes(const BatchNormReluGradient& op) { return fmt::format("epsilon={}", op.epsilon); }

std::vector<TensorSpec> infer(const BatchNormScale&, Specs inputs) { return infer_vectors(inputs, 2); }
// scale = gamma / sqrt(variance + epsilon) is linear in gamma, so its gradient is the same operator applied to dscale.
void differentiate(const BatchNormScale& op, Backward& b) {
    if (b.wanted(1)) b.none("the running variance is not trained");
    b.set(0, b.graph().append1(op, {b.gradient(), b.input(1)}));
}
double cost(const BatchNormScale&, Specs, Specs outputs) { return 3 * elements(outputs[0]); }
std::string attributes(const BatchNormScale& op) { return fmt::format("epsilon={}", op.epsilon); }

std::vector<TensorSpec> infer(const BatchNormShift&, Specs inputs) { return infer_vectors(inputs, 3); }
// shift = beta - mean * scale.
void differentiate(const BatchNormShift&, Backward& b) {
    if (b.wanted(1)) b.none("the running mean is not trained");
    if (b.wanted(0)) b.set(0, b.gradient());
    if (b.wanted(2)) b.set(2, scale(multiply(b.gradient(), b.input(1)), -1));
}
double cost(const BatchNormShift&, Specs, Specs outputs) { return 2 * elements(outputs[0]); }
std::string attributes(const BatchNormShift&) { return ""; }

std::vector<TensorSpec> infer(const ScaleFilter&, Specs inputs) {
    require_inputs(inputs, 2, 2);
    require(inputs[0].shape.rank() >= 1, "the filter must have an axis of output channels");
    require_shape(inputs[1], {inputs[0].shape[0]}, "the scale");
    return {inputs[0]};
}
void differentiate(const ScaleFilter&, Backward& b) {
    if (b.wanted(1)) b.none("filters are scaled only where they are frozen");
    b.set(0, b.graph().append1(ScaleFilter{}, {b.gradient(), b.input(1)}));
}
double cost(const ScaleFilter&, Specs, Specs outputs) { return elements(outputs[0]); }
std::string attributes(const ScaleFilter&) { return ""; }

std::vector<TensorSpec> infer(const LayerNorm&, Specs inputs) {
    require_inputs(inputs, 3, 3);
    require_real(inputs[0], "the operand");
    const Shape c = channels(inputs[0]);
    require(c[0] > 0, "{} has rows without values", to_string(inputs[0].shape));
    require_shape(inputs[1], c, "gamma");
    require_shape(inputs[2], c, "beta");
    const TensorSpec moment{rows(inputs[0]), accumulation(inputs[0].dtype)};
    return {inputs[0], moment, moment};
}
void differentiate(const LayerNorm&, Backward& b) {
    if (b.has_gradient(1) || b.has_gradient(2)) b.none("its moments serve the gradient of y alone");
    const Value operands[] = {b.gradient(), b.input(0), b.input(1), b.output(1), b.output(2)};
    const std::vector<Value> results = b.graph().append(LayerNormGradient{}, operands);
    for (const int i : {0, 1, 2}) {
        if (b.wanted(i)) b.set(i, results[static_cast<std::size_t>(i)]);
    }
}
double cost(const LayerNorm&, Specs inputs, Specs) { return 7 * elements(inputs[0]); }
std::string attributes(const LayerNorm& op) { return fmt::format("epsilon={}", op.epsilon); }

std::vector<TensorSpec> infer(const LayerNormGradient&, Specs inputs) {
    require_inputs(inputs, 5, 5);
    require_shape(inputs[1], inputs[0].shape, "the input");
    const Shape c = channels(inputs[0]);
    require_shape(inputs[2], c, "gamma");
    for (const std::size_t i : {3u, 4u}) require_shape(inputs[i], rows(inputs[0]), i == 3 ? "the mean" : "rstd");
    const TensorSpec sum{c, accumulation(inputs[0].dtype)};
    return {inputs[0], sum, sum};
}
void differentiate(const LayerNormGradient&, Backward& b) { b.none("second derivatives are not built"); }
double cost(const LayerNormGradient&, Specs inputs, Specs) { return 12 * elements(inputs[0]); }
std::string attributes(const LayerNormGradient&) { return ""; }

}  // namespace cambium::ops
