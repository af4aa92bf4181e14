#include "engine/ops/optimizer.h"

#include "engine/ops/rules.h"

namespace cambium::ops {
namespace {

constexpr std::string_view no_gradient = "an optimizer step is not trained through";

// The first `tensors` inputs have the parameter's shape, the next `scalars` are real scalars.
void check_update(Specs inputs, std::size_t tensors, std::size_t scalars) {
    for (std::size_t i = 0; i < tensors; ++i) {
        require_real(inputs[i], "parameter, gradient and state");
        require_shape(inputs[i], inputs[0].shape, "gradient and state");
    }
    for (std::size_t i = tensors; i < tensors + scalars; ++i) {
        require_real(inputs[i], "rate and scale");
        require_shape(inputs[i], {}, "rate and scale");
    }
}

}  // namespace

std::vector<TensorSpec> infer(const ClipScale& op, Specs inputs) {
    require_inputs(inputs, 3, 3);
    require(op.max_norm >= 0, "the largest norm must not be negative");
    for (const TensorSpec& spec : inputs) require_shape(spec, {}, "norm, denominator and loss");
    return {inputs[0]};
}
void differentiate(const ClipScale&, Backward& b) { b.none(no_gradient); }
double cost(const ClipScale&, Specs, Specs) { return 4; }
std::string attributes(const ClipScale& op) { return fmt::format("max_norm={}", op.max_norm); }

std::vector<TensorSpec> infer(const SgdUpdate& op, Specs inputs) {
    const bool buffered = op.momentum > 0;
    require_inputs(inputs, buffered ? 5 : 4, buffered ? 5 : 4);
    check_update(inputs, buffered ? 3 : 2, 2);
    if (buffered) return {inputs[0], inputs[2]};
    return {inputs[0]};
}
void differentiate(const SgdUpdate&, Backward& b) { b.none(no_gradient); }
double cost(const SgdUpdate&, Specs inputs, Specs) { return 8 * elements(inputs[0]); }
std::string attributes(const SgdUpdate& op) {
    return fmt::format("momentum={} kind={} weight_decay={} rate_factor={}", op.momentum,
                       op.kind == SgdUpdate::Momentum::nesterov ? "nesterov" : "heavy_ball", op.weight_decay,
                       op.rate_factor);
}

std::vector<TensorSpec> infer(const AdamUpdate&, Specs inputs) {
    require_inputs(inputs, 7, 7);
    check_update(inputs, 4, 2);
    require_dtype(inputs[6], DType::i32, "the step");
    require_shape(inputs[6], {}, "the step");
    return {inputs[0], inputs[2], inputs[3]};
}
void differentiate(const AdamUpdate&, Backward& b) { b.none(no_gradient); }
double cost(const AdamUpdate&, Specs inputs, Specs) { return 16 * elements(inputs[0]); }
std::string attributes(const AdamUpdate& op) {
    return fmt::format("beta1={} beta2={} epsilon={} weight_decay={} decay={} rate_factor={}", op.beta1, op.beta2,
                       op.epsilon, op.weight_decay, op.decay == AdamUpdate::Decay::coupled ? "coupled" : "decoupled",
                       op.rate_factor);
}

}  // namespace cambium::ops
