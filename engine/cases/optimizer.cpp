// Optimizer steps with and without momentum, both kinds of decay, and the factor that clips.
#include "engine/cases/case.h"

namespace cambium::cases {
namespace {

using namespace ops;

Operand state(Shape shape, Fill fill = Fill::uniform) {
    return {.shape = shape, .fill = fill, .storage = Storage::full};
}

Instance clip_scale(RandomStream& random) {
    const std::vector<Operand> operands{state({}, Fill::positive), state({}, Fill::positive), state({})};
    return {ClipScale{one_of(random, {0.0, 0.5, 1.0})}, operands, {}};
}

Instance sgd(RandomStream& random) {
    SgdUpdate op{.momentum = one_of(random, {0.0, 0.9}),
                 .weight_decay = one_of(random, {0.0, 1e-2}),
                 .rate_factor = one_of(random, {1.0, 0.25})};
    op.kind = flip(random) ? SgdUpdate::Momentum::nesterov : SgdUpdate::Momentum::heavy_ball;
    const Shape w = any_shape(random);
    Instance instance{op, {state(w), state(w)}, {}};
    if (op.momentum > 0) instance.inputs.push_back(state(w));
    instance.inputs.push_back(state({}, Fill::positive));
    instance.inputs.push_back(state({}, Fill::positive));
    return instance;
}

Instance adam(RandomStream& random) {
    AdamUpdate op{.beta1 = one_of(random, {0.9, 0.8}),
                  .beta2 = one_of(random, {0.999, 0.99}),
                  .epsilon = one_of(random, {1e-8, 1e-3}),
                  .weight_decay = one_of(random, {0.0, 1e-2}),
                  .rate_factor = one_of(random, {1.0, 0.25})};
    op.decay = flip(random) ? AdamUpdate::Decay::coupled : AdamUpdate::Decay::decoupled;
    const Shape w = any_shape(random);
    return {op,
            {state(w),
             state(w),
             state(w),
             state(w, Fill::positive),
             state({}, Fill::positive),
             state({}, Fill::positive),
             {.shape = {}, .fill = Fill::counter, .bound = 200}},
            {}};
}

}  // namespace

std::vector<OpCase> optimizer_cases() {
    return {{"clip_scale", clip_scale}, {"sgd_update", sgd}, {"adam_update", adam}};
}

}  // namespace cambium::cases
