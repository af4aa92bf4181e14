#include "kernels/attention/attention.h"

#include "engine/backends/gpu/epilogue.h"
#include "engine/backends/gpu/prepare.h"

namespace cambium::gpu {
namespace {

// qkv [N, L, 3, H, D]
attention::Attention attention_of(const TensorSpec& qkv, ops::AttentionMask mask, const Context& context) {
    return {.batch = qkv.shape[0],
            .tokens = qkv.shape[1],
            .heads = qkv.shape[3],
            .size = qkv.shape[4],
            .mask = mask == ops::AttentionMask::causal ? attention::Mask::causal : attention::Mask::none,
            .math = math_of(qkv.dtype, context.options),
            .variant = variant_of<attention::Variant>(context)};
}

}  // namespace

Prepared prepare(const ops::Attention& op, const NodeSpec& node, const Context& context) {
    const attention::Attention a = attention_of(node.inputs[0].tensor, op.mask, context);
    const bool is_padded = node.inputs.size() == 2;
    dev::Stream& stream = context.stream;
    return make_step([=, &stream](const Operands& o) {
        attention::forward(a,
                           {.qkv = o.inputs[0],
                            .count = is_padded ? o.in<std::int32_t>(1) : nullptr,
                            .y = o.outputs[0],
                            .lse = o.out<float>(1)},
                           stream);
    });
}

Prepared prepare(const ops::AttentionGradient& op, const NodeSpec& node, const Context& context) {
    const attention::Attention a = attention_of(node.inputs[1].tensor, op.mask, context);
    const bool is_padded = node.inputs.size() == 5;
    dev::Stream& stream = context.stream;
    return make_step(
        [=, &stream](const Operands& o) {
            attention::backward(a,
                                {.dy = o.inputs[0],
                                 .qkv = o.inputs[1],
                                 .y = o.inputs[2],
                                 .lse = o.in<float>(3),
                                 .count = is_padded ? o.in<std::int32_t>(4) : nullptr,
                                 .dqkv = o.outputs[0]},
                                o.workspace, stream);
        },
        attention::workspace_bytes(a));
}

}  // namespace cambium::gpu
