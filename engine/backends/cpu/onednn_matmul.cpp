// Matrix products by oneDNN; a transposed operand is one with its strides exchanged.
#include <fmt/format.h>

#include "engine/backends/cpu/executable.h"
#include "engine/backends/cpu/onednn_state.h"

namespace cambium::cpu {
namespace {

MemoryDesc matrix(const TensorSpec& tensor, ops::Transpose transpose) {
    const std::int64_t rows = tensor.shape[0], columns = tensor.shape[1];
    if (transpose == ops::Transpose::yes) return {{columns, rows}, data_type(tensor.dtype), {1, columns}};
    return {{rows, columns}, data_type(tensor.dtype), {columns, 1}};
}

}  // namespace

std::unique_ptr<Executable> OneDnn::prepare(const ops::MatMul& op, const NodeSpec& node, int) const {
    using Source = PrimitiveStep::Source;
    const MemoryDesc a = matrix(node.inputs[0].tensor, op.transpose_a);
    const MemoryDesc b = matrix(node.inputs[1].tensor, op.transpose_b);
    const MemoryDesc y = matrix(node.outputs[0].tensor, ops::Transpose::no);
    const PostOps post(node, y);
    const MemoryDesc bias({1, node.outputs[0].tensor.shape[1]}, dnnl::memory::data_type::f32,
                          dnnl::memory::format_tag::ab);
    const dnnl::matmul::primitive_desc desc(
        post.bias >= 0 ? dnnl::matmul::desc(a, b, bias, y) : dnnl::matmul::desc(a, b, y), post.attributes,
        state_->engine, /*allow_empty=*/true);
    if (!desc || is_reference(desc.impl_info_str())) return nullptr;

    auto step = std::make_unique<PrimitiveStep>(state_, node);
    step->provider = fmt::format("oneDNN {}", desc.impl_info_str());
    step->add(dnnl::matmul(desc));
    step->argument(DNNL_ARG_SRC, a, Source::input, 0);
    step->argument(DNNL_ARG_WEIGHTS, b, Source::input, 1);
    if (post.bias >= 0) step->argument(DNNL_ARG_BIAS, bias, Source::input, static_cast<std::size_t>(post.bias));
    for (const PostOps::Operand& operand : post.operands) {
        step->argument(operand.id, operand.desc, Source::input, operand.input);
    }
    step->argument(DNNL_ARG_DST, y, Source::output, 0);
    step->scratchpad(desc.scratchpad_desc());
    return step;
}

}  // namespace cambium::cpu
