#include "kernels/norm/norm.h"

#include "engine/backends/gpu/epilogue.h"
#include "engine/backends/gpu/prepare.h"
#include "kernels/norm/layer_norm.h"

namespace cambium::gpu {
namespace {

norm::BatchNorm batch_norm_of(const TensorSpec& x, double epsilon, const Context& context) {
    const std::int64_t channels = x.shape[-1];
    return {.rows = channels == 0 ? 1 : x.shape.count() / channels,
            .channels = channels,
            .dtype = x.dtype,
            .epsilon = static_cast<float>(epsilon),
            .variant = variant_of<norm::Variant>(context)};
}

norm::Activation activation_of(const FusedEpilogue& epilogue) {
    const bool relu = epilogue.activation == gemm::Activation::relu || epilogue.last == gemm::Activation::relu;
    return relu ? norm::Activation::relu : norm::Activation::none;
}

// Input `x` is x; gamma, mean and variance follow it.
norm::Backward backward_of(const Operands& o, std::size_t x) {
    return {.dy = o.inputs[0],
            .x = o.inputs[x],
            .gamma = o.in<float>(x + 1),
            .mean = o.in<float>(x + 2),
            .variance = o.in<float>(x + 3),
            .dx = o.outputs[0],
            .dgamma = o.out<float>(1),
            .dbeta = o.out<float>(2)};
}

norm::LayerNorm layer_norm_of(const TensorSpec& x, const Context& context) {
    const std::int64_t channels = x.shape[-1];
    return {.rows = x.shape.count() / channels,
            .channels = channels,
            .dtype = x.dtype,
            .variant = variant_of<norm::Variant>(context)};
}

}  // namespace

Prepared prepare(const ops::BatchNorm& op, const NodeSpec& node, const Context& context) {
    norm::BatchNorm norm = batch_norm_of(node.inputs[0].tensor, op.epsilon, context);
    const FusedEpilogue epilogue = *fused_epilogue(node.epilogue);
    norm.activation = activation_of(epilogue);
    dev::Stream& stream = context.stream;
    Prepared step = make_step(
        [=, &stream](const Operands& o) {
            norm::forward(norm,
                          {.x = o.inputs[0],
                           .gamma = o.in<float>(1),
                           .beta = o.in<float>(2),
                           .residual = epilogue.bound(o).residual,
                           .y = o.outputs[0],
                           .mean = o.out<float>(1),
                           .variance = o.out<float>(2)},
                          o.workspace, stream);
        },
        norm::workspace_bytes(norm));
    if (epilogue.residual >= 0) step->aliases = {{.output = 0, .input = epilogue.residual}};
    return step;
}

Prepared prepare(const ops::BatchNormApply& op, const NodeSpec& node, const Context& context) {
    norm::BatchNorm norm = batch_norm_of(node.inputs[0].tensor, op.epsilon, context);
    const FusedEpilogue epilogue = *fused_epilogue(node.epilogue);
    norm.activation = activation_of(epilogue);
    dev::Stream& stream = context.stream;
    Prepared step = make_step([=, &stream](const Operands& o) {
        norm::apply(norm,
                    {.x = o.inputs[0],
                     .gamma = o.in<float>(1),
                     .beta = o.in<float>(2),
                     .mean = o.in<float>(3),
                     .variance = o.in<float>(4),
                     .residual = epilogue.bound(o).residual,
                     .y = o.outputs[0]},
                    stream);
    });
    if (epilogue.residual >= 0) step->aliases = {{.output = 0, .input = epilogue.residual}};
    return step;
}

Prepared prepare(const ops::BatchNormGradient& op, const NodeSpec& node, const Context& context) {
    const norm::BatchNorm norm = batch_norm_of(node.inputs[1].tensor, op.epsilon, context);
    dev::Stream& stream = context.stream;
    Prepared step =
        make_step([=, &stream](const Operands& o) { norm::backward(norm, backward_of(o, 1), o.workspace, stream); },
                  norm::workspace_bytes(norm));
    step->aliases = {{.output = 0, .input = 0}, {.output = 0, .input = 1}};
    return step;
}

Prepared prepare(const ops::BatchNormReluGradient& op, const NodeSpec& node, const Context& context) {
    const norm::BatchNorm norm = batch_norm_of(node.inputs[2].tensor, op.epsilon, context);
    dev::Stream& stream = context.stream;
    Prepared step = make_step(
        [=, &stream](const Operands& o) {
            norm::Backward call = backward_of(o, 2);
            call.relu = o.inputs[1];
            call.ds = o.outputs[3];
            norm::backward(norm, call, o.workspace, stream);
        },
        norm::workspace_bytes(norm));
    step->aliases = {{.output = 3, .input = 0}, {.output = 0, .input = 2}, {.output = 0, .input = 0}};
    return step;
}

Prepared prepare(const ops::BatchNormScale& op, const NodeSpec& node, const Context& context) {
    const std::int64_t channels = node.outputs[0].tensor.shape[0];
    const auto epsilon = static_cast<float>(op.epsilon);
    dev::Stream& stream = context.stream;
    return make_step([=, &stream](const Operands& o) {
        norm::batch_norm_scale(channels, epsilon, o.in<float>(0), o.in<float>(1), o.out<float>(0), stream);
    });
}

Prepared prepare(const ops::BatchNormShift&, const NodeSpec& node, const Context& context) {
    const std::int64_t channels = node.outputs[0].tensor.shape[0];
    dev::Stream& stream = context.stream;
    return make_step([=, &stream](const Operands& o) {
        norm::batch_norm_shift(channels, o.in<float>(0), o.in<float>(1), o.in<float>(2), o.out<float>(0), stream);
    });
}

Prepared prepare(const ops::ScaleFilter&, const NodeSpec& node, const Context& context) {
    const Shape& w = node.inputs[0].tensor.shape;
    const std::int64_t filters = w[0], elements = filters == 0 ? 0 : w.count() / filters;
    dev::Stream& stream = context.stream;
    return make_step([=, &stream](const Operands& o) {
        norm::scale_filter(filters, elements, o.in<float>(0), o.in<float>(1), o.out<float>(0), stream);
    });
}

Prepared prepare(const ops::LayerNorm& op, const NodeSpec& node, const Context& context) {
    norm::LayerNorm norm = layer_norm_of(node.inputs[0].tensor, context);
    norm.epsilon = static_cast<float>(op.epsilon);
    dev::Stream& stream = context.stream;
    Prepared step = make_step([=, &stream](const Operands& o) {
        norm::layer_norm(norm,
                         {.x = o.inputs[0],
                          .gamma = o.in<float>(1),
                          .beta = o.in<float>(2),
                          .y = o.outputs[0],
                          .mean = o.out<float>(1),
                          .rstd = o.out<float>(2)},
                         stream);
    });
    step->aliases = {{.output = 0, .input = 0}};
    return step;
}

// Of dgamma and dbeta a dead one goes to the workspace, behind what the sums need.
Prepared prepare(const ops::LayerNormGradient&, const NodeSpec& node, const Context& context) {
    const norm::LayerNorm norm = layer_norm_of(node.inputs[1].tensor, context);
    const std::size_t sums = norm::workspace_bytes(norm), vector = static_cast<std::size_t>(norm.channels) * 4;
    dev::Stream& stream = context.stream;
    Prepared step = make_step(
        [=, &stream](const Operands& o) {
            auto* spare = reinterpret_cast<float*>(o.workspace.data() + sums);
            norm::LayerNormBackward call{.dy = o.inputs[0],
                                         .x = o.inputs[1],
                                         .gamma = o.in<float>(2),
                                         .mean = o.in<float>(3),
                                         .rstd = o.in<float>(4),
                                         .dx = o.outputs[0],
                                         .dgamma = o.out<float>(1),
                                         .dbeta = o.out<float>(2)};
            if (call.dgamma != nullptr && call.dbeta == nullptr) call.dbeta = spare;
            if (call.dbeta != nullptr && call.dgamma == nullptr) call.dgamma = spare;
            norm::layer_norm_gradient(norm, call, o.workspace, stream);
        },
        sums + vector);
    step->aliases = {{.output = 0, .input = 0}, {.output = 0, .input = 1}};
    return step;
}

}  // namespace cambium::gpu
