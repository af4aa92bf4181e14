// Convolutions by oneDNN. Its logical axes are [N, C, H, W] and [G, K, C, R, S] whatever lies in memory.
#include <fmt/format.h>

#include <optional>

#include "engine/backends/cpu/executable.h"
#include "engine/backends/cpu/layout.h"
#include "engine/backends/cpu/onednn_state.h"

namespace cambium::cpu {
namespace {

using Dims = dnnl::memory::dims;
using Tag = dnnl::memory::format_tag;
using Source = PrimitiveStep::Source;

struct Activation {
    Layout layout;
    MemoryDesc desc;

    Activation(const TensorSpec& tensor, int block) : layout(blocked_layout(tensor, block)) {
        const Shape& s = tensor.shape;
        const int kept = block_of(layout);
        const Tag tag = kept == 16 ? Tag::nChw16c : kept == 8 ? Tag::nChw8c : kept == 1 ? Tag::nchw : Tag::nhwc;
        desc = MemoryDesc({s[0], s[3], s[1], s[2]}, data_type(tensor.dtype), tag);
        // One block of channels, or one pixel, is plain memory; oneDNN must still be told the layout it knows.
        if (block > 1 && layout.plain() && s[3] % block == 0) {
            desc =
                MemoryDesc({s[0], s[3], s[1], s[2]}, data_type(tensor.dtype), block == 16 ? Tag::nChw16c : Tag::nChw8c);
        }
    }
};

// Images of few channels enter the first, blocked convolution channel by channel.
int entry_block(const TensorSpec& x, int block) { return block != 0 && x.shape[3] < block ? 1 : block; }

MemoryDesc any_filter(const Shape& filter, std::int64_t groups, DType dtype) {
    Dims dims{filter[0] / groups, filter[3], filter[1], filter[2]};
    if (groups > 1) dims.insert(dims.begin(), groups);
    return {dims, data_type(dtype), Tag::any};
}

MemoryDesc plain_filter(const Shape& filter, std::int64_t groups) {
    const std::int64_t k = filter[0] / groups, r = filter[1], s = filter[2], c = filter[3];
    Dims dims{k, c, r, s}, strides{r * s * c, 1, s * c, c};
    if (groups > 1) {
        dims.insert(dims.begin(), groups);
        strides.insert(strides.begin(), k * r * s * c);
    }
    return {dims, dnnl::memory::data_type::f32, strides};
}

struct Spacing {
    Dims stride, dilation, padding;
    explicit Spacing(const ops::Conv2d& op)
        : stride{op.stride[0], op.stride[1]},
          dilation{op.dilation[0] - 1, op.dilation[1] - 1},
          padding{op.padding[0], op.padding[1]} {}
};

using Forward = dnnl::convolution_forward;
using InputGradient = dnnl::convolution_backward_data;
using FilterGradient = dnnl::convolution_backward_weights;

std::optional<Forward::primitive_desc> forward_desc(const dnnl::engine& engine, const ops::Conv2d& op,
                                                    const MemoryDesc& x, const MemoryDesc& w, const MemoryDesc* bias,
                                                    const MemoryDesc& y, const dnnl::primitive_attr& attributes) {
    const Spacing at(op);
    const auto kind = dnnl::prop_kind::forward_training;
    const auto direct = dnnl::algorithm::convolution_direct;
    const Forward::desc desc =
        bias != nullptr ? Forward::desc(kind, direct, x, w, *bias, y, at.stride, at.dilation, at.padding, at.padding)
                        : Forward::desc(kind, direct, x, w, y, at.stride, at.dilation, at.padding, at.padding);
    Forward::primitive_desc primitive(desc, attributes, engine, /*allow_empty=*/true);
    if (!primitive) return std::nullopt;
    return primitive;
}

template <class PrimitiveDesc>
std::unique_ptr<PrimitiveStep> begin_step(const std::shared_ptr<OneDnn::State>& state, const NodeSpec& node,
                                          const PrimitiveDesc& desc) {
    auto step = std::make_unique<PrimitiveStep>(state, node);
    step->provider = fmt::format("oneDNN {}", desc.impl_info_str());
    return step;
}

template <class PrimitiveDesc>
bool refused(const PrimitiveDesc& desc) {
    return !desc || is_reference(desc.impl_info_str());
}

// Whether every row (axis 0) or column (axis 1) of the filter meets the image somewhere, not padding alone.
bool all_positions_meet(const ops::Conv2dFilterGradient& op, const Shape& x, const Shape& y, std::size_t axis) {
    const int extent = static_cast<int>(axis) + 1;
    for (std::int64_t r = 0; r < op.filter[extent]; ++r) {
        bool meets = false;
        for (std::int64_t p = 0; p < y[extent] && !meets; ++p) {
            const std::int64_t h = p * op.conv.stride[axis] - op.conv.padding[axis] + r * op.conv.dilation[axis];
            meets = h >= 0 && h < x[extent];
        }
        if (!meets) return false;
    }
    return true;
}

}  // namespace

std::unique_ptr<Executable> OneDnn::prepare(const ops::Conv2d& op, const NodeSpec& node, int block) const {
    const Activation x(node.inputs[0].tensor, entry_block(node.inputs[0].tensor, block));
    const Activation y(node.outputs[0].tensor, block);
    const Shape& filter = node.inputs[1].tensor.shape;
    const PostOps post(node, y.desc);
    const MemoryDesc bias({filter[0]}, dnnl::memory::data_type::f32, Tag::a);
    const auto desc =
        forward_desc(state_->engine, op, x.desc, any_filter(filter, op.groups, node.inputs[1].tensor.dtype),
                     post.bias >= 0 ? &bias : nullptr, y.desc, post.attributes);
    if (!desc || refused(*desc)) return nullptr;
    // oneDNN 2.6's convolution by matrix product gives wrong results with a binary step (found by the parity test).
    if (!post.operands.empty() && std::string(desc->impl_info_str()).find("gemm") != std::string::npos) return nullptr;

    auto step = begin_step(state_, node, *desc);
    step->add(Forward(*desc));
    step->argument(DNNL_ARG_SRC, x.desc, Source::input, 0);
    step->argument(DNNL_ARG_WEIGHTS, desc->weights_desc(), Source::input, 1);
    if (post.bias >= 0) step->argument(DNNL_ARG_BIAS, bias, Source::input, static_cast<std::size_t>(post.bias));
    for (const PostOps::Operand& operand : post.operands) {
        step->argument(operand.id, operand.desc, Source::input, operand.input);
        if (operand.whole) step->input_layouts[operand.input] = y.layout;
    }
    step->argument(DNNL_ARG_DST, y.desc, Source::output, 0);
    step->scratchpad(desc->scratchpad_desc());
    step->input_layouts[0] = x.layout;
    step->input_layouts[1] = state_->layout_of(desc->weights_desc());
    step->output_layouts[0] = y.layout;
    return step;
}

std::unique_ptr<Executable> OneDnn::prepare(const ops::Conv2dInputGradient& op, const NodeSpec& node, int block) const {
    const Activation dy(node.inputs[0].tensor, block);
    const Activation dx(node.outputs[0].tensor, entry_block(node.outputs[0].tensor, block));
    const MemoryDesc any = any_filter(node.inputs[1].tensor.shape, op.conv.groups, node.inputs[1].tensor.dtype);
    const auto hint = forward_desc(state_->engine, op.conv, dx.desc, any, nullptr, dy.desc, {});
    if (!hint) return nullptr;
    const Spacing at(op.conv);
    const InputGradient::primitive_desc desc(
        {dnnl::algorithm::convolution_direct, dx.desc, any, dy.desc, at.stride, at.dilation, at.padding, at.padding},
        user_scratchpad(), state_->engine, *hint, /*allow_empty=*/true);
    if (refused(desc)) return nullptr;

    auto step = begin_step(state_, node, desc);
    step->add(InputGradient(desc));
    step->argument(DNNL_ARG_DIFF_DST, dy.desc, Source::input, 0);
    step->argument(DNNL_ARG_WEIGHTS, desc.weights_desc(), Source::input, 1);
    step->argument(DNNL_ARG_DIFF_SRC, dx.desc, Source::output, 0);
    step->scratchpad(desc.scratchpad_desc());
    step->input_layouts[0] = dy.layout;
    step->input_layouts[1] = state_->layout_of(desc.weights_desc());
    step->output_layouts[0] = dx.layout;
    return step;
}

// The result is put into the plain layout at once, as the optimizer and the Store have it.
std::unique_ptr<Executable> OneDnn::prepare(const ops::Conv2dFilterGradient& op, const NodeSpec& node,
                                            int block) const {
    // oneDNN 2.6 leaves filter positions that meet nothing but padding unwritten in bf16 (found by the operators'
    // cases).
    const Shape &image = node.inputs[0].tensor.shape, &result = node.inputs[1].tensor.shape;
    const bool meets = all_positions_meet(op, image, result, 0) && all_positions_meet(op, image, result, 1);
    if (node.inputs[0].tensor.dtype == DType::bf16 && !meets) return nullptr;
    const Activation x(node.inputs[0].tensor, entry_block(node.inputs[0].tensor, block));
    const Activation dy(node.inputs[1].tensor, block);
    const std::int64_t groups = op.conv.groups;
    const MemoryDesc low = any_filter(op.filter, groups, node.inputs[0].tensor.dtype);
    const auto hint = forward_desc(state_->engine, op.conv, x.desc, low, nullptr, dy.desc, {});
    if (!hint) return nullptr;
    const Spacing at(op.conv);
    const FilterGradient::primitive_desc desc(
        {dnnl::algorithm::convolution_direct, x.desc, any_filter(op.filter, groups, DType::f32), dy.desc, at.stride,
         at.dilation, at.padding, at.padding},
        user_scratchpad(), state_->engine, *hint, /*allow_empty=*/true);
    if (refused(desc)) return nullptr;

    const MemoryDesc packed = desc.diff_weights_desc(), plain = plain_filter(op.filter, groups);
    auto step = begin_step(state_, node, desc);
    step->add(FilterGradient(desc));
    step->argument(DNNL_ARG_SRC, x.desc, Source::input, 0);
    step->argument(DNNL_ARG_DIFF_DST, dy.desc, Source::input, 1);
    step->scratchpad(desc.scratchpad_desc());
    if (packed == plain) {
        step->argument(DNNL_ARG_DIFF_WEIGHTS, packed, Source::output, 0);
    } else {
        const std::size_t at_packed = step->reserve(packed.get_size());
        step->argument(DNNL_ARG_DIFF_WEIGHTS, packed, Source::workspace, at_packed);
        const dnnl::reorder::primitive_desc unpack(state_->engine, packed, state_->engine, plain, user_scratchpad());
        step->add(dnnl::reorder(unpack));
        step->argument(DNNL_ARG_FROM, packed, Source::workspace, at_packed);
        step->argument(DNNL_ARG_TO, plain, Source::output, 0);
        step->scratchpad(unpack.scratchpad_desc());
    }
    step->input_layouts[0] = x.layout;
    step->input_layouts[1] = dy.layout;
    return step;
}

}  // namespace cambium::cpu
