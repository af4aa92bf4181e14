#include "engine/ops/loss.h"

#include "engine/ops/rules.h"

namespace cambium::ops {
namespace {

void check_labels(const TensorSpec& logits, const TensorSpec& labels) {
    if (labels.dtype == DType::i32) {
        require_shape(labels, {logits.shape[0]}, "class labels");
    } else {
        require_real(labels, "label probabilities");
        require_shape(labels, logits.shape, "label probabilities");
    }
}

void check_operands(double smoothing, Specs inputs) {
    require(smoothing >= 0 && smoothing < 1, "label smoothing must be in [0, 1), not {}", smoothing);
    require_rank(inputs[0], 2, "logits");
    require(inputs[0].shape[1] >= 1, "there must be at least one class");
    check_labels(inputs[0], inputs[1]);
    if (inputs.size() == 3) require_shape(inputs[2], {inputs[0].shape[1]}, "class weights");
}

}  // namespace

std::vector<TensorSpec> infer(const Softmax&, Specs inputs) {
    require_inputs(inputs, 1, 1);
    require_real(inputs[0], "the operand");
    static_cast<void>(channels(inputs[0]));
    return {inputs[0]};
}
void differentiate(const Softmax&, Backward& b) {
    b.set(0, b.graph().append1(SoftmaxGradient{}, {b.gradient(), b.output()}));
}
double cost(const Softmax&, Specs inputs, Specs) { return 5 * elements(inputs[0]); }
std::string attributes(const Softmax&) { return ""; }

std::vector<TensorSpec> infer(const SoftmaxGradient&, Specs inputs) {
    require_inputs(inputs, 2, 2);
    require_shape(inputs[1], inputs[0].shape, "the softmax");
    return {inputs[0]};
}
void differentiate(const SoftmaxGradient&, Backward& b) { b.none("second derivatives are not built"); }
double cost(const SoftmaxGradient&, Specs inputs, Specs) { return 4 * elements(inputs[0]); }
std::string attributes(const SoftmaxGradient&) { return ""; }

std::vector<TensorSpec> infer(const SoftmaxCrossEntropy& op, Specs inputs) {
    require_inputs(inputs, 2, 3);
    check_operands(op.label_smoothing, inputs);
    const TensorSpec scalar{Shape{}, accumulation(inputs[0].dtype)};
    return {scalar, scalar};
}
void differentiate(const SoftmaxCrossEntropy& op, Backward& b) {
    if (b.wanted(1) || (b.inputs() == 3 && b.wanted(2))) b.none("labels and class weights are given, not trained");
    if (b.has_gradient(1)) b.none("the denominator does not depend on the logits");
    std::vector<Value> operands{b.gradient(0), b.input(0), b.input(1)};
    if (b.inputs() == 3) operands.push_back(b.input(2));
    b.set(0, b.graph().append(SoftmaxCrossEntropyGradient{op.label_smoothing}, operands)[0]);
}
double cost(const SoftmaxCrossEntropy&, Specs inputs, Specs) { return 6 * elements(inputs[0]); }
std::string attributes(const SoftmaxCrossEntropy& op) { return fmt::format("label_smoothing={}", op.label_smoothing); }

std::vector<TensorSpec> infer(const SoftmaxCrossEntropyGradient& op, Specs inputs) {
    require_inputs(inputs, 3, 4);
    require_shape(inputs[0], {}, "the loss's gradient");
    check_operands(op.label_smoothing, inputs.subspan(1));
    return {inputs[1]};
}
void differentiate(const SoftmaxCrossEntropyGradient&, Backward& b) { b.none("second derivatives are not built"); }
double cost(const SoftmaxCrossEntropyGradient&, Specs inputs, Specs) { return 6 * elements(inputs[1]); }
std::string attributes(const SoftmaxCrossEntropyGradient& op) {
    return fmt::format("label_smoothing={}", op.label_smoothing);
}

std::vector<TensorSpec> infer(const TopKCount& op, Specs inputs) {
    require_inputs(inputs, 2, 2);
    require(op.k >= 1, "k must be at least 1, not {}", op.k);
    require_rank(inputs[0], 2, "logits");
    require_dtype(inputs[1], DType::i32, "labels");
    check_labels(inputs[0], inputs[1]);
    return {{Shape{}, accumulation(inputs[0].dtype)}};
}
void differentiate(const TopKCount&, Backward& b) { b.none("a count is piecewise constant"); }
double cost(const TopKCount&, Specs inputs, Specs) { return elements(inputs[0]); }
std::string attributes(const TopKCount& op) { return fmt::format("k={}", op.k); }

}  // namespace cambium::ops
