#include "engine/backends/gpu/epilogue.h"
#include "engine/backends/gpu/prepare.h"

namespace cambium::gpu {
namespace {

gemm::Transpose transpose_of(ops::Transpose transpose) {
    return transpose == ops::Transpose::yes ? gemm::Transpose::yes : gemm::Transpose::no;
}

}  // namespace

Prepared prepare(const ops::MatMul& op, const NodeSpec& node, const Context& context) {
    const Shape &a = node.inputs[0].tensor.shape, &d = node.outputs[0].tensor.shape;
    gemm::Gemm product{.m = d[0],
                       .n = d[1],
                       .k = a[op.transpose_a == ops::Transpose::yes ? 0 : 1],
                       .transpose_a = transpose_of(op.transpose_a),
                       .transpose_b = transpose_of(op.transpose_b),
                       .math = math_of(node.inputs[0].tensor.dtype, context.options),
                       .output = output_of(node.outputs[0].tensor.dtype),
                       .variant = variant_of<gemm::Variant>(context)};
    if (const auto& forced = context.options.plan) {
        product.plan =
            gemm::Plan{.tile = forced->tile == 0 ? gemm::Tile::m64n64 : gemm::Tile::m128n128, .splits = forced->splits};
    }
    const FusedEpilogue epilogue = *fused_epilogue(node.epilogue);
    dev::Stream& stream = context.stream;
    return make_step(
        [=, &stream](const Operands& operands) {
            gemm::Gemm call = product;
            call.epilogue = epilogue.bound(operands);
            gemm::run(call, operands.inputs[0], operands.inputs[1], operands.outputs[0], operands.workspace, stream);
        },
        gemm::workspace_bytes(product));
}

}  // namespace cambium::gpu
