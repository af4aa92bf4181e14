// One optimizer step for one parameter, in place where the plan allows.
#include "kernels/optimizer/optimizer.h"

#include "engine/backends/gpu/prepare.h"

namespace cambium::gpu {

Prepared prepare(const ops::ClipScale& op, const NodeSpec&, const Context& context) {
    return make_step([max_norm = op.max_norm, &stream = context.stream](const Operands& o) {
        optimizer::begin_step({.max_norm = max_norm,
                               .norm = o.in<float>(0),
                               .denominator = o.in<float>(1),
                               .loss = o.in<float>(2),
                               .scale = o.out<float>(0)},
                              stream);
    });
}

Prepared prepare(const ops::SgdUpdate& op, const NodeSpec& node, const Context& context) {
    const bool buffered = op.momentum > 0, nesterov = op.kind == ops::SgdUpdate::Momentum::nesterov;
    const optimizer::Sgd rule{.momentum = op.momentum,
                              .kind = nesterov ? optimizer::Sgd::Kind::nesterov : optimizer::Sgd::Kind::heavy_ball};
    const optimizer::Parameter fixed{.count = node.inputs[0].tensor.shape.count(),
                                     .weight_decay = static_cast<float>(op.weight_decay),
                                     .rate_factor = static_cast<float>(op.rate_factor)};
    Prepared step = make_step([=, &stream = context.stream](const Operands& o) {
        optimizer::Parameter p = fixed;
        p.w = o.in<float>(0), p.gradient = o.in<float>(1), p.new_w = o.out<float>(0);
        if (buffered) p.first = o.in<float>(2), p.new_first = o.out<float>(1);
        const std::size_t rate = buffered ? 3 : 2;
        optimizer::update(rule, p, {.rate = o.in<float>(rate), .scale = o.in<float>(rate + 1)}, stream);
    });
    step->aliases.push_back({.output = 0, .input = 0});
    if (buffered) step->aliases.push_back({.output = 1, .input = 2});
    return step;
}

Prepared prepare(const ops::AdamUpdate& op, const NodeSpec& node, const Context& context) {
    const bool decoupled = op.decay == ops::AdamUpdate::Decay::decoupled;
    const optimizer::Adam rule{
        .beta1 = op.beta1,
        .beta2 = op.beta2,
        .epsilon = op.epsilon,
        .decay = decoupled ? optimizer::Adam::Decay::decoupled : optimizer::Adam::Decay::coupled};
    const optimizer::Parameter fixed{.count = node.inputs[0].tensor.shape.count(),
                                     .weight_decay = static_cast<float>(op.weight_decay),
                                     .rate_factor = static_cast<float>(op.rate_factor)};
    Prepared step = make_step([=, &stream = context.stream](const Operands& o) {
        optimizer::Parameter p = fixed;
        p.w = o.in<float>(0), p.gradient = o.in<float>(1), p.first = o.in<float>(2), p.second = o.in<float>(3);
        p.new_w = o.out<float>(0), p.new_first = o.out<float>(1), p.new_second = o.out<float>(2);
        optimizer::update(rule, p, {.rate = o.in<float>(4), .scale = o.in<float>(5), .step = o.in<std::int32_t>(6)},
                          stream);
    });
    step->aliases = {{.output = 0, .input = 0}, {.output = 1, .input = 2}, {.output = 2, .input = 3}};
    return step;
}

}  // namespace cambium::gpu
