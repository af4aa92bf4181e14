// Normalisation. Batch norm (Ioffe & Szegedy 2015): training mode normalises by the batch's own moments. Evaluation and
// frozen mode are a ScaleShift by constants, which BatchNormScale and BatchNormShift compute from the Store once, not
// in each run; folding then needs nothing but ScaleFilter. Layer norm (Ba et al. 2016) is the same in every mode.
#pragma once

#include "engine/ops/common.h"

namespace cambium::ops {

// Inputs: x [..., C], gamma [C], beta [C]. Outputs: y, mean [C], variance [C] (biased: divided by the count M of values
// per channel). y = gamma (x - mean) / sqrt(variance + epsilon) + beta. Throws Error where M = 1. The moments are f32
// (or f64).
struct BatchNorm {
    static constexpr std::string_view name = "batch_norm";
    double epsilon = 1e-5;
};

// What BatchNorm does with moments that another node has taken: a convolution, of its result. Inputs: x [..., C],
// gamma, beta, mean, variance [C]. Output: y = gamma (x - mean) / sqrt(variance + epsilon) + beta.
struct BatchNormApply {
    static constexpr std::string_view name = "batch_norm_apply";
    double epsilon = 1e-5;
};

// Inputs: dy, x, gamma, mean, variance. Outputs: dx, dgamma [C], dbeta [C].
struct BatchNormGradient {
    static constexpr std::string_view name = "batch_norm_gradient";
    double epsilon = 1e-5;
};

// BatchNormGradient and the ReluGradient before it in one: of y = relu(batch_norm(x) + summand). Inputs: dy, y, x,
// gamma, mean, variance. Outputs: dx, dgamma [C], dbeta [C] as BatchNormGradient has them of ds, and ds, the summand's
// gradient: dy where y > 0, else 0.
struct BatchNormReluGradient {
    static constexpr std::string_view name = "batch_norm_relu_gradient";
    double epsilon = 1e-5;
};

// Inputs: gamma [C], variance [C]. Output: gamma / sqrt(variance + epsilon).
struct BatchNormScale {
    static constexpr std::string_view name = "batch_norm_scale";
    double epsilon = 1e-5;
};

// Inputs: beta [C], mean [C], scale [C]. Output: beta - mean * scale.
struct BatchNormShift {
    static constexpr std::string_view name = "batch_norm_shift";
};

// Inputs: w [K, ...], scale [K]. Output: w with its k-th slice multiplied by scale[k].
struct ScaleFilter {
    static constexpr std::string_view name = "scale_filter";
};

// Inputs: x [..., C], gamma [C], beta [C]. Outputs: y, mean [...], rstd [...], the moments of each row of C values:
// rstd = 1 / sqrt(variance + epsilon), variance biased, y = gamma (x - mean) rstd + beta. The moments are f32 (or f64).
struct LayerNorm {
    static constexpr std::string_view name = "layer_norm";
    double epsilon = 1e-5;
};

// Inputs: dy, x, gamma, mean, rstd. Outputs: dx, dgamma [C], dbeta [C], the last two always f32 (or f64). With
// x' = (x - mean) rstd, g = gamma dy and E the mean over a row:
//   dx = rstd (g - E[g] - x' E[g x']),  dgamma = Sum dy x',  dbeta = Sum dy over all rows
struct LayerNormGradient {
    static constexpr std::string_view name = "layer_norm_gradient";
};

CAMBIUM_OPERATOR(BatchNorm)
CAMBIUM_OPERATOR(BatchNormApply)
CAMBIUM_OPERATOR(BatchNormGradient)
CAMBIUM_OPERATOR(BatchNormReluGradient)
CAMBIUM_OPERATOR(BatchNormScale)
CAMBIUM_OPERATOR(BatchNormShift)
CAMBIUM_OPERATOR(ScaleFilter)
CAMBIUM_OPERATOR(LayerNorm)
CAMBIUM_OPERATOR(LayerNormGradient)

}  // namespace cambium::ops
