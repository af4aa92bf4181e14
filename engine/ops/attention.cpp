#include "engine/ops/attention.h"

#include "engine/ops/rules.h"

namespace cambium::ops {
namespace {

std::string text(AttentionMask mask) { return mask == AttentionMask::causal ? "mask=causal" : "mask=none"; }

void require_qkv(const TensorSpec& qkv) {
    require_real(qkv, "qkv");
    require_rank(qkv, 5, "qkv");
    require(qkv.shape[2] == 3, "axis 2 of qkv must hold query, key and value, but {} has {} there",
            to_string(qkv.shape), qkv.shape[2]);
}

void require_count(const TensorSpec& count, const TensorSpec& qkv) {
    require_dtype(count, DType::i32, "the count of tokens");
    require_shape(count, {qkv.shape[0]}, "the count of tokens");
}

Shape result(const TensorSpec& qkv) { return {qkv.shape[0], qkv.shape[1], qkv.shape[3], qkv.shape[4]}; }
Shape per_query(const TensorSpec& qkv) { return {qkv.shape[0], qkv.shape[3], qkv.shape[1]}; }

// Multiply-adds of one product of all queries with all keys, as operations.
double product(AttentionMask mask, const TensorSpec& qkv) {
    const double all = 2.0 / 3.0 * elements(qkv) * static_cast<double>(qkv.shape[1]);
    return mask == AttentionMask::causal ? all / 2 : all;
}

}  // namespace

std::vector<TensorSpec> infer(const Attention&, Specs inputs) {
    require_inputs(inputs, 1, 2);
    require_qkv(inputs[0]);
    if (inputs.size() == 2) require_count(inputs[1], inputs[0]);
    return {{result(inputs[0]), inputs[0].dtype}, {per_query(inputs[0]), accumulation(inputs[0].dtype)}};
}
void differentiate(const Attention& op, Backward& b) {
    if (b.has_gradient(1)) b.none("its log-sum-exp serves the gradient of y alone");
    std::vector<Value> operands{b.gradient(), b.input(0), b.output(0), b.output(1)};
    if (b.inputs() == 2) operands.push_back(b.input(1));
    b.set(0, b.graph().append(AttentionGradient{op.mask}, operands)[0]);
}
double cost(const Attention& op, Specs inputs, Specs) { return 2 * product(op.mask, inputs[0]); }
std::string attributes(const Attention& op) { return text(op.mask); }

std::vector<TensorSpec> infer(const AttentionGradient&, Specs inputs) {
    require_inputs(inputs, 4, 5);
    require_qkv(inputs[1]);
    for (const std::size_t i : {0u, 2u}) {
        require_real(inputs[i], i == 0 ? "dy" : "y");
        require_shape(inputs[i], result(inputs[1]), i == 0 ? "dy" : "y");
    }
    require_shape(inputs[3], per_query(inputs[1]), "the log-sum-exp");
    if (inputs.size() == 5) require_count(inputs[4], inputs[1]);
    return {inputs[1]};
}
void differentiate(const AttentionGradient&, Backward& b) { b.none("second derivatives are not built"); }
double cost(const AttentionGradient& op, Specs inputs, Specs) { return 5 * product(op.mask, inputs[1]); }
std::string attributes(const AttentionGradient& op) { return text(op.mask); }

}  // namespace cambium::ops
