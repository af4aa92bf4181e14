#include "engine/ops/matmul.h"

#include "engine/ops/rules.h"

namespace cambium::ops {
namespace {

Transpose flipped(Transpose t) { return t == Transpose::yes ? Transpose::no : Transpose::yes; }

}  // namespace

std::vector<TensorSpec> infer(const MatMul& op, Specs inputs) {
    require_inputs(inputs, 2, 2);
    for (const TensorSpec& spec : inputs) {
        require_rank(spec, 2, "an operand");
        require_real(spec, "an operand");
    }
    const bool ta = op.transpose_a == Transpose::yes, tb = op.transpose_b == Transpose::yes;
    const Shape &a = inputs[0].shape, &b = inputs[1].shape;
    require(a[ta ? 0 : 1] == b[tb ? 1 : 0], "the inner extents differ: {} and {}", a[ta ? 0 : 1], b[tb ? 1 : 0]);
    return {{{a[ta ? 1 : 0], b[tb ? 0 : 1]}, inputs[0].dtype}};
}

// With A = op(a), B = op(b), C = A B:  dA = dC B^T,  dB = A^T dC; a transposed operand wants the transposed gradient.
void differentiate(const MatMul& op, Backward& b) {
    const Value left = b.input(0), right = b.input(1), dc = b.gradient();
    const bool ta = op.transpose_a == Transpose::yes, tb = op.transpose_b == Transpose::yes;
    if (b.wanted(0)) {
        b.set(0, ta ? matmul(right, dc, {op.transpose_b, Transpose::yes})
                    : matmul(dc, right, {Transpose::no, flipped(op.transpose_b)}));
    }
    if (b.wanted(1)) {
        b.set(1, tb ? matmul(dc, left, {Transpose::yes, op.transpose_a})
                    : matmul(left, dc, {flipped(op.transpose_a), Transpose::no}));
    }
}

double cost(const MatMul& op, Specs inputs, Specs outputs) {
    const std::int64_t inner = inputs[0].shape[op.transpose_a == Transpose::yes ? 0 : 1];
    return 2.0 * elements(outputs[0]) * static_cast<double>(inner);
}

std::string attributes(const MatMul& op) {
    const auto text = [](Transpose t) { return t == Transpose::yes ? "yes" : "no"; };
    return fmt::format("transpose_a={} transpose_b={}", text(op.transpose_a), text(op.transpose_b));
}

}  // namespace cambium::ops
