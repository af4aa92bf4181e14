#include "kernels/loss/loss.h"

#include "engine/backends/gpu/prepare.h"

namespace cambium::gpu {
namespace {

loss::Matrix matrix_of(const TensorSpec& x, const Context& context) {
    const std::int64_t classes = x.shape[-1];
    return {.rows = classes == 0 ? 0 : x.shape.count() / classes,
            .classes = classes,
            .variant = variant_of<loss::Variant>(context)};
}

// The targets behind input `logits` of a node: labels or probabilities, then perhaps class weights.
class BoundTargets {
  public:
    BoundTargets(const NodeSpec& node, std::size_t logits, double label_smoothing)
        : labels_(logits + 1),
          are_classes_(node.inputs[labels_].tensor.dtype == DType::i32),
          are_weighted_(node.inputs.size() > labels_ + 1),
          label_smoothing_(static_cast<float>(label_smoothing)) {}

    loss::Targets operator()(const Operands& o) const {
        return {.labels = are_classes_ ? o.in<std::int32_t>(labels_) : nullptr,
                .probabilities = are_classes_ ? nullptr : o.in<float>(labels_),
                .weights = are_weighted_ ? o.in<float>(labels_ + 1) : nullptr,
                .label_smoothing = label_smoothing_};
    }

  private:
    std::size_t labels_;
    bool are_classes_, are_weighted_;
    float label_smoothing_;
};

}  // namespace

Prepared prepare(const ops::Softmax&, const NodeSpec& node, const Context& context) {
    const loss::Matrix matrix = matrix_of(node.inputs[0].tensor, context);
    dev::Stream& stream = context.stream;
    Prepared step =
        make_step([=, &stream](const Operands& o) { loss::softmax(matrix, o.in<float>(0), o.out<float>(0), stream); });
    step->aliases = {{.output = 0, .input = 0}};
    return step;
}

Prepared prepare(const ops::SoftmaxGradient&, const NodeSpec& node, const Context& context) {
    const loss::Matrix matrix = matrix_of(node.inputs[0].tensor, context);
    dev::Stream& stream = context.stream;
    Prepared step = make_step([=, &stream](const Operands& o) {
        loss::softmax_gradient(matrix, o.in<float>(0), o.in<float>(1), o.out<float>(0), stream);
    });
    step->aliases = {{.output = 0, .input = 0}, {.output = 0, .input = 1}};
    return step;
}

Prepared prepare(const ops::SoftmaxCrossEntropy& op, const NodeSpec& node, const Context& context) {
    const loss::Matrix matrix = matrix_of(node.inputs[0].tensor, context);
    const BoundTargets targets(node, 0, op.label_smoothing);
    dev::Stream& stream = context.stream;
    return make_step(
        [=, &stream](const Operands& o) {
            loss::cross_entropy(matrix, targets(o), o.in<float>(0), o.out<float>(0), o.out<float>(1), o.workspace,
                                stream);
        },
        loss::workspace_bytes(matrix));
}

Prepared prepare(const ops::SoftmaxCrossEntropyGradient& op, const NodeSpec& node, const Context& context) {
    const loss::Matrix matrix = matrix_of(node.inputs[1].tensor, context);
    const BoundTargets targets(node, 1, op.label_smoothing);
    dev::Stream& stream = context.stream;
    Prepared step = make_step([=, &stream](const Operands& o) {
        loss::cross_entropy_gradient(matrix, targets(o), o.in<float>(0), o.in<float>(1), o.out<float>(0), stream);
    });
    step->aliases = {{.output = 0, .input = 1}};
    return step;
}

Prepared prepare(const ops::TopKCount& op, const NodeSpec& node, const Context& context) {
    const loss::Matrix matrix = matrix_of(node.inputs[0].tensor, context);
    dev::Stream& stream = context.stream;
    return make_step(
        [=, &stream, k = op.k](const Operands& o) {
            loss::top_k_count(matrix, k, o.in<std::int32_t>(1), o.in<float>(0), o.out<float>(0), o.workspace, stream);
        },
        loss::workspace_bytes(matrix));
}

}  // namespace cambium::gpu
