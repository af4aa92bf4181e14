#include "kernels/embedding/embedding.h"

#include "engine/backends/gpu/prepare.h"

namespace cambium::gpu {

Prepared prepare(const ops::Embedding&, const NodeSpec& node, const Context& context) {
    const Shape& table = node.inputs[0].tensor.shape;
    const embedding::Embedding e{.rows = table[0],
                                 .columns = table[1],
                                 .lookups = node.inputs[1].tensor.shape.count(),
                                 .dtype = node.outputs[0].tensor.dtype,
                                 .variant = variant_of<embedding::Variant>(context)};
    dev::Stream& stream = context.stream;
    return make_step([=, &stream](const Operands& o) {
        embedding::forward(e, o.in<float>(0), o.in<std::int32_t>(1), o.outputs[0], stream);
    });
}

Prepared prepare(const ops::EmbeddingGradient& op, const NodeSpec& node, const Context& context) {
    const embedding::Embedding e{.rows = op.rows,
                                 .columns = node.outputs[0].tensor.shape[1],
                                 .lookups = node.inputs[1].tensor.shape.count(),
                                 .dtype = node.inputs[0].tensor.dtype,
                                 .variant = variant_of<embedding::Variant>(context)};
    dev::Stream& stream = context.stream;
    return make_step([=, &stream](const Operands& o) {
        embedding::backward(e, o.inputs[0], o.in<std::int32_t>(1), o.out<float>(0), stream);
    });
}

}  // namespace cambium::gpu
