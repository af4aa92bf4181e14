#include "engine/backends/gpu/epilogue.h"

#include <fmt/format.h>

namespace cambium::gpu {
namespace {

// The places of the fused form, in order; a step may only fill one behind the last that was filled.
enum class Place : std::uint8_t { none, scale, bias, activation, residual, last, moments };

Place place_of(const EpilogueStep& step, const FusedEpilogue& so_far) {
    switch (step.kind) {
        case EpilogueStep::Kind::scale_shift:
            return Place::scale;
        case EpilogueStep::Kind::add_bias:
            return Place::bias;
        case EpilogueStep::Kind::add:
            return Place::residual;
        case EpilogueStep::Kind::relu:
        case EpilogueStep::Kind::gelu:
            return so_far.residual >= 0 ? Place::last : Place::activation;
        case EpilogueStep::Kind::moments:
            return Place::moments;
    }
    return Place::none;
}

gemm::Activation activation_of(const EpilogueStep& step) {
    return step.kind == EpilogueStep::Kind::gelu ? gemm::Activation::gelu : gemm::Activation::relu;
}

bool is_batch_norm(const Op& op) {
    return std::holds_alternative<ops::BatchNorm>(op) || std::holds_alternative<ops::BatchNormApply>(op);
}

// Its kernels have only the end of the form: a residual, and a relu behind it.
bool is_known_to_batch_norm(const FusedEpilogue& fused) {
    using gemm::Activation;
    return fused.scale < 0 && fused.bias < 0 && (fused.residual < 0 || fused.activation == Activation::none) &&
           fused.activation != Activation::gelu && fused.last != Activation::gelu;
}

}  // namespace

gemm::Epilogue FusedEpilogue::bound(const Operands& operands) const {
    const auto vector = [&](int input) {
        return input < 0 ? nullptr : operands.in<float>(static_cast<std::size_t>(input));
    };
    return {.scale = vector(scale),
            .bias = vector(bias),
            .activation = activation,
            .residual = residual < 0 ? nullptr : operands.inputs[static_cast<std::size_t>(residual)],
            .last_activation = last};
}

std::optional<FusedEpilogue> fused_epilogue(const std::vector<EpilogueStep>& steps) {
    FusedEpilogue fused;
    Place filled = Place::none;
    for (const EpilogueStep& step : steps) {
        const Place place = place_of(step, fused);
        if (place <= filled) return std::nullopt;
        filled = place;
        switch (place) {
            case Place::scale:
                fused.scale = step.operand;
                fused.bias = step.second_operand;
                if (fused.bias >= 0) filled = Place::bias;
                break;
            case Place::bias:
                fused.bias = step.operand;
                break;
            case Place::activation:
                fused.activation = activation_of(step);
                break;
            case Place::residual:
                fused.residual = step.operand;
                break;
            case Place::moments:
                fused.moments = true;
                break;
            default:
                fused.last = activation_of(step);
        }
    }
    return fused;
}

std::optional<std::string> missing_epilogue(const NodeSpec& node) {
    if (node.epilogue.empty()) return std::nullopt;
    const std::optional<FusedEpilogue> fused = fused_epilogue(node.epilogue);
    const bool known = fused && (!is_batch_norm(node.op) || is_known_to_batch_norm(*fused));
    if (!known) return fmt::format("no epilogue of the order {}", to_string(node.epilogue));
    if (fused->residual < 0) return std::nullopt;
    const DType residual = node.inputs[static_cast<std::size_t>(fused->residual)].tensor.dtype;
    const DType output = node.outputs[0].tensor.dtype;
    if (residual == output) return std::nullopt;
    return fmt::format("no {} summand in the epilogue of a {} result", name_of(residual), name_of(output));
}

}  // namespace cambium::gpu
